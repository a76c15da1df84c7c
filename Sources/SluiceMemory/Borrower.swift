import SluiceSystem
import Synchronization

/// What a borrower maps of one owner, and its way to return what it borrowed. Thread-safe.
///
/// A message keeps its borrower, and so its way to return, also after the session has ended; and the segments in which it
/// stands, and so their mapping.
public final class Borrower: Sendable {
  /// Most segments that are mapped for one owner at once.
  public static let segmentCountLimit = 4096
  /// How far the segment ids in messages may be ahead of what was announced on the control socket.
  static let announcementLead: UInt64 = 65_536

  private struct Announced {
    let id: UInt32
    let segment: BorrowedSegment
  }

  private struct Announcements {
    /// In the order of their ids.
    var entries: [Announced] = []
    var nextID: UInt64 = 0

    mutating func take(_ id: UInt32) throws(BorrowError) {
      guard UInt64(id) == nextID else { throw .segmentOutOfOrder(id: id, expected: Int(clamping: nextID)) }
      nextID += 1
    }

    func index(of id: UInt32) -> Int? {
      let place = partitionPoint(entries.count) { entries[$0].id < id }
      return place < entries.count && entries[place].id == id ? place : nil
    }

    @inline(__always)
    func bytes(in id: UInt32, offset: UInt64, byteCount: UInt64) throws(BorrowError) -> BorrowedBytes? {
      guard let index = index(of: id) else {
        guard UInt64(id) >= nextID else { throw .retired(id) }
        guard UInt64(id) < nextID + announcementLead else { throw .noSuchSegment(id) }
        return nil
      }
      let segment = entries[index].segment
      let (end, overflow) = offset.addingReportingOverflow(byteCount)
      guard !overflow, end <= UInt64(segment.byteCount) else {
        throw .outOfBounds(id: id, offset: offset, byteCount: byteCount, segmentByteCount: segment.byteCount)
      }
      // Sound: the run lies in the mapping, as just checked, and the segment keeps the mapping.
      let start = unsafe segment.baseAddress + Int(offset)
      return unsafe BorrowedBytes(
        segment: segment, offset: Int(offset), bytes: UnsafeRawBufferPointer(start: start, count: Int(byteCount)))
    }
  }

  /// A function in a struct: bare in a mutex, it would be wrapped once more at each access.
  private struct Ringer {
    var ring: (@Sendable () -> Void)?
  }

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

  private struct State {
    var announcements = Announcements()
    var leases: Leases
  }

  private let returnTable: ReturnTable
  private let state: Mutex<State>
  /// Where the owner's flag stands that asks for a ring: its own return table.
  private let flag: ReturnTableView?
  /// The flag's value when this end rang last. The owner changes it for each ring that it wants.
  private let answered = Atomic<UInt32>(0)
  private let ringer = Mutex(Ringer())

  /// A borrower that returns leases in `returnTable`.
  ///
  /// - Parameter owner: The owner's own return table, whose flag says that it waits for a return. Without, nobody rings.
  public init(returnTable: ReturnTable, owner: ReturnTableView? = nil) {
    self.returnTable = returnTable
    flag = owner
    state = Mutex(State(leases: Leases(held: Array(repeating: 0, count: returnTable.layout.capacity / 64 + 1))))
  }

  /// Says how to ring for an owner that waits for a return. Called on any thread that releases a message, at most once for
  /// each return; it must not block.
  public func onRing(_ ring: @escaping @Sendable () -> Void) {
    ringer.withLock { $0.ring = ring }
  }

  // MARK: Segments

  /// Books an announced segment; ids count up from 0.
  public func add(_ segment: BorrowedSegment, id: UInt32) throws(BorrowError) {
    try state.withLock { state throws(BorrowError) in
      guard state.announcements.entries.count < Self.segmentCountLimit else {
        throw .tooManySegments(limit: Self.segmentCountLimit)
      }
      try state.announcements.take(id)
      state.announcements.entries.append(Announced(id: id, segment: segment))
    }
  }

  /// Books the id of a segment that this end does not map: nothing may be lent in it.
  public func skip(_ id: UInt32) throws(BorrowError) {
    try state.withLock { state throws(BorrowError) in try state.announcements.take(id) }
  }

  /// Forgets a segment that its owner gives up. It is unmapped, unless somebody else maps it too.
  ///
  /// - Returns: Which segment it was.
  /// - Throws: ``BorrowError/noSuchSegment(_:)`` for one that was never announced, ``BorrowError/retired(_:)`` for the
  ///   second time, and ``BorrowError/segmentInUse(_:)`` when a message that stands in it is held: the owner lies. The
  ///   message keeps the mapping in any case.
  @discardableResult public func retire(_ id: UInt32) throws(BorrowError) -> SegmentIdentity {
    // Unmapped without the lock.
    var segment = try state.withLock { state throws(BorrowError) in
      guard let index = state.announcements.index(of: id) else {
        throw UInt64(id) < state.announcements.nextID ? .retired(id) : .noSuchSegment(id)
      }
      return state.announcements.entries.remove(at: index).segment
    }
    // Who holds a lease keeps the segment, and lets go of it before the lease goes back.
    guard isKnownUniquelyReferenced(&segment) else { throw .segmentInUse(id) }
    return segment.identity
  }

  /// A checked run of bytes in an announced segment; nil while no segment of that id was announced.
  ///
  /// - Throws: ``BorrowError/outOfBounds(id:offset:byteCount:segmentByteCount:)``; for an id that can never be announced,
  ///   ``BorrowError/noSuchSegment(_:)``; for one that was given up, ``BorrowError/retired(_:)``.
  public func bytes(in id: UInt32, offset: UInt64, byteCount: UInt64) throws(BorrowError) -> BorrowedBytes? {
    try state.withLock { state throws(BorrowError) in
      try state.announcements.bytes(in: id, offset: offset, byteCount: byteCount)
    }
  }

