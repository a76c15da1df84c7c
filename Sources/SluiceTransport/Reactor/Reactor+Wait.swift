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
        unsafe waiter.start(continuation, deadline) { () throws(SystemError) in
          .waiting(try register(descriptor, for: events) { waiter.finish(.ready($0)) })
        }
      }
    } onCancel: {
      waiter.finish(.cancelled)
    }
  }
}

/// One suspended task: whatever comes first of readiness, deadline and cancellation resumes it and undoes the others.
final class Waiter: Sendable {
  private let reactor: Reactor
  private let state = Mutex(State())

  @safe private struct State {
    var outcome: Reactor.WaitOutcome?
    var continuation: UnsafeContinuation<Reactor.WaitOutcome, Never>?
    var registration: Registration?
    var timer: ScheduledAction?
  }

  /// How a wait begins.
  enum Beginning {
    /// With what is to be cancelled in the end, if anything is.
    case waiting(Registration?)
    /// There is nothing to wait for.
    case ready
  }

  init(_ reactor: Reactor) {
    self.reactor = reactor
  }

  /// - Parameter begin: Sees to it that `finish` is called in time.
  func start(
    _ continuation: UnsafeContinuation<Reactor.WaitOutcome, Never>, _ deadline: ContinuousClock.Instant?,
    _ begin: () throws(SystemError) -> Beginning
  ) {
    // What comes first may come before this is done: it waits for the lock, then finds everything in place.
    let outcome: Reactor.WaitOutcome? = state.withLock { state in
      if let outcome = state.outcome { return outcome }
      do throws(SystemError) {
        switch try begin() {
        case .waiting(let registration): state.registration = registration
        case .ready: state.outcome = .ready(.readable)
        }
      } catch {
        state.outcome = .failed(error)
      }
      if let outcome = state.outcome { return outcome }
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
