import SluiceWaiting
import Synchronization

/// This end of a lane of a link: its credits, and who waits for some. Thread-safe.
///
/// Made by ``Link/makeLane(_:)``, and open from ``Link/open(_:receiver:)`` until either end closes it. Who sends on it holds
/// it, so that nothing has to be looked up for a frame that goes.
package final class Lane: Sendable {
  /// What frames call it.
  package let number: UInt32

  private struct State {
    var credits: LaneCredits
    var waiters: [OneShot<Bool>]?
    var isOpen = false
  }

  private let state: Mutex<State>
  /// As in the state: for frames that cost no credit.
  private let open = Atomic<Bool>(false)

  init(_ number: UInt32, window: UInt32) {
    self.number = number
    state = Mutex(State(credits: LaneCredits(window: window)))
  }

  /// Whether frames may go.
  var isOpen: Bool { open.load(ordering: .relaxed) }

  func opened() {
    state.withLock { $0.isOpen = true }
    open.store(true, ordering: .relaxed)
  }

  /// Closes this end; who waits to send is told.
  func close() {
    open.store(false, ordering: .relaxed)
    tell(false) { $0.isOpen = false }
  }

  /// What became of an attempt to take a credit.
  enum Taking {
    case taken
    /// There is none; worth another attempt when the signal is fulfilled with true.
    case blocked(OneShot<Bool>)
    case closed
  }

  /// Takes a credit to send a charged frame.
  func takeCredit() -> Taking {
    state.withLock { state in
      guard state.isOpen else { return .closed }
      if state.credits.takeForSending() { return .taken }
      let waiter = OneShot<Bool>()
      state.waiters = (state.waiters ?? []) + [waiter]
      return .blocked(waiter)
    }
  }

  /// Has `waiter` told, too, whose message waits for something else than a credit: that it is worth another attempt, or that
  /// the lane is closed. False when it is closed already.
  func wait(with waiter: OneShot<Bool>) -> Bool {
    state.withLock { state in
      guard state.isOpen else { return false }
      state.waiters = (state.waiters ?? []).filter { !$0.isFulfilled } + [waiter]
      return true
    }
  }

  /// Whether anybody waits to send.
  var isWaitedFor: Bool { state.withLock { $0.waiters?.contains { !$0.isFulfilled } == true } }

  /// Nobody waits any more with this.
  func forget(_ waiter: OneShot<Bool>) {
    state.withLock { $0.waiters?.removeAll { $0 === waiter } }
  }

  /// A charged frame was not sent after all.
  func putBackCredit() {
    tell(true) { $0.credits.putBack() }
  }

  /// Books a charged frame that arrived; false when the other end had no credit for it.
  func frameArrived() -> Bool {
    state.withLock { $0.credits.frameArrived() }
  }

  /// Books that a charged frame was taken from a queue; the credits to grant now, 0 for none.
  func frameTaken() -> UInt32 {
    state.withLock { $0.isOpen ? $0.credits.frameTaken() : 0 }
  }

  /// Books that the last grant was sent; the credits to grant next, 0 for none.
  func grantSent() -> UInt32 {
    state.withLock { $0.isOpen ? $0.credits.grantSent() : 0 }
  }

  /// The other end granted credits; false when they were not owed.
  func granted(_ count: UInt32) -> Bool {
    var isOwed = false
    tell(true) { isOwed = $0.credits.granted(count) }
    return isOwed
  }

  private func tell(_ isWorthwhile: Bool, _ change: (inout State) -> Void) {
    let waiters = state.withLock { state in
      change(&state)
      return state.waiters.take()
    }
    guard let waiters else { return }
    for waiter in waiters { waiter.fulfill(isWorthwhile) }
  }
}

/// The lanes that are open at this end, by their numbers. A pure value.
struct LaneTable {
  struct Entry {
    let lane: Lane
    /// Takes what arrives.
    let receiver: any LaneReceiver
  }

  private var entries: [UInt32: Entry] = [:]
  /// The one found last: most frames are for the lane of the frame before.
  private var last: Entry?
  private var lastNumber: UInt32?

  mutating func insert(_ entry: Entry) { entries[entry.lane.number] = entry }

  mutating func remove(_ number: UInt32) -> Entry? {
    if lastNumber == number { (last, lastNumber) = (nil, nil) }
    return entries.removeValue(forKey: number)
  }

  mutating func find(_ number: UInt32) -> Entry? {
    if lastNumber != number {
      guard let found = entries[number] else { return nil }
      last = found
      lastNumber = number
    }
    return last
  }

  /// All of them.
  var all: some Sequence<Entry> { entries.values }
}
