import SluiceSystem
import Synchronization

/// What a borrower maps of one owner, and its way to return what it borrowed. Thread-safe.
///
/// A message keeps its borrower, and so its mapping and its way to return, also after the session has ended.
public final class Borrower: Sendable {
  /// Most segments that are mapped for one owner.
  public static let segmentCountLimit = 4096

  private let returnTable: ReturnTable
  private let segments = Mutex<[BorrowedSegment]>([])
  private let leases: Mutex<Leases>

  private struct Leases {
    /// Slots of what is held, a bit each.
    var held: [UInt64]
    var hasEnded = false

    mutating func hold(_ slot: UInt32) { held[Int(slot / 64)] |= 1 << (slot % 64) }
    mutating func drop(_ slot: UInt32) { held[Int(slot / 64)] &= ~(1 << (slot % 64)) }

    var heldSlots: [UInt32] {
      held.indices.flatMap { index in
        (0..<UInt32(64)).filter { held[index] & 1 << $0 != 0 }.map { UInt32(index) * 64 + $0 }
      }
    }
  }

  /// A borrower that returns leases in `returnTable`.
  public init(returnTable: ReturnTable) {
    self.returnTable = returnTable
    leases = Mutex(Leases(held: Array(repeating: 0, count: returnTable.layout.capacity / 64 + 1)))
  }

  /// Books an announced segment; ids count up from 0.
  public func add(_ segment: BorrowedSegment, id: UInt32) throws(BorrowError) {
    try segments.withLock { segments throws(BorrowError) in
      guard segments.count < Self.segmentCountLimit else { throw .tooManySegments(limit: Self.segmentCountLimit) }
      guard Int(id) == segments.count else { throw .segmentOutOfOrder(id: id, expected: segments.count) }
      segments.append(segment)
    }
  }

  /// A checked run of bytes in an announced segment; nil while no segment of that id was announced.
  ///
  /// - Throws: ``BorrowError/outOfBounds(id:offset:byteCount:segmentByteCount:)``; for an id that can never be announced,
  ///   ``BorrowError/noSuchSegment(_:)``.
  public func bytes(in id: UInt32, offset: UInt64, byteCount: UInt64) throws(BorrowError) -> BorrowedBytes? {
    let segment = segments.withLock { Int(id) < $0.count ? $0[Int(id)] : nil }
    guard let segment else {
      guard id < Self.segmentCountLimit else { throw .noSuchSegment(id) }
      return nil
    }
    let (end, overflow) = offset.addingReportingOverflow(byteCount)
    guard !overflow, end <= UInt64(segment.byteCount) else {
      throw .outOfBounds(id: id, offset: offset, byteCount: byteCount, segmentByteCount: segment.byteCount)
    }
    // Sound: the run lies in the mapping, as just checked, and the segment keeps the mapping.
    let start = unsafe segment.baseAddress + Int(offset)
    return unsafe BorrowedBytes(
      segment: segment, offset: Int(offset), bytes: UnsafeRawBufferPointer(start: start, count: Int(byteCount)))
  }

  /// Takes a lease, to be given back; false when this borrower has ended and takes nothing more.
  ///
  /// - Throws: ``BorrowError/noSuchSlot(_:capacity:)``.
  public func take(_ lease: Lease) throws(BorrowError) -> Bool {
    guard returnTable.covers(lease) else {
      throw .noSuchSlot(lease.slot, capacity: returnTable.layout.capacity)
    }
    return leases.withLock { leases in
      if !leases.hasEnded { leases.hold(lease.slot) }
      return !leases.hasEnded
    }
  }

  /// Returns a lease. No system call; idempotent.
  public func giveBack(_ lease: Lease) {
    // First: what is not held any more must not be declared as held after its return.
    if returnTable.covers(lease) { leases.withLock { $0.drop(lease.slot) } }
    returnTable.returnLease(lease)
  }

  /// Takes nothing more, and tells the owner what is still held. What was lent and not taken is the owner's again.
  public func end() {
    leases.withLock { leases in
      guard !leases.hasEnded else { return }
      leases.hasEnded = true
      returnTable.end(holding: leases.heldSlots)
    }
  }
}

/// A run of bytes in a borrowed segment.
@safe public struct BorrowedBytes: Sendable {
  /// The segment; it keeps the mapping.
  public let segment: BorrowedSegment
  /// Where the run begins in the segment, in bytes.
  public let offset: Int
  /// The run; valid as long as the segment is kept. Its content may change under the reader.
  @unsafe public nonisolated(unsafe) let bytes: UnsafeRawBufferPointer
}

/// What an owner announced or lent that cannot be.
public enum BorrowError: Error, Sendable, Hashable {
  /// More segments than ``Borrower/segmentCountLimit``.
  case tooManySegments(limit: Int)
  /// Segment ids must count up.
  case segmentOutOfOrder(id: UInt32, expected: Int)
  /// A segment id beyond all that may be announced.
  case noSuchSegment(UInt32)
  /// A run of bytes that leaves its segment.
  case outOfBounds(id: UInt32, offset: UInt64, byteCount: UInt64, segmentByteCount: Int)
  /// A lease that has no slot in the return table.
  case noSuchSlot(UInt32, capacity: Int)
}
