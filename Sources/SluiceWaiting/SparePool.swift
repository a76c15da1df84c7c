import Synchronization

/// One-shots that are used again and again, so that who waits often allocates nothing. Thread-safe.
public struct SparePool<Value: Sendable>: ~Copyable, Sendable {
  @usableFromInline let spares: Mutex<[OneShot<Value>]>

  /// Waiters that are kept at most.
  @usableFromInline static var limit: Int { 16 }

  /// An empty pool.
  @inlinable public init() { spares = Mutex([]) }

  /// One to which nothing was delivered.
  @inlinable public func take() -> OneShot<Value> {
    spares.withLock { $0.popLast() } ?? OneShot()
  }

  /// Keeps one that its waiter needs no more, unless somebody else still holds it, who may deliver to it yet.
  @inlinable public func giveBack(_ used: inout OneShot<Value>) {
    guard isKnownUniquelyReferenced(&used) else { return }
    used.reset()
    let spare = used
    spares.withLock { if $0.count < Self.limit { $0.append(spare) } }
  }
}
