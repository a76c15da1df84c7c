import SluiceSystem
import SluiceWaiting
import Synchronization

// How a blocked thread takes its turn to drain a link.
extension Link {
  /// Delivers what arrives, on the calling thread, until `isDone` or the deadline; or sleeps, while others do. For a thread
  /// whose parker is unparked, with ``interrupt(_:wait:)``, when `isDone` changes.
  package func drain(
    for parker: Parker, wait: UInt64, deadline: ContinuousClock.Instant?, until isDone: () -> Bool
  ) {
    switch receiver {
    case let receiver?: drain(receiver, for: parker, wait: wait, deadline: deadline, until: isDone)
    case nil:
      guard let source = polled.withLock({ $0 }) else { return }
      drain(source, for: parker, wait: wait, deadline: deadline, until: isDone)
    }
  }

  @inline(__always)
  private func drain(
    _ source: some DrainedSource, for parker: Parker, wait: UInt64, deadline: ContinuousClock.Instant?,
    until isDone: () -> Bool
  ) {
    var wasQueued = false
    while !isDone() {
      let taking = draining.withLock { state in
        let taking = state.turn.take(for: parker)
        if case .granted = taking { state.drainer = parker }
        return taking
      }
      switch taking {
      case .refused: return
      case .granted(let wasArmed):
        disarm(wasArmed)
        if !drain(source, parker, wait, deadline, isDone) { return }
      case .queued:
        wasQueued = true
        if !parker.park(deadline: deadline) { return withdraw(parker) }
      }
    }
    if wasQueued { withdraw(parker) }
  }

  /// A thread has the turn: the reactor need not be told.
  @inline(__always)
  private func disarm(_ wasArmed: Bool) {
    switch receiver {
    case let receiver?: if wasArmed { receiver.disarm() }
    // Armed or not, as the turn may come from the reactor in the middle of its work.
    case nil: stopWatching()
    }
  }

  /// With the turn, which is passed on in the end. False when the deadline passed, or nothing comes any more.
  private func drain(
    _ source: some DrainedSource, _ parker: Parker, _ wait: UInt64, _ deadline: ContinuousClock.Instant?,
    _ isDone: () -> Bool
  ) -> Bool {
    isThreadDraining.store(true, ordering: .relaxed)
    func isInterrupted() -> Bool { isDone() || isRestWanted.load(ordering: .sequentiallyConsistent) }
    while true {
      // Who alone consumes sees without a lock whether there is anything.
      let hadFrames = source.mayHaveFrames
      let drained = hadFrames ? drainOnce(atMost: .max, until: isDone) : isDone() ? .done : .empty
      switch drained {
      case .done:
        passOn()
        return true
      case .paused:
        isThreadDraining.store(false, ordering: .relaxed)
        return true
      case .finished:
        isThreadDraining.store(false, ordering: .relaxed)
        return false
      case .more, .empty:
        // It was for others, and there may be no end of it.
        if hadFrames, let deadline, deadline <= .now {
          passOn()
          return false
        }
        if case .more = drained { continue }
      }
      parker.elsewhere.store(wait, ordering: .sequentiallyConsistent)
      // An error is met again by the next drain.
      let isInTime = (try? source.wait(deadline: deadline, unless: isInterrupted)) ?? true
      parker.elsewhere.store(0, ordering: .sequentiallyConsistent)
      if !isInTime || isInterrupted() {
        passOn()
        return isInTime
      }
    }
  }

  /// A thread waits for this link no more.
  private func withdraw(_ parker: Parker) {
    let (passed, next) = draining.withLock { $0.turn.withdraw(parker) }
    guard passed else { return }
    if let next { next.unpark() } else { rest() }
  }

  /// Makes a thread that sleeps as it drains look whether it is done, if it still is in that wait.
  package func interrupt(_ parker: Parker, wait: UInt64) {
    // Who has looked, and not yet slept, is not woken by this: again, until it is awake.
    while parker.elsewhere.load(ordering: .sequentiallyConsistent) == wait {
      wakeDrainer()
      WorkerThread.yield()
    }
  }

  private func wakeDrainer() {
    switch receiver {
    case let receiver?: receiver.wakeSleepers()
    case nil: polled.withLock { $0 }?.wakeSleepers()
    }
  }

  /// Makes the thread that drains pass on its turn, for the rest. Only until it has: it, or another one that drains by then,
  /// may sleep again, and rightly.
  func interruptDrainer() {
    while isRestWanted.load(ordering: .sequentiallyConsistent),
      let parker = draining.withLock({ $0.drainer }), parker.elsewhere.load(ordering: .sequentiallyConsistent) != 0
    {
      wakeDrainer()
      WorkerThread.yield()
    }
  }
}
