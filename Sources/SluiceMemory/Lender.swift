import SluiceSystem
import Synchronization

/// The owner's books about one borrower: which segments were announced to it, and what it holds on lease.
///
/// A loan is kept, and with it the memory it stands for, until its lease came back. Thread-safe; all in private memory.
public final class Lender: Sendable {
  /// What stands for the memory of a loan: released when the loan ends.
  public typealias Loan = any AnyObject & Sendable

  private struct Announced {
    /// Keeps the segment, so that its identity is not given to another.
    let segment: Segment
    let id: UInt32
  }

  private struct Books: ~Copyable {
    var leases: LeaseTable<Loan>
    var announced: [ObjectIdentifier: Announced] = [:]
  }

  private let books: Mutex<Books>
  private let returns: ReturnTableView

  /// Books about the borrower that returns leases in `returns`.
  public init(returns: ReturnTableView) throws(LeaseError) {
    self.returns = returns
    books = Mutex(Books(leases: try LeaseTable(capacity: returns.layout.capacity)))
  }

  /// The id under which the borrower knows `segment`. The first time, `announce` tells the borrower, before anybody else
  /// can use the id.
  ///
  /// - Throws: `LeaseError` when the borrower maps as many segments as it may.
  public func identify(_ segment: Segment, announce: (UInt32) -> Void) throws(LeaseError) -> UInt32 {
    try books.withLock { books throws(LeaseError) in
      if let known = books.announced[ObjectIdentifier(segment)] { return known.id }
      guard books.announced.count < Borrower.segmentCountLimit else {
        throw .tooManySegments(limit: Borrower.segmentCountLimit)
      }
      let id = UInt32(books.announced.count)
      announce(id)
      books.announced[ObjectIdentifier(segment)] = Announced(segment: segment, id: id)
      return id
    }
  }

  /// Lends: keeps `loan` until the lease comes back. Books first what has come back.
  ///
  /// - Throws: `LeaseError` when the borrower holds as many leases as it may.
  public func lend(_ loan: Loan) throws(LeaseError) -> Lease {
    var released: [Loan] = []  // released outside of the lock: the end of a loan frees memory
    defer { released.removeAll() }
    return try books.withLock { books throws(LeaseError) in
      _ = books.leases.drain(returns) { released.append($0) }
      return try books.leases.lend(loan)
    }
  }

  /// Takes back a lease that was never sent.
  public func takeBack(_ lease: Lease) {
    let loan = books.withLock { $0.leases.takeBack(lease) }
    _ = loan
  }

  /// Books what has come back; how many leases that were.
  @discardableResult public func drain() -> Int {
    var released: [Loan] = []
    defer { released.removeAll() }
    return books.withLock { $0.leases.drain(returns) { released.append($0) } }
  }

  /// Books what has come back, and what the borrower, if it has ended, never took. When the session has ended.
  public func settle() {
    var released: [Loan] = []
    books.withLock { books in
      _ = books.leases.drain(returns) { released.append($0) }
      books.leases.reclaimUntaken(returns) { released.append($0) }
    }
    released.removeAll()
  }

  /// Takes everything back. Only when the borrower process is dead.
  public func reclaimAll() {
    var released: [Loan] = []
    books.withLock { $0.leases.reclaimAll { released.append($0) } }
    released.removeAll()
  }

  /// How many leases the borrower holds, after booking what has come back.
  public var outstandingCount: Int {
    drain()
    return books.withLock { $0.leases.outstandingCount }
  }
}
