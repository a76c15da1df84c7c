import CapnProto
import SluiceMemory
import SluiceSystem
import Synchronization

/// A message that was lent to this process: its bytes in borrowed segments, its lease, and the handles that came with it.
/// Or one that came whole, in its frame: then its bytes are this process's own.
///
/// The lease goes back when the last reference goes. Nobody else returns it.
@safe final class MessageContent: LentMemory {
  let segments: MessageSegments
  /// Written by `deinit` only, when nobody reads it any more.
  private nonisolated(unsafe) var parts: SmallList<BorrowedBytes>
  private let loan: (borrower: Borrower, lease: Lease)?
  /// What came in the frame. Sound: constant until `deinit`, and then read by nobody.
  private nonisolated(unsafe) let own: UnsafeMutableRawBufferPointer?
  /// Nil for none.
  private let handlesLeft: Mutex<[Handle]?>

  /// Takes over a checked lease of `parts`.
  init(
    parts: SmallList<BorrowedBytes>, lease: Lease, borrower: Borrower, handles: [Handle]?
  ) throws(CapnProtoError) {
    let byteCount = Self.byteCount(of: parts)
    // Sound: `borrower`, which this object keeps, keeps the mappings.
    let limits = ReadLimits.inPlace(byteCount: byteCount)
    segments = unsafe try withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: parts.count) {
      places throws(CapnProtoError) in
      for index in 0..<parts.count { unsafe places.initializeElement(at: index, to: parts[index].bytes) }
      return unsafe try MessageSegments(UnsafeBufferPointer(places), limits: limits)
    }
    unsafe self.parts = parts
    loan = (borrower, lease)
    unsafe own = nil
    handlesLeft = Mutex(handles)
  }

  /// Copies the content that stands in a frame: whole words.
  init(inline content: RawSpan, handles: [Handle]?) throws(CapnProtoError) {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: content.byteCount, alignment: 8)
    // Sound: the memory is as long as the content.
    unsafe content.withUnsafeBytes { unsafe memory.copyMemory(from: $0) }
    do {
      segments = unsafe try MessageSegments(
        sole: UnsafeRawBufferPointer(memory), limits: .inPlace(byteCount: content.byteCount))
    } catch {
      unsafe memory.deallocate()
      throw error
    }
    unsafe parts = SmallList()
    loan = nil
    unsafe own = memory
    handlesLeft = Mutex(handles)
  }

  deinit {
    // Before the lease goes back: its owner may then give up the segments, which nobody is to hold any more.
    unsafe parts = SmallList()
    if let loan { loan.borrower.giveBack(loan.lease) }
    unsafe own?.deallocate()
  }

  /// The message's segments, for who sends it on; none, if it came in its frame.
  var lentParts: SmallList<BorrowedBytes> { unsafe parts }
  /// What came in the frame, for who sends it on. Valid as long as this object lives.
  @unsafe var inlineBytes: UnsafeRawBufferPointer? { unsafe own.map { UnsafeRawBufferPointer($0) } }
  /// The size of the message's segments. This end may lend it, too.
  var lentByteCount: Int { byteCount }

  /// Where the message's segments stand; nowhere, if it came in its frame.
  var placements: [SegmentPlacement] {
    unsafe parts.map { part in
      SegmentPlacement(
        segmentName: part.segment.name, inode: part.segment.inode, offset: part.offset,
        byteCount: unsafe part.bytes.count)
    }
  }

  /// Says that others are about to read it where it stands.
  func showToOthers() { loan.map { $0.borrower.show($0.lease) } }

  /// How long it is.
  var byteCount: Int { unsafe own?.count ?? Self.byteCount(of: parts) }

  private static func byteCount(of parts: SmallList<BorrowedBytes>) -> Int {
    var count = 0
    for index in 0..<parts.count { count += unsafe parts[index].bytes.count }
    return count
  }

  /// The handles that nobody took yet; whoever calls this owns them.
  func takeHandles() -> [Handle] {
    handlesLeft.withLock { $0.take() } ?? []
  }
}
