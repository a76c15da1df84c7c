import DequeModule
import Synchronization

/// What a mailbox gives to whoever asks for the next element.
public enum MailboxItem<Element: Sendable, Failure: Error>: Sendable {
  case element(Element)
  /// Nothing more will come.
  case finished
  /// Nothing more will come, for this reason.
  case failed(Failure)
  /// The one who asked gave up first: the task was cancelled, or the deadline passed.
  case gaveUp
}

/// A bounded queue between who delivers and who waits, blocking or suspended. Thread-safe.
///
/// What was delivered before the end is still handed out after it.
public final class Mailbox<Element: Sendable, Failure: Error>: Sendable {
  /// What is handed out.
  public typealias Item = MailboxItem<Element, Failure>

  @usableFromInline struct State {
    @usableFromInline var elements: Deque<Element> = []
    @usableFromInline var waiters: Deque<OneShot<Item>> = []
    /// Those of earlier waits, for later ones.
    @usableFromInline var spares: [OneShot<Item>] = []
    @usableFromInline var end: Item?

    @inlinable init() {}

    @inlinable mutating func nextIfAny() -> Item? { elements.popFirst().map { .element($0) } ?? end }
  }

  /// Most elements that may wait to be taken.
  public let capacity: Int
  @usableFromInline let state: Mutex<State>

  /// Spares that are kept at most.
  @usableFromInline static var spareLimit: Int { 16 }

  /// An empty mailbox.
  @inlinable public init(capacity: Int) {
    self.capacity = capacity
    state = Mutex(State())
  }

  /// How many elements wait to be taken.
  @inlinable public var count: Int { state.withLock { $0.elements.count } }

  /// Hands `element` to a waiter, or keeps it; false when it is refused, because the mailbox is full or has ended.
  @inlinable public func deliver(_ element: Element) -> Bool {
    while true {
      let (isKept, waiter) = state.withLock { state -> (Bool, OneShot<Item>?) in
        guard state.end == nil else { return (false, nil) }
        if let waiter = state.waiters.popFirst() { return (false, waiter) }
        guard state.elements.count < capacity else { return (false, nil) }
        state.elements.append(element)
        return (true, nil)
      }
      guard let waiter else { return isKept }
      if waiter.fulfill(.element(element)) { return true }  // else it gave up: try the next one
    }
  }

  /// Ends the mailbox, once; whoever waits is told. With a failure, or in order.
  @inlinable public func finish(_ failure: Failure? = nil) {
    let end: Item = failure.map { .failed($0) } ?? .finished
    let waiters = state.withLock { state -> Deque<OneShot<Item>> in
      guard state.end == nil else { return [] }
      state.end = end
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.fulfill(end) }
  }

  /// Takes all that nobody will take any more.
  @inlinable public func removeAll() -> [Element] {
    state.withLock { state in
      defer { state.elements = [] }
      return Array(state.elements)
    }
  }

  /// What `next` would answer at once; nil when it would wait.
  @inlinable public func nextIfAny() -> Item? {
    state.withLock { $0.nextIfAny() }
  }

  /// The next element; suspends for it.
  @inlinable public func next() async -> Item {
    switch takeOrWait() {
    case .item(let item): return item
    case .wait(var waiter):
      let item = await waiter.wait(onCancel: .gaveUp)
      if case .gaveUp = item { forget(waiter) }
      keep(&waiter)
      return item
    }
  }

  /// The next element; blocks for it. See ``OneShot/waitBlocking(deadline:onTimeout:draining:)``.
  @inlinable public func nextBlocking(deadline: ContinuousClock.Instant?, draining source: (any Drainer)? = nil) -> Item
  {
    switch takeOrWait() {
    case .item(let item): return item
    case .wait(var waiter):
      let item = waiter.waitBlocking(deadline: deadline, onTimeout: .gaveUp, draining: source)
      if case .gaveUp = item { forget(waiter) }
      keep(&waiter)
      return item
    }
  }

  @usableFromInline enum Taking {
    case item(Item)
    case wait(OneShot<Item>)
  }

  @inlinable func takeOrWait() -> Taking {
    state.withLock { state in
      if let item = state.nextIfAny() { return .item(item) }
      let waiter = state.spares.popLast() ?? OneShot()
      state.waiters.append(waiter)
      return .wait(waiter)
    }
  }

  /// Keeps a waiter for later, unless somebody else still holds it, who may deliver to it yet.
  @inlinable func keep(_ waiter: inout OneShot<Item>) {
    guard isKnownUniquelyReferenced(&waiter) else { return }
    waiter.reset()
    let spare = waiter
    state.withLock { if $0.spares.count < Self.spareLimit { $0.spares.append(spare) } }
  }

  @inlinable func forget(_ waiter: OneShot<Item>) {
    state.withLock { $0.waiters.removeAll { $0 === waiter } }
  }
}
