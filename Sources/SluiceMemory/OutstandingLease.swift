/// What is lent: the memory that a lease stands for. Released when its last lease is over.
public protocol LentMemory: AnyObject, Sendable {
  /// The size of the memory, for reports.
  var lentByteCount: Int { get }
}

/// A lease that a borrower has not given back yet.
public struct OutstandingLease: Sendable, Hashable {
  /// The lease.
  public let lease: Lease
  /// The size of what is lent. One allocation that was lent several times counts with each lease.
  public let byteCount: Int
  /// How long ago it was lent, to some milliseconds.
  public let age: Duration
  /// The same for all leases of the same memory.
  public let memory: ObjectIdentifier
}

extension Sequence<OutstandingLease> {
  /// The bytes that are lent, each counted once, however often it is lent.
  public var distinctByteCount: Int {
    var seen: Set<ObjectIdentifier> = []
    return reduce(0) { seen.insert($1.memory).inserted ? $0 + $1.byteCount : $0 }
  }
}
