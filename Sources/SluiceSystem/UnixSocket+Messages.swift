import CSluice
import SystemPackage

/// What one call of `UnixSocket.receive` brought.
public struct ReceivedBytes: Sendable {
  /// How many bytes; 0 at the end of the stream.
  public var byteCount: Int
  /// The handles that came with them, close-on-exec. Those nobody keeps are closed.
  public var handles: [Handle]
  /// Whether handles were lost, because this process's descriptor table is full. The kernel has closed them.
  public var lostHandles: Bool
  /// Whether the bytes filled the room that there was for them; if not, and there are no handles, there were no more.
  public var filledRoom: Bool
}

extension UnixSocket {
  /// Sends up to five spans of bytes, one after the other, with handles bound to the first byte.
  /// The corresponding C function is `sendmsg`. Never blocks and allocates nothing without handles.
  ///
  /// Little is copied together first and sent by `send`, which costs less than what the kernel makes of a list of parts.
  /// - Parameter handles: At most `maxHandlesPerMessage`. They stay the caller's; the kernel duplicates them.
  /// - Returns: How many bytes the kernel took, with the handles if it took any; `nil` when there is no room.
  /// - Throws: `EPIPE` or `ECONNRESET` when the peer is gone; `ETOOMANYREFS` when too many handles are in flight.
  public static func send(
    on socket: Handle, _ first: RawSpan, _ second: RawSpan = RawSpan(), _ third: RawSpan = RawSpan(),
    _ fourth: RawSpan = RawSpan(), _ fifth: RawSpan = RawSpan(), handles: [Handle] = []
  ) throws(SystemError) -> Int? {
    let byteCount = first.byteCount + second.byteCount + third.byteCount + fourth.byteCount + fifth.byteCount
    let result: Int
    if byteCount <= joinedByteCount && handles.isEmpty {
      // Sound: the buffer has room for all parts, and the kernel reads only what was copied.
      result = unsafe withUnsafeTemporaryAllocation(byteCount: joinedByteCount, alignment: 8) { joined in
        var count = 0
        unsafe append(first, to: joined, &count)
        unsafe append(second, to: joined, &count)
        unsafe append(third, to: joined, &count)
        unsafe append(fourth, to: joined, &count)
        unsafe append(fifth, to: joined, &count)
        let byteCount = count
        return retryingInterrupts { unsafe sluice_socket_send_now(socket.rawValue, joined.baseAddress, byteCount) }
      }
    } else {
      // Sound: the vectors point into the spans, which outlive the call; the kernel only reads.
      result = unsafe withUnsafeTemporaryAllocation(of: iovec.self, capacity: 5) { parts in
        unsafe parts.initializeElement(at: 0, to: iovec(first))
        unsafe parts.initializeElement(at: 1, to: iovec(second))
        unsafe parts.initializeElement(at: 2, to: iovec(third))
        unsafe parts.initializeElement(at: 3, to: iovec(fourth))
        unsafe parts.initializeElement(at: 4, to: iovec(fifth))
        return unsafe send(on: socket.rawValue, parts, handles)
      }
    }
    if result >= 0 { return result }
    if result == -Int(Errno.resourceTemporarilyUnavailable.rawValue) { return nil }
    throw SystemError(operation: "sendmsg", negated: result, detail: handles.isEmpty ? nil : "\(handles.count) handles")
  }

  /// What is worth copying together.
  private static let joinedByteCount = 1024

  @unsafe
  private static func append(_ part: RawSpan, to joined: UnsafeMutableRawBufferPointer, _ count: inout Int) {
    guard part.byteCount > 0 else { return }
    let offset = count
    unsafe part.withUnsafeBytes { part in
      unsafe UnsafeMutableRawBufferPointer(rebasing: joined[offset...]).copyMemory(from: part)
    }
    count += part.byteCount
  }

  private static func send(
    on socket: CInt, _ parts: UnsafeMutableBufferPointer<iovec>, _ handles: [Handle]
  ) -> Int {
    guard handles.count <= maxHandlesPerMessage else { return -Int(Errno.invalidArgument.rawValue) }
    return withExtendedLifetime(handles) {
      unsafe withUnsafeTemporaryAllocation(of: CInt.self, capacity: max(handles.count, 1)) { descriptors in
        for (index, handle) in handles.enumerated() {
          unsafe descriptors.initializeElement(at: index, to: handle.rawValue)
        }
        return retryingInterrupts {
          unsafe sluice_socket_send(socket, parts.baseAddress, parts.count, descriptors.baseAddress, handles.count)
        }
      }
    }
  }

  /// Receives bytes and the handles bound to them. The corresponding C function is `recvmsg`. Never blocks.
  ///
  /// One call never crosses from bytes with handles into bytes sent later, so the handles belong to bytes of this call.
  /// - Parameter buffer: Where the bytes go; not empty.
  /// - Returns: What came; `nil` when there is nothing now.
  /// - Throws: `ECONNRESET` when the peer closed its end without reading everything.
  @unsafe
  public static func receive(
    on socket: Handle, into buffer: UnsafeMutableRawBufferPointer
  ) throws(SystemError) -> ReceivedBytes? {
    while true {
      let (result, received) = unsafe receive(on: socket, into: buffer, isBlocking: false)
      if result >= 0 { return received }
      if result == -Int(Errno.resourceTemporarilyUnavailable.rawValue) { return nil }
      if result != -Int(Errno.interrupted.rawValue) { throw SystemError(operation: "recvmsg", negated: result) }
    }
  }

  /// As `receive`, but waits for bytes, on a socket that was set to block: `setBlocking`.
  ///
  /// - Returns: What came; `nil` when the socket's receive timeout has passed, when a signal came, or when somebody who shares
  ///   the socket lets it not block any more.
  @unsafe
  public static func receiveBlocking(
    on socket: Handle, into buffer: UnsafeMutableRawBufferPointer
  ) throws(SystemError) -> ReceivedBytes? {
    let (result, received) = unsafe receive(on: socket, into: buffer, isBlocking: true)
    if result >= 0 { return received }
    switch Errno(rawValue: CInt(truncatingIfNeeded: -result)) {
    case .resourceTemporarilyUnavailable, .interrupted: return nil
    default: throw SystemError(operation: "recvmsg", negated: result)
    }
  }

  private static func receive(
    on socket: Handle, into buffer: UnsafeMutableRawBufferPointer, isBlocking: Bool
  ) -> (result: Int, received: ReceivedBytes) {
    var received = ReceivedBytes(byteCount: 0, handles: [], lostHandles: false, filledRoom: false)
    // Sound: the call writes at most the buffer's count, and at most SLUICE_SCM_MAX_FD descriptors.
    let result = unsafe withUnsafeTemporaryAllocation(of: CInt.self, capacity: maxHandlesPerMessage) { descriptors in
      var (count, lost): (Int, CInt) = (0, 0)
      let result = unsafe sluice_socket_receive(
        socket.rawValue, buffer.baseAddress, buffer.count, isBlocking ? 1 : 0, descriptors.baseAddress, &count, &lost)
      if count > 0 {
        received.handles = (0..<count).map { unsafe Handle(owning: FileDescriptor(rawValue: descriptors[$0])) }
      }
      received.lostHandles = lost != 0
      return result
    }
    received.byteCount = max(result, 0)
    received.filledRoom = result == buffer.count
    return (result, received)
  }
}

extension iovec {
  /// Points into a span: valid as long as what the span shows.
  fileprivate init(_ bytes: RawSpan) {
    unsafe self = bytes.withUnsafeBytes { bytes in
      unsafe iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
    }
  }
}
