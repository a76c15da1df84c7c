import SluiceSystem
import Synchronization
import SystemPackage

extension Reactor {
  /// How a wait ended.
  public enum WaitOutcome: Sendable, Hashable {
    /// The descriptor is ready for this. `hungUp` alone may also mean that the reactor was shut down.
    case ready(IOEvents)
    /// The deadline passed.
    case timedOut
    /// The task was cancelled.
    case cancelled
    /// The descriptor cannot be watched.
    case failed(SystemError)
  }

  /// Suspends the task until a descriptor is ready, the deadline passes or the task is cancelled, whichever is first.
  ///
  /// - Parameters:
  ///   - descriptor: Must stay open until this returns.
  ///   - deadline: `nil` waits for ever.
  nonisolated(nonsending) public func wait(
    for descriptor: FileDescriptor, _ events: IOEvents, deadline: ContinuousClock.Instant? = nil
  ) async -> WaitOutcome {
    let waiter = Waiter(self)
    return await withTaskCancellationHandler {
      // Sound: the waiter resumes it exactly once.
      unsafe await withUnsafeContinuation { (continuation: UnsafeContinuation<WaitOutcome, Never>) in
        unsafe waiter.start(continuation, descriptor, events, deadline)
      }
    } onCancel: {
      waiter.finish(.cancelled)
    }
  }
}

/// One suspended task: whatever comes first of readiness, deadline and cancellation resumes it and undoes the others.
private final class Waiter: Sendable {
  private let reactor: Reactor
  private let state = Mutex(State())

  @safe private struct State {
    var outcome: Reactor.WaitOutcome?
    var continuation: UnsafeContinuation<Reactor.WaitOutcome, Never>?
    var registration: Registration?
    var timer: ScheduledAction?
  }

  init(_ reactor: Reactor) {
    self.reactor = reactor
  }

  func start(
    _ continuation: UnsafeContinuation<Reactor.WaitOutcome, Never>, _ descriptor: FileDescriptor, _ events: IOEvents,
    _ deadline: ContinuousClock.Instant?
  ) {
    // What comes first may come before this is done: it waits for the lock, then finds everything in place.
    let outcome: Reactor.WaitOutcome? = state.withLock { state in
      if let outcome = state.outcome { return outcome }
      do throws(SystemError) {
        state.registration = try reactor.register(descriptor, for: events) { [self] in finish(.ready($0)) }
      } catch {
        state.outcome = .failed(error)
        return state.outcome
      }
      if let deadline { state.timer = reactor.schedule(at: deadline) { [self] in finish(.timedOut) } }
      unsafe state.continuation = continuation
      return nil
    }
    if let outcome { unsafe continuation.resume(returning: outcome) }
  }

  func finish(_ outcome: Reactor.WaitOutcome) {
    let finished = state.withLock { state -> State? in
      guard state.outcome == nil else { return nil }
      state.outcome = outcome
      let finished = state
      state.registration = nil
      state.timer = nil
      unsafe state.continuation = nil
      return finished
    }
    guard let finished else { return }
    finished.timer?.cancel()
    finished.registration?.cancel()
    unsafe finished.continuation?.resume(returning: outcome)
  }
}
