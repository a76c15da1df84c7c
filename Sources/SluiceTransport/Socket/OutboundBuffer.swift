/// What a partial write left of one frame, to be sent before anything else. A value; one frame at most.
struct OutboundBuffer: ~Copyable {
  private var bytes: [UInt8] = []
  private var sentByteCount = 0
  /// A larger frame's memory is not kept for the next one.
  private static let keptCapacity = 1 << 16

  /// Whether nothing is left.
  var isEmpty: Bool { sentByteCount == bytes.count }

  /// The bytes to send next.
  var unsent: RawSpan {
    @_lifetime(borrow self)
    get { unsafe bytes.span.bytes.extracting(droppingFirst: sentByteCount) }
  }

  /// Keeps `part` without its first `skipped` bytes, behind what is there.
  ///
  /// - Returns: How many bytes are still to be skipped, in the next part.
  mutating func keep(_ part: RawSpan, skipping skipped: Int) -> Int {
    guard skipped < part.byteCount else { return skipped - part.byteCount }
    // Sound: the span outlives the closure, which only reads.
    unsafe part.extracting(droppingFirst: skipped).withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    return 0
  }

  /// Drops bytes that were sent from the front.
  mutating func sent(_ byteCount: Int) {
    sentByteCount += byteCount
    if isEmpty { removeAll() }
  }

  /// Drops everything.
  mutating func removeAll() {
    bytes.removeAll(keepingCapacity: bytes.capacity <= OutboundBuffer.keptCapacity)
    sentByteCount = 0
  }
}
