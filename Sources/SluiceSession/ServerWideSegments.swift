import SluiceMemory
import SluiceSystem
import Synchronization

/// The server-wide segments that this process has mapped, in whichever session: what it may read, wherever it hears of it.
///
/// Holds nothing: segments and sessions come and go by themselves.
final class ServerWideSegments: Sendable {
  /// Those of this process.
  static let shared = ServerWideSegments()

  private struct Known {
    weak var segment: BorrowedSegment?
    /// By which its owner learns who reads it.
    weak var borrower: Borrower?
    /// Sessions whose other end was asked whether it has the segment too.
    var sharers: [WeakCore] = []
  }

  private struct WeakCore {
    weak var core: SessionCore?
  }

  private let known = Mutex<[SegmentIdentity: Known]>([:])

  /// A segment was announced as server-wide.
  func add(_ segment: BorrowedSegment, borrower: Borrower) {
    known.withLock { known in
      known = known.filter { $0.value.segment != nil }
      if known[segment.identity]?.segment == nil {
        known[segment.identity] = Known(segment: segment, borrower: borrower)
      }
    }
  }

  /// The segment, if this process has it mapped.
  func find(_ identity: SegmentIdentity) -> BorrowedSegment? {
    known.withLock { $0[identity]?.segment }
  }

  /// The segment as somebody else than its owner shows it, if this process has it mapped; its owner can tell that it is.
  func view(_ identity: SegmentIdentity, byteCount: UInt64) -> BorrowedSegment? {
    let found = known.withLock { known -> (BorrowedSegment, Borrower)? in
      guard let entry = known[identity], let segment = entry.segment, let borrower = entry.borrower else { return nil }
      return (segment, borrower)
    }
    guard let (segment, borrower) = found, UInt64(segment.byteCount) == byteCount, let view = borrower.viewOfOthers()
    else { return nil }
    return BorrowedSegment(sharing: segment, keeping: view)
  }

  /// Notes that the other end of `core` knows of the segment. False when it is not server-wide, or not mapped any more.
  func share(_ identity: SegmentIdentity, by core: SessionCore) -> Bool {
    known.withLock { known in
      guard known[identity]?.segment != nil else { return false }
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
