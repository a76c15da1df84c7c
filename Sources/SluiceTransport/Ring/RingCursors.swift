/// How the peer has broken the rules of a ring. The values are those it put into the shared memory.
public enum RingViolation: Error, Sendable, Hashable, CustomStringConvertible {
  /// Its producer cursor is no multiple of 8, or moved back, or is further ahead than the ring is large.
  case producerCursor(found: UInt64, consumed: UInt64, capacity: UInt64)
  /// Its consumer cursor is no multiple of 8, or moved back, or is ahead of what was sent.
  case consumerCursor(found: UInt64, confirmed: UInt64, sent: UInt64)
  /// A frame is longer than blobs may be, or than what was published.
  case frameLength(found: UInt64, published: UInt64, limit: Int)

  /// What was found, and what would have been right.
  public var description: String {
    switch self {
    case .producerCursor(let found, let consumed, let capacity):
      "producer cursor \(found) with \(consumed) consumed and a capacity of \(capacity)"
    case .consumerCursor(let found, let confirmed, let sent):
      "consumer cursor \(found) with \(confirmed) confirmed and \(sent) sent"
    case .frameLength(let found, let published, let limit):
      "a frame of \(found) bytes with \(published) published and a limit of \(limit)"
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

  /// How many bytes may be written, at ``offset``.
  package var room: Int { Int(capacity - (sent &- confirmed)) }
  /// Where they go, from the beginning of the frames.
  package var offset: Int { Int(sent & (capacity - 1)) }

  /// Takes note of the peer's consumer cursor.
  @inline(__always)
  package mutating func confirm(_ found: UInt64) throws(RingViolation) {
    guard found % 8 == 0, found &- confirmed <= sent &- confirmed else {
      throw .consumerCursor(found: found, confirmed: confirmed, sent: sent)
    }
    confirmed = found
  }

  /// Books a frame that was written; the cursor to publish.
  @inline(__always)
  package mutating func publish(_ frameByteCount: Int) -> UInt64 {
    sent &+= UInt64(frameByteCount)
    return sent
  }
}

/// What a consumer knows of its peer's ring. A pure value, as above.
package struct ConsumerCursor: Sendable {
  /// The ring's size in bytes, a power of two.
  package let capacity: UInt64
  /// How many bytes were consumed.
  package private(set) var consumed: UInt64 = 0
  /// How many bytes the peer has published, as far as it is known. At most `capacity` ahead of `consumed`.
  package private(set) var published: UInt64 = 0
  /// How much of what was consumed was given back.
  private var returned: UInt64 = 0

  package init(capacity: Int) { self.capacity = UInt64(capacity) }

  /// Whether all that is known to be published was consumed.
  package var isEmpty: Bool { consumed == published }
  /// Where the next frame stands, from the beginning of the frames.
  package var offset: Int { Int(consumed & (capacity - 1)) }

  /// Takes note of the peer's producer cursor.
  @inline(__always)
  package mutating func note(_ found: UInt64) throws(RingViolation) {
    let distance = found &- consumed
    guard found % 8 == 0, distance <= capacity, distance >= published &- consumed else {
      throw .producerCursor(found: found, consumed: consumed, capacity: capacity)
    }
    published = found
  }

  /// Checks the length that stands in front of the next frame. There is at least that: cursors are multiples of 8.
  @inline(__always)
  package func blobByteCount(_ header: UInt64, limit: Int) throws(RingViolation) -> Int {
    let available = published &- consumed
    guard header <= UInt64(limit), UInt64(RingLayout.frameByteCount(Int(header))) <= available else {
      throw .frameLength(found: header, published: available, limit: limit)
    }
    return Int(header)
  }

  /// Books a frame that was consumed.
  @inline(__always)
  package mutating func consume(_ frameByteCount: Int) { consumed &+= UInt64(frameByteCount) }

  /// The cursor to publish, once an eighth of the ring was consumed: so often, the other side's cache line is disturbed.
  ///
  /// No producer waits for ever: one that lacks room for a frame (of at most half the ring) knows more than half of the
  /// ring as not given back. At most an eighth of that was consumed already, so consuming the rest gives it back.
  @inline(__always)
  package mutating func giveBack() -> UInt64? {
    guard consumed &- returned >= capacity / 8 else { return nil }
    returned = consumed
    return consumed
  }
}
