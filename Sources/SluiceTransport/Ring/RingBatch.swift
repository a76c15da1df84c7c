/// Frames that become visible to the receiver at once: see ``RingTransport/trySend(batch:)``.
public struct RingBatch: ~Copyable {
  private let own: OwnRingMemory
  private let cursor: ProducerCursor
  private let maxBlobSize: Int
  /// How many frames there are.
  public private(set) var count = 0
  /// What they take of the ring.
  private(set) var byteCount = 0
  /// Of the first frame: it is not written, and so hides the others.
  private(set) var firstHeader: UInt64 = 0
  /// The frame that found no room.
  private(set) var lacked: Int?

  init(_ own: OwnRingMemory, _ cursor: ProducerCursor, maxBlobSize: Int) {
    self.own = own
    self.cursor = cursor
    self.maxBlobSize = maxBlobSize
  }

  /// Adds a frame. `wouldBlock` when the ring has no room for it beside those before.
  ///
  /// - Throws: `blobTooLarge`. The frames before stay in the batch.
  public mutating func append(_ blob: RawSpan) throws(TransportError) -> SendOutcome {
    guard blob.byteCount <= maxBlobSize else {
      throw .blobTooLarge(byteCount: blob.byteCount, limit: maxBlobSize)
    }
    let frameByteCount = RingLayout.frameByteCount(blob.byteCount)
    guard cursor.room - byteCount >= frameByteCount else {
      lacked = frameByteCount
      return .wouldBlock
    }
    let offset = cursor.offset(after: byteCount)
    own.write(blob, at: offset)
    if count == 0 {
      firstHeader = RingLayout.header(blob.byteCount)
    } else {
      own.writeHeader(RingLayout.header(blob.byteCount), at: offset)
    }
    count += 1
    byteCount += frameByteCount
    return .sent
  }
}
