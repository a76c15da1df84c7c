import SluiceSystem
import Synchronization
import TestSupport

/// Calls `body` with `content` at the end of a mapping, behind which an access faults.
func withGuarded<Result>(_ content: [UInt8], _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
  let buffer = try GuardedBuffer(byteCount: max(content.count, 1))
  let end = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[(buffer.bytes.count - content.count)...])
  end.copyBytes(from: content)
  return try withExtendedLifetime(buffer) { try body(UnsafeRawBufferPointer(end)) }
}

/// A thread that spoils the bytes of a segment and restores them, until it is stopped.
final class Scribbler: Sendable {
  private let isStopped = Atomic(false)

  /// Runs `body` while the thread scribbles.
  static func run(over segment: Segment, _ intact: [UInt8], _ body: () throws -> Void) throws {
    let scribbler = Scribbler()
    let thread = try WorkerThread(name: "scribbler") { scribbler.scribble(segment, intact) }
    defer {
      scribbler.isStopped.store(true, ordering: .relaxed)
      thread.join()
    }
    try body()
  }

  private func scribble(_ segment: Segment, _ intact: [UInt8]) {
    var generator = SeededGenerator(seed: 3)
    while !isStopped.load(ordering: .relaxed) {
      let place = Int.random(in: intact.indices, using: &generator)
      segment.baseAddress.storeBytes(
        of: UInt8.random(in: 0...255, using: &generator), toByteOffset: place, as: UInt8.self)
      // Now and then all is well again, so that walks get beyond the header.
      if place % 8 == 0 {
        UnsafeMutableRawBufferPointer(start: segment.baseAddress, count: intact.count).copyBytes(from: intact)
      }
    }
  }
}