  // MARK: Leases

  /// What became of an attempt to borrow.
  public enum Borrowing: Sendable {
    /// The lease was taken, to be given back.
    case taken
    /// A segment was not announced yet.
    case unannounced
    /// This borrower has ended and takes nothing more.
    case ended
  }

  /// Takes a lease of the parts whose places `part` gives, and has `found` told of each. A part that was found before
  /// another one fails is of no use.
  ///
  /// - Throws: As ``bytes(in:offset:byteCount:)`` and ``take(_:)`` do.
  public func borrow(
    _ lease: Lease, partCount: Int, part: (Int) -> (segmentID: UInt32, offset: UInt64, byteCount: UInt64),
    found: (consuming BorrowedBytes) -> Void
  ) throws(BorrowError) -> Borrowing {
    let capacity = returnTable.layout.capacity
    return try state.withLock { state throws(BorrowError) in
      for index in 0..<partCount {
        let (id, offset, byteCount) = part(index)
        guard let bytes = try state.announcements.bytes(in: id, offset: offset, byteCount: byteCount) else {
          return .unannounced
        }
        found(bytes)
      }
      guard returnTable.covers(lease) else { throw .noSuchSlot(lease.slot, capacity: capacity) }
      guard !state.leases.hasEnded else { return .ended }
      state.leases.hold(lease.slot)
      return .taken
    }
  }

  /// Takes a lease, to be given back; false when this borrower has ended and takes nothing more.
  ///
  /// - Throws: ``BorrowError/noSuchSlot(_:capacity:)``.
  public func take(_ lease: Lease) throws(BorrowError) -> Bool {
    guard returnTable.covers(lease) else {
      throw .noSuchSlot(lease.slot, capacity: returnTable.layout.capacity)
    }
    return state.withLock { state in
      if !state.leases.hasEnded { state.leases.hold(lease.slot) }
      return !state.leases.hasEnded
    }
  }

  /// Returns a lease. Let go of the ``BorrowedBytes`` first. No system call, unless the owner waits; idempotent.
  public func giveBack(_ lease: Lease) {
    // First: what is not held any more must not be declared as held after its return.
    if returnTable.covers(lease) { state.withLock { $0.leases.drop(lease.slot) } }
    returnTable.returnLease(lease)
    // After the return, in one order for all: an owner that sets the flag and then finds nothing returned is rung for.
    guard let wanted = flag?.ringWanted, wanted != answered.load(ordering: .relaxed) else { return }
    answer(wanted)
  }

  private func answer(_ wanted: UInt32) {
    guard answered.exchange(wanted, ordering: .relaxed) != wanted else { return }
    ringer.withLock { $0.ring }?()
  }

  /// Says that the message of a lease is about to be read by others in the owner's memory, so that it stays when this
  /// process dies. Before they can learn of it.
  public func show(_ lease: Lease) { returnTable.show(lease) }

  /// Counts a view of the owner's memory by way of somebody else, until it is released; nil when this borrower has ended. Its
  /// owner can tell then whether anybody reads what a borrower has shown that died.
  public func viewOfOthers() -> BorrowedView? {
    state.withLock { $0.leases.hasEnded ? nil : BorrowedView(returnTable) }
  }

  /// Takes nothing more, tells the owner what is still held, and unmaps what no held message stands in. What was lent and
  /// not taken is the owner's again.
  public func end() {
    let unmapped = state.withLock { state in
      defer { state.announcements.entries = [] }
      if !state.leases.hasEnded {
        state.leases.hasEnded = true
        returnTable.end(holding: state.leases.heldSlots)
      }
      return state.announcements.entries
    }
    ringer.withLock { $0.ring = nil }
    withExtendedLifetime(unmapped) {}
  }
}

/// Reading what others have sent on, in the memory of their owner; counted until it is released.
public final class BorrowedView: Sendable {
  private let returnTable: ReturnTable

  fileprivate init(_ returnTable: ReturnTable) {
    self.returnTable = returnTable
    returnTable.countView(true)
  }

  deinit { returnTable.countView(false) }
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
public enum BorrowError: Error, Sendable, Hashable, CustomStringConvertible {
  /// More segments than ``Borrower/segmentCountLimit``.
  case tooManySegments(limit: Int)
  /// Segment ids must count up.
  case segmentOutOfOrder(id: UInt32, expected: Int)
  /// A segment id beyond all that may be announced.
  case noSuchSegment(UInt32)
  /// A segment that its owner has given up.
  case retired(UInt32)
  /// A segment that its owner gives up while a message in it is lent.
  case segmentInUse(UInt32)
  /// A run of bytes that leaves its segment.
  case outOfBounds(id: UInt32, offset: UInt64, byteCount: UInt64, segmentByteCount: Int)
  /// A lease that has no slot in the return table.
  case noSuchSlot(UInt32, capacity: Int)

  /// What the owner did, with the limit that it broke.
  public var description: String {
    switch self {
    case .tooManySegments(let limit): "more than \(limit) segments"
    case .segmentOutOfOrder(let id, let expected): "segment \(id) where segment \(expected) is due"
    case .noSuchSegment(let id): "there can be no segment \(id)"
    case .retired(let id): "segment \(id) was given up before"
    case .segmentInUse(let id): "segment \(id) is given up while a message in it is lent"
    case .outOfBounds(let id, let offset, let byteCount, let limit):
      "\(byteCount) bytes at \(offset) leave segment \(id), which has \(limit)"
    case .noSuchSlot(let slot, let capacity): "lease \(slot) has no slot: there are \(capacity)"
    }
  }
}
