import CSluice
import Glibc
import SystemPackage

/// A descriptor that is readable after it was signalled. The corresponding C function is `eventfd`. Thread-safe.
public final class EventCounter: Sendable {
  /// The descriptor, to poll, or to pass to another process.
  public let handle: Handle

  /// Makes a counter at zero.
  public init() throws(SystemError) {
    handle = try Handle.owning("eventfd") { sluice_eventfd(0) }
  }

  /// Uses a counter that another process made.
  public init(_ handle: Handle) {
    self.handle = handle
  }

  /// Readable while there were signals since the last `reset`.
  public var descriptor: FileDescriptor { handle.descriptor }

  /// Makes the descriptor readable. One `write(2)`; never blocks.
  public func signal() {
    write(1)
  }

  /// Makes the descriptor not writable (and readable), until the next `reset`: what lets a queue in memory show that it
  /// has no room. Two system calls; never blocks. Not to be mixed with `signal`.
  public func fill() {
    reset()
    write(.max - 1)
  }

  private func write(_ value: UInt64) {
    // Fails only when the counter is full (EAGAIN), and then it is readable, or when a peer's handle is no counter, and
    // then whoever waits on it has nothing to gain. Sound: eight bytes of a local variable.
    _ = unsafe withUnsafeBytes(of: value) { bytes in
      retryingInterrupts { unsafe Glibc.write(handle.rawValue, bytes.baseAddress, 8) < 0 ? -errno : 0 }
    }
  }

  /// Makes the descriptor unreadable, and writable. One `preadv2(2)`; never blocks, whatever a process that shares the
  /// counter has done to it.
  ///
  /// - Returns: Whether it had been signalled.
  @discardableResult
  public func reset() -> Bool {
    var count: UInt64 = 0
    // Sound: eight bytes of a local variable.
    let result = unsafe withUnsafeMutableBytes(of: &count) { bytes in
      retryingInterrupts { unsafe sluice_read_now(handle.rawValue, bytes.baseAddress, 8) }
    }
    return result == 8 && count > 0
  }
}
