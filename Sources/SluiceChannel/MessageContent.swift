import CapnProto
import SluiceMemory
import SluiceSystem
import Synchronization

/// A message that was lent to this process: its bytes in borrowed segments, its lease, and the handles that came with it.
///
/// The lease goes back when the last reference goes. Nobody else returns it.
final class MessageContent: Sendable {
  let segments: MessageSegments
  /// Written by `deinit` only, when nobody reads it any more.
  private nonisolated(unsafe) var parts: SmallList<BorrowedBytes>
  private let borrower: Borrower
  private let lease: Lease
  private let handlesLeft: Mutex<[Handle]>

  /// Takes over a checked lease of `parts`.
  init(
    parts: SmallList<BorrowedBytes>, lease: Lease, borrower: Borrower, handles: [Handle]
  ) throws(CapnProtoError) {
    let byteCount = parts.reduce(0) { unsafe $0 + $1.bytes.count }
    // Sound: `borrower`, which this object keeps, keeps the mappings.
    let limits = ReadLimits.inPlace(byteCount: byteCount)
    segments =
      parts.count == 1
      ? unsafe try MessageSegments(sole: parts[0].bytes, limits: limits)
      : unsafe try MessageSegments(parts.map { unsafe $0.bytes }, limits: limits)
    unsafe self.parts = parts
    self.borrower = borrower
    self.lease = lease
    handlesLeft = Mutex(handles)
  }

  deinit {
    // Before the lease goes back: its owner may then give up the segments, which nobody is to hold any more.
    unsafe parts = []
    borrower.giveBack(lease)
  }

  /// Where the message's segments stand.
  var placements: [SegmentPlacement] {
    unsafe parts.map { part in
      SegmentPlacement(
        segmentName: part.segment.name, inode: part.segment.inode, offset: part.offset,
        byteCount: unsafe part.bytes.count)
    }
  }

  /// The handles that nobody took yet; whoever calls this owns them.
  func takeHandles() -> [Handle] {
    handlesLeft.withLock { handles in
      defer { handles = [] }
      return handles
    }
  }
}
