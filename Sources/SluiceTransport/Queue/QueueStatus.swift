import SluiceSystem
import Synchronization

/// The words by which the two sides of a queue transport tell each other what a full queue cannot say. Each side makes a
/// sealed page, which it alone can write; the peer maps it read-only.
///
/// | offset | size | word | says |
/// |---|---|---|---|
/// | 0 | 8 | `sendingEnded` | not 0: this side sends nothing after what is in the queue |
/// | 128 | 8 | `receivingEnded` | not 0: this side receives nothing any more |
/// | 256 | 8 | `roomEvent` | generation of the writable descriptor's arming: see ``QueueSender`` |
enum QueueStatusWord: Int, CaseIterable, Sendable {
  case sendingEnded = 0
  case receivingEnded = 128
  case roomEvent = 256
}

/// This side's page. Safe to hold and to use: the words are aligned and within the segment, which lives as long as this.
@safe struct OwnQueueStatus: Sendable {
  let segment: Segment
  private nonisolated(unsafe) let base: UnsafeMutableRawPointer

  static var byteCount: Int { Segment.pageByteCount }

  init(name: String = "sluice.queue.status") throws(SegmentError) {
    segment = try Segment.create(name: name, byteCount: Self.byteCount)
    unsafe base = segment.baseAddress
  }

  func store(_ word: QueueStatusWord, _ value: UInt64) {
    // Sound: see above; an atomic of 64 bits is laid out as the integer, and nobody else writes it.
    unsafe (base + word.rawValue).assumingMemoryBound(to: Atomic<UInt64>.self).pointee
      .store(value, ordering: .sequentiallyConsistent)
  }
}

/// The peer's page, which it may change at any time. Each load is one look; whatever it says is only believed so far that
/// a lie hurts the liar.
@safe struct PeerQueueStatus: Sendable {
  private let segment: BorrowedSegment
  private nonisolated(unsafe) let base: UnsafeRawPointer

  /// - Throws: When the handle is no sealed segment of a page.
  init(_ handle: Handle) throws(SegmentError) {
    segment = try BorrowedSegment(handle, name: "the peer's queue status", byteCount: OwnQueueStatus.byteCount)
    unsafe base = segment.baseAddress
  }

  func load(_ word: QueueStatusWord) -> UInt64 {
    // Sound: as above; the mapping is read-only, and this only loads.
    unsafe (base + word.rawValue).assumingMemoryBound(to: Atomic<UInt64>.self).pointee
      .load(ordering: .sequentiallyConsistent)
  }

  func isSet(_ word: QueueStatusWord) -> Bool { load(word) != 0 }
}
