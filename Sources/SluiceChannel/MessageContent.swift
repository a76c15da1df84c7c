import CapnProto
import SluiceMemory
import SluiceSystem
import Synchronization

/// A message that was lent to this process: its bytes in borrowed segments, its lease, and the handles that came with it.
/// Or one that came whole, in its frame: then its bytes are this process's own.
///
/// The lease goes back when the last reference goes. Nobody else returns it.
@usableFromInline @safe final class MessageContent: LentMemory {
  @usableFromInline let segments: MessageSegments
  /// Written by `deinit` only, when nobody reads it any more.
  private nonisolated(unsafe) var parts: BorrowedParts
  private let loan: (borrower: Borrower, lease: Lease)?
  /// Nil for none.
  private let handlesLeft: Mutex<[Handle]?>

  /// Takes over a checked lease of `parts`.
  init(
    parts: consuming BorrowedParts, lease: Lease, borrower: Borrower, handles: [Handle]?
  ) throws(CapnProtoError) {
    // Sound: `borrower`, which this object keeps, keeps the mappings.
    let limits = ReadLimits.inPlace(byteCount: parts.byteCount)
    segments = unsafe try withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: parts.count) {
      places throws(CapnProtoError) in
      unsafe parts.forEachBytes { index, bytes in unsafe places.initializeElement(at: index, to: bytes) }
      return unsafe try MessageSegments(UnsafeBufferPointer(places), limits: limits)
    }
    unsafe self.parts = parts
    loan = (borrower, lease)
    handlesLeft = Mutex(handles)
  }

  /// Copies the content that stands in a frame: whole words.
  init(inline content: RawSpan, handles: [Handle]?) throws(CapnProtoError) {
    segments = try MessageSegments(copying: content, limits: .inPlace(byteCount: content.byteCount))
    unsafe parts = BorrowedParts()
    loan = nil
    handlesLeft = Mutex(handles)
  }

  deinit {
    // Before the lease goes back: its owner may then give up the segments, which nobody is to hold any more.
    unsafe parts = BorrowedParts()
    if let loan { loan.borrower.giveBack(loan.lease) }
  }

  /// The message's segments, for who sends it on; none, if it came in its frame.
  var lentParts: [BorrowedBytes] { unsafe parts.all }
  /// What came in the frame, for who sends it on. Valid as long as this object lives.
  @unsafe var inlineBytes: UnsafeRawBufferPointer? { unsafe loan == nil ? segments.firstSegment : nil }
  /// The size of the message's segments. This end may lend it, too.
  @usableFromInline var lentByteCount: Int { byteCount }

  /// Where the message's segments stand; nowhere, if it came in its frame.
  var placements: [SegmentPlacement] {
    lentParts.map { part in
      SegmentPlacement(
        segmentName: part.segment.name, inode: part.segment.inode, offset: part.offset,
        byteCount: unsafe part.bytes.count)
    }
  }

  /// Says that others are about to read it where it stands.
  func showToOthers() { loan.map { $0.borrower.show($0.lease) } }

  /// How long it is.
  var byteCount: Int { unsafe loan == nil ? segments.firstSegment.count : parts.byteCount }

  /// The handles that nobody took yet; whoever calls this owns them.
  func takeHandles() -> [Handle] {
    handlesLeft.withLock { $0.take() } ?? []
  }
}
