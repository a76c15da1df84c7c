import SluiceSystem
import Synchronization

/// The owner's books about one borrower: which segments were announced to it, and what it holds on lease.
///
/// A loan is kept, and with it the memory it stands for, until its lease came back. Thread-safe; all in private memory. In
/// steady state nothing is allocated.
public final class Lender: Sendable {
  /// What stands for the memory of a loan: released when the loan ends.
  public typealias Loan = any LentMemory

  /// A loan, and since when it is one.
  private struct Dated {
    let loan: Loan
    let nanoseconds: UInt64
    /// Whether the memory is on lease here itself.
    let isBorrowed: Bool
  }

  private struct Books: ~Copyable {
    var leases: LeaseTable<Dated>
    var announced = AnnouncedSegments()
    var nextID: UInt64 = 0
    /// How many ids stand for segments of others.
    var reservedCount = 0
    /// How many loans are of memory that is on lease here itself.
    var borrowedCount = 0
    /// Room for loans that end, kept from one time to the next.
    var spare: [Dated] = []
    /// How many were lent since returns were looked for.
    var lentSinceDrain = 0
    var waiting = WakeList()

    mutating func identify(_ segment: Segment, announce: @Sendable (Segment, UInt32) -> Void) throws(LeaseError)
      -> UInt32
    {
      if let known = announced.id(of: segment) { return known }
      guard let id = takeID() else { throw .tooManySegments(limit: Borrower.segmentCountLimit) }
      announce(segment, id)
      announced.insert(segment, id: id)
      return id
    }

    /// An id that was never used; nil when the borrower maps as many segments as it may.
    mutating func takeID() -> UInt32? {
      guard announced.count + reservedCount < Borrower.segmentCountLimit, let id = UInt32(exactly: nextID) else {
        return nil
      }
      nextID += 1
      return id
    }
  }

  private let books: Mutex<Books>
  private let returns: ReturnTableView
  /// In which the flag stands that makes the borrower ring: this end's own table.
  private let bell: ReturnTable?

  /// Books about the borrower that returns leases in `returns`.
  ///
  /// - Parameter bell: This end's own return table, which the borrower reads. Without, nobody can be woken by a return.
  public init(returns: ReturnTableView, bell: ReturnTable? = nil) throws(LeaseError) {
    self.returns = returns
    self.bell = bell
    books = Mutex(Books(leases: try LeaseTable(capacity: returns.layout.capacity)))
  }

  // MARK: Segments

  /// The id under which the borrower knows `segment`. The first time, `announce` tells the borrower, before anybody else
  /// can use the id.
  ///
  /// - Throws: `LeaseError` when the borrower maps as many segments as it may.
  public func identify(_ segment: Segment, announce: @Sendable (Segment, UInt32) -> Void) throws(LeaseError) -> UInt32 {
    try books.withLock { books throws(LeaseError) in try books.identify(segment, announce: announce) }
  }

  /// Forgets a segment in which nothing is lent any more. If it was announced, `tell` tells the borrower to unmap it,
  /// before anything else is announced.
  public func retire(_ segment: Segment, tell: (UInt32) -> Void) {
    books.withLock { books in
      if let id = books.announced.remove(segment) { tell(id) }
    }
  }

  /// An id for a segment of somebody else's, which `announce` tells the borrower of; nil when it maps as many as it may.
  public func reserveID(announce: (UInt32) -> Void) -> UInt32? {
    books.withLock { books in
      guard let id = books.takeID() else { return nil }
      books.reservedCount += 1
      announce(id)
      return id
    }
  }

  /// Gives up one of those segments.
  public func releaseID() {
    books.withLock { $0.reservedCount -= 1 }
  }

  // MARK: Leases

  /// After so many loans, what has come back is booked: by then, the words that say so share the cache lines that have to be
  /// fetched from the borrower's processor.
  private static let loansBetweenDrains = 16

  /// Lends: keeps `loan` until the lease comes back. Books what has come back every so often, and before it refuses.
  ///
  /// - Parameter isBorrowed: Whether the memory is on lease here itself. Then its owner waits for it: the borrower is asked
  ///   to ring for each return, as long as such a loan is out.
  /// - Throws: `LeaseError` when the borrower holds as many leases as it may.
  public func lend(_ loan: consuming Loan, isBorrowed: Bool = false) throws(LeaseError) -> Lease {
    let lease = try lend(
      loan, isBorrowed: isBorrowed, partCount: 0, segment: { _ in preconditionFailure("no parts") },
      announce: { _, _ in }, named: { _, _ in })
    if isBorrowed { bell?.arm() }
    return lease
  }

  /// As ``lend(_:isBorrowed:)``, for a loan of `partCount` parts: `named` is told the id of the segment of each, as
  /// ``identify(_:announce:)`` gives it.
  public func lend(
    _ loan: consuming Loan, partCount: Int, segment: (Int) -> Segment, announce: @Sendable (Segment, UInt32) -> Void,
    named: (Int, UInt32) -> Void
  ) throws(LeaseError) -> Lease {
    try lend(loan, isBorrowed: false, partCount: partCount, segment: segment, announce: announce, named: named)
  }

