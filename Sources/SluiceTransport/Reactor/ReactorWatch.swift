import SluiceSystem
import Synchronization
import SystemPackage

/// Keeps a descriptor registered with a reactor from one wait to the next, so that a wait of a task costs no system call of
/// its own. What a transport has that wants its `async` face to be fast; see `Transport.readWatch`. Thread-safe.
///
/// The owner says `look()` before it asks the kernel what is there, and `notify()` when there is something to be had that the
/// descriptor does not show. A wait ends at once when anything has happened since the last look.
///
/// While nobody waits, the descriptor is watched for two more events, then not any more until somebody waits again.
public final class ReactorWatch: Sendable {
  private let handle: Handle
  private let state = Mutex(State())
  /// How often something has happened, and how often it had before the last look.
  private let happened = Atomic<UInt64>(0)
  private let looked = Atomic<UInt64>(0)
  private let finished = Atomic<Bool>(false)

  private struct State {
    var registration: (registration: Registration, reactor: Reactor)?
    var waiters: [Waiter] = []
    /// How many events in a row nobody waited for.
    var idleCount = 0
  }

  private static let idleLimit = 2

  /// Makes a watch that costs nothing until the first wait.
  ///
  /// - Parameter handle: Its descriptor becomes readable with each thing that arrives.
  public init(_ handle: Handle) {
    self.handle = handle
  }

  deinit {
    state.withLock { $0.registration.take() }?.registration.cancel()
  }

  /// Notes that the owner looks now, so that what has happened before needs no other look.
  public func look() {
    looked.store(happened.load(ordering: .sequentiallyConsistent), ordering: .sequentiallyConsistent)
  }

  /// Whether the peer of a socket was seen to have finished: a look that has brought bytes does not tell whether the end was
  /// behind them.
  public var isFinished: Bool { finished.load(ordering: .sequentiallyConsistent) }

  /// Something happened. Wakes who waits.
  public func notify() {
    happened.add(1, ordering: .sequentiallyConsistent)
    let waiters = state.withLock { state in
      defer { state.waiters.removeAll(keepingCapacity: true) }
      return state.waiters
    }
    for waiter in waiters { waiter.finish(.ready(.readable)) }
  }

  /// Suspends the task until something has happened since the last look, the deadline passes or the task is cancelled.
  ///
  /// - Parameters:
  ///   - deadline: `nil` waits for ever.
  ///   - reactor: Who watches. If several wait, with different ones, it is the first one's.
  nonisolated(nonsending) public func wait(
    deadline: ContinuousClock.Instant?, on reactor: Reactor
  ) async -> Reactor.WaitOutcome {
    if hasNews { return .ready(.readable) }
    let waiter = Waiter(reactor)
    let outcome = await withTaskCancellationHandler {
      // Sound: the waiter resumes it exactly once.
      unsafe await withUnsafeContinuation { (continuation: UnsafeContinuation<Reactor.WaitOutcome, Never>) in
        unsafe waiter.start(continuation, deadline) { () throws(SystemError) in
          try add(waiter, reactor) ? .ready : .waiting(nil)
        }
      }
    } onCancel: {
      waiter.finish(.cancelled)
    }
    if case .ready = outcome { return outcome }
    state.withLock { $0.waiters.removeAll { $0 === waiter } }
    return outcome
  }

  private var hasNews: Bool {
    happened.load(ordering: .sequentiallyConsistent) != looked.load(ordering: .sequentiallyConsistent)
  }

  /// Adds a waiter, and says whether there is news already.
  private func add(_ waiter: Waiter, _ reactor: Reactor) throws(SystemError) -> Bool {
    // Not cancelled under the lock: a handler that runs may wait for it.
    let outdated = state.withLock { state -> Registration? in
      guard let (registration, current) = state.registration, current !== reactor, state.waiters.isEmpty else {
        return nil
      }
      state.registration = nil
      return registration
    }
    outdated?.cancel()
    return try state.withLock { (state) throws(SystemError) in
      state.waiters.append(waiter)
      state.idleCount = 0
      if state.registration == nil {
        do throws(SystemError) {
          // What is there already is reported as an event, too.
          let registration = try reactor.register(handle.descriptor, for: [.readable, .peerFinished, .edgeTriggered]) {
            [weak self] events in self?.happened(events)
          }
          state.registration = (registration, reactor)
        } catch {
          state.waiters.removeAll { $0 === waiter }
          throw error
        }
      }
      // Looked at under the lock, which `notify` takes after it has counted.
      guard hasNews else { return false }
      state.waiters.removeAll { $0 === waiter }
      return true
    }
  }

  /// On the reactor's thread.
  private func happened(_ events: IOEvents) {
    if events.contains(.peerFinished) { finished.store(true, ordering: .sequentiallyConsistent) }
    let unneeded = state.withLock { state -> Registration? in
      state.idleCount = state.waiters.isEmpty ? state.idleCount + 1 : 0
      // A reactor that ends says so by a hang-up, and forgets.
      guard state.idleCount >= Self.idleLimit || events.contains(.hungUp) else { return nil }
      return state.registration.take()?.registration
    }
    notify()
    unneeded?.cancel()
  }
}
