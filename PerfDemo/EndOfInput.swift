import Foundation
import Synchronization
import SystemPackage

/// Waits until standard input ends. Whoever holds the other end of the pipe keeps this process alive, and no longer.
enum EndOfInput {
  /// Returns at the end of standard input, at an error of it, or when the task is cancelled. What comes in is dropped.
  static func wait() async {
    let ended = AsyncStream<Void> { continuation in
      Thread.detachNewThread {
        var isOpen = true
        while isOpen {
          isOpen = unsafe withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) { buffer in
            ((try? unsafe FileDescriptor.standardInput.read(into: buffer)) ?? 0) > 0
          }
        }
        continuation.finish()
      }
    }
    for await _ in ended {}
  }
}
