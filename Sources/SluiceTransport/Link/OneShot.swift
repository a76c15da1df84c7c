import SluiceSystem
import Synchronization

/// A value that is delivered once, from any thread, to one waiter, who blocks or suspends for it.
///
/// Delivery is decided by the first ``fulfill(_:)``; later ones do nothing and say so. So a response, a deadline, a
/// cancellation and the end of a session can race for it, and exactly one of them is what the waiter sees.
package final class OneShot<Value: Sendable>: Sendable {
  /// Sound: the continuation is resumed by who takes the state away from `suspended`, once.
  @safe private enum State {
    case empty
    case suspended(UnsafeContinuation<Value, Never>)
    case fulfilled(Value)
  }

  private let state = Mutex(State.empty)
  private let gate = FutexGate()

  package init() {}

  /// Delivers `value`; false when something else was delivered before.
  @discardableResult package func fulfill(_ value: Value) -> Bool {
    let (won, continuation) = unsafe state.withLock { state -> (Bool, UnsafeContinuation<Value, Never>?) in
      switch state {
      case .fulfilled: return (false, nil)
      case .empty:
        state = .fulfilled(value)
        return (true, nil)
      case .suspended(let continuation):
        state = .fulfilled(value)
        return unsafe (true, continuation)
      }
    }
    guard won else { return false }
    if let continuation = unsafe continuation {
      unsafe continuation.resume(returning: value)
    } else {
      gate.open()
    }
    return true
  }

  /// What was delivered, if anything was.
  package var current: Value? {
    state.withLock { if case .fulfilled(let value) = $0 { value } else { nil } }
  }

  /// Suspends until the value is there. When the task is cancelled first, `onCancel` is delivered. One waiter only.
  package func wait(onCancel: Value) async -> Value {
    if let current { return current }
    return await withTaskCancellationHandler {
      await unsafe withUnsafeContinuation { continuation in
        let delivered = state.withLock { state -> Value? in
          if case .fulfilled(let value) = state { return value }
          state = unsafe .suspended(continuation)
          return nil
        }
        if let delivered { unsafe continuation.resume(returning: delivered) }
      }
    } onCancel: {
      fulfill(onCancel)
    }
  }

  /// Blocks the thread until the value is there. At the deadline, `onTimeout` is delivered. One waiter only.
  package func waitBlocking(deadline: ContinuousClock.Instant?, onTimeout: Value) -> Value {
    while true {
      if let current { return current }
      if !gate.wait(deadline: deadline) { fulfill(onTimeout) }
    }
  }
}
