import Sluice
import SystemPackage

/// A blocking Unix stream connection that carries Cap'n Proto messages in stream framing, as fast as the kernel takes and
/// gives them: a message leaves by gathering writes from where it stands, and arrives by large reads into one buffer that
/// later messages use again. For one thread at a time.
@safe
final class StreamConnection {
  private let socket: Handle
  private let limits: ReadLimits
  /// The header of a message and, right behind it, its segments.
  private var buffer: UnsafeMutableRawBufferPointer

  /// Takes over a connected socket.
  ///
  /// - Parameter maxMessageByteCount: Larger messages are refused before memory is spent on them.
  init(_ socket: Handle, maxMessageByteCount: Int) throws(SystemError) {
    try UnixSocket.setBlocking(true, of: socket)
    self.socket = socket
    limits = ReadLimits(traversalWords: maxMessageByteCount, totalWords: maxMessageByteCount / 8)
    unsafe buffer = .allocate(byteCount: 1 << 16, alignment: 16)
  }

  // The buffer is allocated in `init` and replaced only by `reserve`, which frees the one before.
  deinit { unsafe buffer.deallocate() }

  /// Sends a message: a gathering write takes what the kernel has room for, which is all of a small message; blocking
  /// writes from where the message stands take the rest.
  ///
  /// - Throws: `EPIPE` or `ECONNRESET` when the peer is gone.
  func send(_ message: FramedMessage) throws(SystemError) {
    unsafe try message.forEachPair { first, second throws(SystemError) in
      // The spans end with the call, during which the message lends its pieces.
      let count =
        unsafe try UnixSocket.send(
          on: socket, RawSpan(_unsafeBytes: first), RawSpan(_unsafeBytes: second)) ?? 0
      let fromFirst = min(count, first.count)
      unsafe try write(UnsafeRawBufferPointer(rebasing: first[fromFirst...]))
      unsafe try write(UnsafeRawBufferPointer(rebasing: second[(count - fromFirst)...]))
    }
  }

  private func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
    guard unsafe !bytes.isEmpty else { return }
    do {
      _ = try unsafe socket.descriptor.writeAll(bytes)
    } catch {
      throw SystemError(operation: "write", errno: (error as? Errno) ?? .ioError)
    }
  }

  /// Receives the next message and hands it out where it arrived; `false` at the end of the stream. The message is gone
  /// when the body returns.
  ///
  /// - Throws: `SystemError`, `CapnProtoError` for bytes that are no message or one above the limit, or what the body
  ///   throws.
  func receive(_ body: (borrowing MessageSegments) throws -> Void) throws -> Bool {
    var filled = 0
    // Each side waits for the other's answer, so nothing follows a message: reading as much as fits is safe.
    while filled < 8 {
      let count = try read(from: filled)
      guard count > 0 else {
        if filled == 0 { return false }
        throw CapnProtoError(.truncated(needed: 8, available: filled))
      }
      filled += count
    }
    // The spans end with the calls, during which the buffer stays as it is; that much of it is filled.
    let headerByteCount =
      try StreamHeader.byteCount(
        ofHeaderBeginningWith: unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: buffer[..<filled])),
        limits: limits) ?? 8
    try fill(to: headerByteCount, filled: &filled)
    let header = try StreamHeader(
      decoding: unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: buffer[..<headerByteCount])),
      limits: limits)
    let total = headerByteCount + header.totalWords * 8
    try fill(to: total, filled: &filled)
    guard filled == total else { throw CapnProtoError(.trailingBytes(count: filled - total)) }

    var segments: [UnsafeRawBufferPointer] = unsafe []
    var offset = headerByteCount
    for words in header.segmentWordCounts {
      unsafe segments.append(UnsafeRawBufferPointer(rebasing: buffer[offset..<(offset + words * 8)]))
      offset += words * 8
    }
    // The segments lie within the filled part of the buffer, which stays as it is until the next call.
    try body(try unsafe MessageSegments(segments, limits: .inPlace(byteCount: total)))
    return true
  }

  private func fill(to byteCount: Int, filled: inout Int) throws {
    reserve(byteCount, keeping: filled)
    while filled < byteCount {
      let count = try read(from: filled)
      guard count > 0 else { throw CapnProtoError(.truncated(needed: byteCount, available: filled)) }
      filled += count
    }
  }

  private func read(from offset: Int) throws(SystemError) -> Int {
    do {
      // The rest of the buffer is this connection's own memory.
      return try unsafe socket.descriptor.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[offset...]))
    } catch {
      throw SystemError(operation: "read", errno: (error as? Errno) ?? .ioError)
    }
  }

  private func reserve(_ byteCount: Int, keeping filled: Int) {
    guard unsafe byteCount > buffer.count else { return }
    let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 16)
    // `filled` bytes fit into both.
    unsafe larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[..<filled]))
    unsafe buffer.deallocate()
    unsafe buffer = larger
  }
}
