import CSluice
import SystemPackage

/// A descriptor to poll, which another process makes ready: readable by ringing, writable by unblocking.
///
/// Two connected sockets: the owner polls the inner one, the other process works on the outer one. Unlike an event counter,
/// whose `O_NONBLOCK` belongs to all that share it, a socket can be used so that no call blocks, whatever the other process
/// does. A process that rings without need or end wakes its peer in vain, and can do nothing worse. Thread-safe.
public final class Doorbell: Sendable {
  private let inner: Handle
  private let outer: RemoteDoorbell

  /// A bell that was not rung, and is not blocked.
  public init() throws(SystemError) {
    let outer: Handle
    (inner, outer) = try UnixSocket.pair()
    self.outer = RemoteDoorbell(outer)
    // The smallest there is: `block` fills it.
    try UnixSocket.setSendBufferByteCount(1, of: inner)
  }

  /// What the other process gets.
  public var handle: Handle { outer.handle }
  /// Readable when it was rung since the last `reset`; writable unless it is blocked.
  public var descriptor: FileDescriptor { inner.descriptor }

  /// Owns the descriptor.
  package var innerHandle: Handle { inner }

  /// Makes the descriptor readable, as the other process does. One `send(2)`.
  public func ring() { outer.ring() }

  /// Makes the descriptor unreadable. One or two `recv(2)`.
  public func reset() { inner.discardBytes() }

  /// Makes the descriptor not writable. Some `send(2)`.
  public func block() {
    // Far fewer bytes fill the smallest buffer, as the kernel charges each call for its bookkeeping.
    for _ in 0..<1024 where !inner.sendByte() { return }
  }

  /// Makes the descriptor writable, as the other process does.
  public func unblock() { outer.unblock() }
}

/// The outer end of another process's ``Doorbell``. No call blocks. Thread-safe.
///
/// Whether the handle is such an end is not asked: on anything else, nothing happens but what the other process could have
/// done to it by itself.
public struct RemoteDoorbell: Sendable {
  let handle: Handle

  /// What another process sent as its bell.
  public init(_ handle: Handle) {
    self.handle = handle
  }

  /// Makes the bell's descriptor readable. One `send(2)`.
  public func ring() {
    // Fails when the bell was rung very often and not reset, and then it is readable.
    _ = handle.sendByte()
  }

  /// Makes the bell's descriptor writable. One or two `recv(2)`.
  public func unblock() { handle.discardBytes() }
}

extension Handle {
  /// False when there is no room, or nobody to take it.
  fileprivate func sendByte() -> Bool {
    var byte: UInt8 = 1
    // Sound: one byte of a local variable.
    return retryingInterrupts { unsafe sluice_socket_send_now(rawValue, &byte, 1) } == 1
  }

  /// Takes all bytes that are there; as many as are added meanwhile, within reason.
  fileprivate func discardBytes() {
    // Sound: the call writes at most what the buffer has room for.
    // Small enough for the stack: more than a kilobyte would come from the heap.
    unsafe withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 1) { buffer in
      for _ in 0..<256 {
        let count = retryingInterrupts {
          unsafe sluice_socket_receive_now(rawValue, buffer.baseAddress, buffer.count)
        }
        if count < buffer.count { return }
      }
    }
  }
}
