import DequeModule
import Synchronization

/// What a mailbox gives to whoever asks for the next element.
package enum MailboxItem<Element: Sendable, Failure: Error>: Sendable {
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
package final class Mailbox<Element: Sendable, Failure: Error>: Sendable {
  package typealias Item = MailboxItem<Element, Failure>

  private struct State {
    var elements: Deque<Element> = []
    var waiters: [OneShot<Item>] = []
    var end: Item?
  }

  /// Most elements that may wait to be taken.
  package let capacity: Int
  private let state = Mutex(State())

  package init(capacity: Int) {
    self.capacity = capacity
  }

  /// How many elements wait to be taken.
  package var count: Int { state.withLock { $0.elements.count } }

  /// Hands `element` to a waiter, or keeps it; false when it is refused, because the mailbox is full or has ended.
  package func deliver(_ element: Element) -> Bool {
    while true {
      let (isKept, waiter) = state.withLock { state -> (Bool, OneShot<Item>?) in
        guard state.end == nil else { return (false, nil) }
        if !state.waiters.isEmpty { return (false, state.waiters.removeFirst()) }
        guard state.elements.count < capacity else { return (false, nil) }
        state.elements.append(element)
        return (true, nil)
      }
      guard let waiter else { return isKept }
      if waiter.fulfill(.element(element)) { return true }  // else it gave up: try the next one
    }
  }

  /// Ends the mailbox, once; whoever waits is told. With a failure, or in order.
  package func finish(_ failure: Failure? = nil) {
    let end: Item = failure.map { .failed($0) } ?? .finished
    let waiters = state.withLock { state -> [OneShot<Item>] in
      guard state.end == nil else { return [] }
      state.end = end
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.fulfill(end) }
  }

  /// Takes all that nobody will take any more.
  package func removeAll() -> [Element] {
    state.withLock { state in
      defer { state.elements = [] }
      return Array(state.elements)
    }
  }

  /// The next element; suspends for it.
  package func next() async -> Item {
    switch takeOrWait() {
    case .item(let item): return item
    case .wait(let waiter):
      let item = await waiter.wait(onCancel: .gaveUp)
      if case .gaveUp = item { forget(waiter) }
      return item
    }
  }

  /// The next element; blocks for it.
  package func nextBlocking(deadline: ContinuousClock.Instant?) -> Item {
    switch takeOrWait() {
    case .item(let item): return item
    case .wait(let waiter):
      let item = waiter.waitBlocking(deadline: deadline, onTimeout: .gaveUp)
      if case .gaveUp = item { forget(waiter) }
      return item
    }
  }

  private enum Taking {
    case item(Item)
    case wait(OneShot<Item>)
  }

  private func takeOrWait() -> Taking {
    state.withLock { state in
      if let element = state.elements.popFirst() { return .item(.element(element)) }
      if let end = state.end { return .item(end) }
      let waiter = OneShot<Item>()
      state.waiters.append(waiter)
      return .wait(waiter)
    }
  }

  private func forget(_ waiter: OneShot<Item>) {
    state.withLock { $0.waiters.removeAll { $0 === waiter } }
  }
}
