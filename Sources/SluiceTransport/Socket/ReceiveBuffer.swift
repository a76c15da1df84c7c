import SluiceSystem

/// The bytes of a stream between the socket and the frames: a fixed amount of guarded memory, filled at the end and
/// consumed at the front. What is unread moves to the front when room runs out, so a frame always lies in one piece.
/// Owned by one transport, which serialises its use.
struct ReceiveBuffer: ~Copyable {
  private let memory: GuardedBuffer
  private var start = 0
  private var end = 0
  /// How many bytes of the stream have been consumed.
  private(set) var position: UInt64 = 0

  /// Makes room for one frame of the largest size, and for a good many small ones at once.
  init(maxFrameByteCount: Int) throws(SystemError) {
    memory = try GuardedBuffer(byteCount: max(maxFrameByteCount, 1 << 16))
  }

  /// How many bytes are there to consume.
  var unreadByteCount: Int { end - start }

  /// The position of the stream after the bytes that are there.
  var endPosition: UInt64 { position + UInt64(unreadByteCount) }

  /// The bytes to consume. The first one is 8-byte aligned if all consumed so far were multiples of 8.
  var unread: RawSpan {
    @_lifetime(borrow self)
    get {
      // Sound: within the memory, which lives as long as `self`, and nobody writes while `self` is borrowed.
      let span = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: memory.bytes[start..<end]))
      return unsafe _overrideLifetime(span, borrowing: self)
    }
  }

  /// Takes bytes from the front; no more than there are.
  mutating func consume(_ byteCount: Int) {
    let taken = min(byteCount, unreadByteCount)
    start += taken
    position += UInt64(taken)
    if start == end { (start, end) = (0, 0) }
  }

  /// Where more bytes go, behind those that are there. Not empty while no whole frame is unread.
  @unsafe
  mutating func makeRoom() -> UnsafeMutableRawBufferPointer {
    // What is unread is less than a frame, most often much less than what was consumed: cheaper to move than to read in
    // small pieces.
    if unsafe start > 0 && memory.bytes.count - end < memory.bytes.count / 4 {
      // Sound: both ranges are within the memory, and the call allows that they overlap. Frames are multiples of 8
      // bytes, so this keeps their alignment.
      unsafe memory.bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory.bytes[start..<end]))
      (start, end) = (0, end - start)
    }
    return unsafe UnsafeMutableRawBufferPointer(rebasing: memory.bytes[end...])
  }

  /// Notes that so many bytes were put into the room that was made last.
  mutating func received(_ byteCount: Int) { end = unsafe min(end + byteCount, memory.bytes.count) }

  /// Gives the memory of a burst or a large frame back to the kernel, when nothing is unread.
  func trim() {
    if start == end { memory.discard(from: 1 << 16) }
  }
}
