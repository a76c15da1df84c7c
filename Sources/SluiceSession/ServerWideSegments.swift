import SluiceMemory
import SluiceSystem
import Synchronization

/// The server-wide segments that this process has mapped, in whichever session: what it may read, wherever it hears of it.
///
/// Holds nothing: segments and sessions come and go by themselves.
final class ServerWideSegments: Sendable {
  /// Those of this process.
  static let shared = ServerWideSegments()

  /// A segment, and by which borrower its owner learns who reads it. The borrower keeps this with the segment, until it
  /// ends or the segment is given up.
  ///
  /// Referenced weakly in their stead: counting the references to such an object is slow.
  final class Anchor: Sendable {
    let segment: BorrowedSegment
    let borrower: Borrower

    init(_ segment: BorrowedSegment, _ borrower: Borrower) {
      self.segment = segment
      self.borrower = borrower
    }
  }

  private struct Known {
    weak var anchor: Anchor?
    /// Sessions whose other end was asked whether it has the segment too.
    var sharers: [WeakCore] = []
  }

  private struct WeakCore {
    weak var core: SessionCore?
  }

  private let known = Mutex<[SegmentIdentity: Known]>([:])

  /// A segment was announced as server-wide. It is known as long as the returned object is kept.
  func add(_ segment: BorrowedSegment, borrower: Borrower) -> Anchor {
    let anchor = Anchor(segment, borrower)
    known.withLock { known in
      known = known.filter { $0.value.anchor != nil }
      if known[segment.identity]?.anchor == nil { known[segment.identity] = Known(anchor: anchor) }
    }
    return anchor
  }

  /// The segment, if this process has it mapped.
  func find(_ identity: SegmentIdentity) -> BorrowedSegment? {
    known.withLock { $0[identity]?.anchor?.segment }
  }

  /// The segment as somebody else than its owner shows it, if this process has it mapped; its owner can tell that it is.
  func view(_ identity: SegmentIdentity, byteCount: UInt64) -> BorrowedSegment? {
    guard let anchor = known.withLock({ $0[identity]?.anchor }), UInt64(anchor.segment.byteCount) == byteCount,
      let view = anchor.borrower.viewOfOthers()
    else { return nil }
    return BorrowedSegment(sharing: anchor.segment, keeping: view)
  }

  /// Notes that the other end of `core` knows of the segment. False when it is not server-wide, or not mapped any more.
  func share(_ identity: SegmentIdentity, by core: SessionCore) -> Bool {
    known.withLock { known in
      guard known[identity]?.anchor != nil else { return false }
      known[identity]?.sharers.removeAll { $0.core == nil }
      known[identity]?.sharers.append(WeakCore(core: core))
      return true
    }
  }

  /// Forgets a segment that its owner gave up; who shares it.
  func remove(_ identity: SegmentIdentity) -> [SessionCore] {
    known.withLock { $0.removeValue(forKey: identity)?.sharers.compactMap(\.core) ?? [] }
  }
}
