import SluiceSystem
import Synchronization

/// Where values come from that threads block for, if such a thread can fetch them itself.
public protocol Drainer: AnyObject, Sendable {
  /// Delivers what arrives, on the calling thread, until `isDone` or the deadline; or sleeps, while others do. Returns early
  /// when nothing arrives any more.
  ///
  /// - Parameters:
  ///   - parker: The calling thread's. It is unparked, and interrupted, when `isDone` changes.
  ///   - wait: Which of the thread's waits this is.
  func drain(for parker: Parker, wait: UInt64, deadline: ContinuousClock.Instant?, until isDone: () -> Bool)
  /// Makes a thread that sleeps as it drains look whether it is done, if it still is in that wait.
  func interrupt(_ parker: Parker, wait: UInt64)
}

/// A value that is delivered once, from any thread, to one waiter, who blocks or suspends for it.
///
/// Delivery is decided by the first ``fulfill(_:)``; later ones do nothing and say so. So a response, a deadline, a
/// cancellation and the end of a session can race for it, and exactly one of them is what the waiter sees.
public final class OneShot<Value: Sendable>: Sendable {
  /// Who waits. Sound: the continuation is resumed by who takes it out of the state, once.
  @safe @usableFromInline enum Waiter {
    case none
    case suspended(UnsafeContinuation<Value, Never>)
    /// A thread sleeps, or drains a source meanwhile.
    case blocked(Parker, wait: UInt64, (any Drainer)?)
  }

  @usableFromInline struct State {
    @usableFromInline var waiter = Waiter.none
    @usableFromInline var isDelivered = false
    /// What was delivered, until the waiter has it: whoever delivered it may hold this for a while.
    @usableFromInline var value: Value?

    @inlinable init() {}
  }

  @usableFromInline let state: Mutex<State>
  @usableFromInline let isDone: Atomic<Bool>

  /// Nothing is delivered yet.
  @inlinable public init() {
    // Here, since initial values of properties are not specialised in other modules.
    state = Mutex(State())
    isDone = Atomic(false)
  }

  /// Makes it as new. Only for who holds the one reference to it: nobody else may wait for it, or be about to deliver.
  @inlinable public func reset() {
    state.withLock { $0 = State() }
    isDone.store(false, ordering: .relaxed)
  }

  /// Whether something was delivered. One load.
  @inlinable public var isFulfilled: Bool { isDone.load(ordering: .sequentiallyConsistent) }

  /// Delivers `value`; false when something else was delivered before.
  @inlinable @discardableResult public func fulfill(_ value: Value) -> Bool {
    let waiter = state.withLock { state -> Waiter? in
      guard !state.isDelivered else { return nil }
      state.isDelivered = true
      // Moved, not copied, out of the state: that saves the counting of references.
      var waiter = Waiter.none
      swap(&waiter, &state.waiter)
      if case .suspended = waiter {} else { state.value = value }
      isDone.store(true, ordering: .sequentiallyConsistent)
      return waiter
    }
    switch waiter {
    case nil: return false
    case .some(.none): break
    case .suspended(let continuation)?: unsafe continuation.resume(returning: value)
    case .blocked(let parker, let wait, let source)?:
      parker.unpark()
      source?.interrupt(parker, wait: wait)
    }
    return true
  }

  /// Takes what was delivered, if anything was.
  @inlinable func take() -> Value? {
    guard isFulfilled else { return nil }
    return state.withLock { $0.value.take() }
  }

  /// Suspends until the value is there. When the task is cancelled first, `onCancel` is delivered. One waiter only.
  @inlinable public func wait(onCancel: Value) async -> Value {
    if let value = take() { return value }
    return await withTaskCancellationHandler {
      await unsafe withUnsafeContinuation { continuation in
        let delivered = state.withLock { state -> Value? in
          if let value = state.value.take() { return value }
          state.waiter = unsafe .suspended(continuation)
          return nil
        }
        if let delivered { unsafe continuation.resume(returning: delivered) }
      }
    } onCancel: {
      fulfill(onCancel)
    }
  }

  /// Blocks the thread until the value is there. At the deadline, `onTimeout` is delivered. One waiter only.
  ///
  /// - Parameter source: Where the value will come from, if it comes from one: the thread delivers what arrives there itself
  ///   instead of waiting for another one to do so.
  @inlinable public func waitBlocking(
    deadline: ContinuousClock.Instant?, onTimeout: Value, draining source: (any Drainer)? = nil
  ) -> Value {
    if let value = take() { return value }
    let parker = Parker.current
    let wait = parker.beginWait()
    state.withLock { state in
      if !state.isDelivered { state.waiter = .blocked(parker, wait: wait, source) }
    }
    source?.drain(for: parker, wait: wait, deadline: deadline) { isFulfilled }
    while true {
      if let value = take() { return value }
      if !parker.park(deadline: deadline) { fulfill(onTimeout) }
    }
  }
}
