import SluiceTransport
import SluiceWaiting
import Synchronization

/// A request of the other end that is to be answered. Thread-safe.
@usableFromInline final class IncomingCall: Sendable {
  @usableFromInline let content: MessageContent
  let number: UInt64
  /// When the requester gives up, as it said; nil if it waits.
  let deadline: ContinuousClock.Instant?

  private struct State {
    /// Items that the requester takes; nil until the first is sent.
    var credits: LaneCredits?
    // Nil for none: to let go of an empty array costs a call.
    var creditWaiters: [OneShot<Bool>]?
    var cancellationHandlers: [@Sendable () -> Void]?
  }

  private let state = Mutex(State())
  private let cancelled = Atomic<Bool>(false)
  private let answered = Atomic<Bool>(false)
  /// Where the call stands in the table of its channel; the channel's lock guards it.
  let slot = Atomic<Int>(-1)

  init(content: MessageContent, number: UInt64, timeout: UInt32) {
    self.content = content
    self.number = number
    deadline = timeout == 0 ? nil : .now.advanced(by: .milliseconds(Int64(timeout)))
  }

  /// Whether it was answered, or is about to be.
  var isAnswered: Bool { answered.load(ordering: .relaxed) }

  /// Takes the right to answer, which there is once.
  func takeAnswer() -> Bool { !answered.exchange(true, ordering: .relaxed) }

  /// Whether the requester wants no answer any more.
  var isCancelled: Bool {
    if cancelled.load(ordering: .acquiring) { return true }
    return deadline.map { $0 <= .now } ?? false
  }

  /// The requester, or the end of the channel, wants no answer any more. Once.
  func cancel() {
    guard !cancelled.exchange(true, ordering: .acquiringAndReleasing) else { return }
    let ended = state.withLock { state in
      defer { state = State(credits: state.credits) }
      return state
    }
    for waiter in ended.creditWaiters ?? [] { waiter.fulfill(false) }
    for handler in ended.cancellationHandlers ?? [] { handler() }
  }

  /// Calls `handler` when the requester wants no answer any more; now, if that is so.
  func onCancel(_ handler: @escaping @Sendable () -> Void) {
    let isLate = state.withLock { state in
      // Marked first, then the handlers are taken: one that is added now will be.
      if cancelled.load(ordering: .acquiring) { return true }
      state.cancellationHandlers = (state.cancellationHandlers ?? []) + [handler]
      return false
    }
    if isLate { handler() }
  }

  /// Takes a credit to send an item of a stream. Nil: taken. Else the signal to wait for; false means that the call is over.
  func takeCredit(window: UInt32) -> OneShot<Bool>? {
    state.withLock { state in
      var credits = state.credits ?? LaneCredits(window: window)
      defer { state.credits = credits }
      if credits.takeForSending() { return nil }
      let waiter = OneShot<Bool>()
      if cancelled.load(ordering: .acquiring) {
        waiter.fulfill(false)
      } else {
        state.creditWaiters = (state.creditWaiters ?? []) + [waiter]
      }
      return waiter
    }
  }

  /// An item was not sent after all.
  func putBackCredit() {
    wake { $0.credits?.putBack() }
  }

  /// The requester takes more; false when it may not.
  func granted(_ count: UInt32) -> Bool {
    var isOwed = false
    wake { state in
      if var credits = state.credits {
        isOwed = credits.granted(count)
        state.credits = credits
      }
    }
    return isOwed
  }

  private func wake(_ change: (inout State) -> Void) {
    let waiters = state.withLock { state in
      change(&state)
      return state.creditWaiters.take()
    }
    for waiter in waiters ?? [] { waiter.fulfill(true) }
  }
}

/// The requests of the other end that are not answered yet. A value: no I/O, clock or lock.
struct CallTable {
  private var slots: [IncomingCall?] = []
  private var free: [Int] = []

  /// How many are not answered yet.
  var count: Int { slots.count - free.count }

  /// Books a call.
  mutating func insert(_ call: IncomingCall) {
    let slot = free.popLast() ?? slots.count
    if slot == slots.count { slots.append(call) } else { slots[slot] = call }
    call.slot.store(slot, ordering: .relaxed)
  }

  /// Forgets a call; false when it was not here (any more).
  @discardableResult mutating func remove(_ call: IncomingCall) -> Bool {
    let slot = call.slot.load(ordering: .relaxed)
    guard slot >= 0 else { return false }
    call.slot.store(-1, ordering: .relaxed)
    slots[slot] = nil
    free.append(slot)
    return true
  }

  /// The call of that number. It costs a look at each: only for what is rare.
  func call(_ number: UInt64) -> IncomingCall? {
    for case let call? in slots where call.number == number { return call }
    return nil
  }

  /// Takes all calls.
  mutating func removeAll() -> [IncomingCall] {
    let calls = slots.compactMap { $0 }
    for call in calls { call.slot.store(-1, ordering: .relaxed) }
    slots = []
    free = []
    return calls
  }
}
