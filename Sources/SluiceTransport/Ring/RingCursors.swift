/// How the peer has broken the rules of a ring. The values are those it put into the shared memory.
public enum RingViolation: Error, Sendable, Hashable, CustomStringConvertible {
  /// It has published less than was consumed, or more than the ring is large.
  case producerCursor(found: UInt64, consumed: UInt64, capacity: UInt64)
  /// Its consumer cursor is where no frame ends, or moved back, or is ahead of what was sent.
  case consumerCursor(found: UInt64, confirmed: UInt64, sent: UInt64)
  /// A frame is longer than blobs may be.
  case frameLength(found: UInt64, limit: Int)

  /// What was found, and what would have been right.
  public var description: String {
    switch self {
    case .producerCursor(let found, let consumed, let capacity):
      "producer cursor \(found) with \(consumed) consumed and a capacity of \(capacity)"
    case .consumerCursor(let found, let confirmed, let sent):
      "consumer cursor \(found) with \(confirmed) confirmed and \(sent) sent"
    case .frameLength(let found, let limit): "a frame of \(found) bytes with a limit of \(limit)"
    }
  }
}

/// What a producer knows of its ring. A pure value; the arithmetic is modular, and no word of a peer's makes it trap.
package struct ProducerCursor: Sendable {
  /// The ring's size in bytes, a power of two.
  package let capacity: UInt64
  /// How many bytes were published.
  package private(set) var sent: UInt64 = 0
  /// How many of them the peer has given back. At most `capacity` behind `sent`.
  package private(set) var confirmed: UInt64 = 0

  package init(capacity: Int) { self.capacity = UInt64(capacity) }

  /// How many bytes of frames may be written, at ``offset``. Behind them, there is always room for a header that says that
  /// nothing follows.
  package var room: Int { Int(capacity - (sent &- confirmed)) - RingLayout.lineByteCount }
  /// Where they go, from the beginning of the frames.
  package var offset: Int { offset(after: 0) }

  /// Where a frame goes that follows others which were written and not yet published.
  @inline(__always)
  package func offset(after unpublished: Int) -> Int { Int((sent &+ UInt64(unpublished)) & (capacity - 1)) }

  /// Takes note of the peer's consumer cursor.
  @inline(__always)
  package mutating func confirm(_ found: UInt64) throws(RingViolation) {
    guard found % UInt64(RingLayout.lineByteCount) == 0, found &- confirmed <= sent &- confirmed else {
      throw .consumerCursor(found: found, confirmed: confirmed, sent: sent)
    }
    confirmed = found
  }

  /// Books frames that were written; the cursor to publish.
  @inline(__always)
  package mutating func publish(_ byteCount: Int) -> UInt64 {
    sent &+= UInt64(byteCount)
    return sent
  }
}

/// What a consumer knows of its peer's ring. A pure value, as above.
package struct ConsumerCursor: Sendable {
  /// The ring's size in bytes, a power of two.
  package let capacity: UInt64
  /// How many bytes were consumed.
  package private(set) var consumed: UInt64 = 0
  /// How much of what was consumed was given back.
  private var returned: UInt64 = 0

  package init(capacity: Int) { self.capacity = UInt64(capacity) }

  /// Where the next frame stands, from the beginning of the frames.
  package var offset: Int { offset(of: consumed) }

  /// Where the frame stands that follows when so much was consumed.
  @inline(__always)
  package func offset(of consumed: UInt64) -> Int { Int(consumed & (capacity - 1)) }

  /// Checks the header of the next frame, which is not 0. A frame of at most `limit` bytes lies within the mapping, whatever
  /// its offset.
  @inline(__always)
  package func blobByteCount(_ header: UInt64, limit: Int) throws(RingViolation) -> Int {
    let byteCount = header &- RingLayout.header(0)
    guard byteCount <= UInt64(limit) else { throw .frameLength(found: byteCount, limit: limit) }
    return Int(byteCount)
  }

  /// Books a frame that was consumed.
  @inline(__always)
  package mutating func consume(_ frameByteCount: Int) { consumed &+= UInt64(frameByteCount) }

  /// Whether it is time to give back: once an eighth of the ring was consumed, for so often, the other side's cache line is
  /// disturbed.
  ///
  /// No producer waits for ever: one that lacks room for a frame (of less than half the ring) knows more than half of the
  /// ring as not given back. At most an eighth of that was consumed already, so consuming the rest gives it back.
  @inline(__always)
  package var isDue: Bool { consumed &- returned >= capacity / 8 }

  /// Gives back what was consumed, after a look at the peer's producer cursor: the cursor to publish.
  ///
  /// Headers say what there is to consume, so this is the only use of that cursor: a ring in which old frames stand in a
  /// circle would feed its consumer for ever, also when nobody writes to it any more.
  package mutating func giveBack(published found: UInt64) throws(RingViolation) -> UInt64 {
    guard found &- consumed <= capacity else {
      throw .producerCursor(found: found, consumed: consumed, capacity: capacity)
    }
    returned = consumed
    return consumed
  }
}