  /// Books a loan, which is taken out of a variable under the lock: captured as a constant, it would be retained once more.
  @inline(__always)
  private func lend(
    _ loan: consuming Loan, isBorrowed: Bool, partCount: Int, segment: (Int) -> Segment,
    announce: @Sendable (Segment, UInt32) -> Void, named: (Int, UInt32) -> Void
  ) throws(LeaseError) -> Lease {
    var dated = Optional(Dated(loan: loan, nanoseconds: CoarseClock.nanoseconds, isBorrowed: isBorrowed))
    var released: [Dated] = []
    defer { letGo(&released) }
    return try books.withLock { books throws(LeaseError) in
      for index in 0..<partCount { named(index, try books.identify(segment(index), announce: announce)) }
      guard let loan = dated.take() else { preconditionFailure("booked twice") }
      books.lentSinceDrain += 1
      let isFull = books.leases.outstandingCount == books.leases.capacity
      if isFull || books.lentSinceDrain >= Self.loansBetweenDrains { drain(&books, &released) }
      let lease = try books.leases.lend(loan)
      if isBorrowed { books.borrowedCount += 1 }
      return lease
    }
  }

  /// Takes back a lease that was never sent.
  public func takeBack(_ lease: Lease) {
    let loan = books.withLock { books in
      let loan = books.leases.takeBack(lease)
      if loan?.isBorrowed == true { books.borrowedCount -= 1 }
      return loan
    }
    withExtendedLifetime(loan) {}
  }

  /// Books what has come back, if anything was lent since that was done.
  public func drainIfLent() {
    if books.withLock({ $0.lentSinceDrain > 0 }) { drain() }
  }

  /// Books what has come back; how many leases that were.
  @discardableResult public func drain() -> Int {
    var released: [Dated] = []
    defer { letGo(&released) }
    return books.withLock { books in
      drain(&books, &released)
      return released.count
    }
  }

  /// Books what has come back, and what the borrower, if it has ended, never took. When the session has ended.
  public func settle() {
    var released: [Dated] = []
    let waiting = books.withLock { books in
      drain(&books, &released)
      books.leases.reclaimUntaken(returns) { released.append($0) }
      // Nothing is announced any more, so nobody needs to be told what goes.
      books.announced = AnnouncedSegments()
      return books.waiting.takeAll()
    }
    letGo(&released)
    for wake in waiting { wake() }
  }

  /// Takes everything back. Only when the borrower process is dead.
  ///
  /// - Parameter unlessShown: Leaves out what the borrower has shown to others, who may be reading it still.
  public func reclaimAll(unlessShown: Bool = false) {
    var released: [Dated] = []
    let waiting = books.withLock { books in
      drain(&books, &released)
      if unlessShown {
        books.leases.reclaimUnshown(returns) { released.append($0) }
      } else {
        books.leases.reclaimAll { released.append($0) }
      }
      return books.waiting.takeAll()
    }
    letGo(&released)
    for wake in waiting { wake() }
  }

  /// Whether the borrower reads, or may yet read, in this end's memory what other borrowers have sent on.
  public var isViewed: Bool { returns.hasViews }

  /// Whether the borrower has said that it takes nothing more, from anybody.
  public var borrowerHasEnded: Bool { returns.hasEnded }

  /// How many leases the borrower holds, after booking what has come back.
  public var outstandingCount: Int {
    drain()
    return books.withLock { $0.leases.outstandingCount }
  }

  /// Whether another lease may be lent, after booking what has come back.
  public var hasRoom: Bool {
    drain()
    return books.withLock { $0.leases.outstandingCount < $0.leases.capacity }
  }

  /// What the borrower holds, after booking what has come back, oldest first.
  public var outstandingLeases: [OutstandingLease] {
    drain()
    let now = CoarseClock.nanoseconds
    var dated: [(Lease, Dated)] = []
    books.withLock { $0.leases.forEachOutstanding { dated.append(($0, $1)) } }
    // The sizes are asked for without the lock: who is lent may have locks of its own.
    return dated.sorted { $0.1.nanoseconds < $1.1.nanoseconds }.map { lease, dated in
      OutstandingLease(
        lease: lease, byteCount: dated.loan.lentByteCount,
        age: .nanoseconds(Int64(clamping: now - min(now, dated.nanoseconds))), memory: ObjectIdentifier(dated.loan))
    }
  }

  private func drain(_ books: inout Books, _ released: inout [Dated]) {
    swap(&released, &books.spare)
    books.lentSinceDrain = 0
    _ = books.leases.drain(returns) { released.append($0) }
    if released.isEmpty { swap(&released, &books.spare) }
    if books.borrowedCount > 0 { books.borrowedCount -= released.count { $0.isBorrowed } }
  }

  /// Ends loans, without the lock: the end of a loan frees memory.
  private func letGo(_ released: inout [Dated]) {
    guard !released.isEmpty else { return }
    released.removeAll(keepingCapacity: true)
    books.withLock { books in
      if books.spare.capacity < released.capacity { swap(&released, &books.spare) }
    }
  }

  // MARK: Waiting for a return

  /// Has `wake` called, once, when the borrower has returned something after this call, when it rang, or when the session
  /// has ended. Look for room once more after this call, and then wait. `wake` must not block; it may come early.
  public func waitForReturn(_ wake: @escaping @Sendable () -> Void) -> WaitingForRoom {
    let key = books.withLock { $0.waiting.add(wake) }
    bell?.arm()
    // What came back before the borrower could see the flag.
    if drain() > 0 { wakeAll() }
    return WaitingForRoom(key: key)
  }

  /// Ends a wait that is not needed any more.
  public func stopWaiting(_ waiting: WaitingForRoom) {
    books.withLock { $0.waiting.remove(waiting.key) }
  }

  /// The borrower rang: it has returned something.
  public func rang() {
    drain()
    wakeAll()
    // Whose memory was sent on waits, too: for each return.
    while books.withLock({ $0.borrowedCount > 0 }) {
      bell?.arm()
      if drain() == 0 { return }
    }
  }

  private func wakeAll() {
    for wake in books.withLock({ $0.waiting.takeAll() }) { wake() }
  }
}
