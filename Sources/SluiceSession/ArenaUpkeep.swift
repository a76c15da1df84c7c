import SluiceMemory
import SluiceSystem
import SluiceTransport
import Synchronization

/// Looks after an arena: gives idle segments back to the kernel, and says which ones went.
///
/// Works as long as it is kept. While the arena has no segment, nothing is scheduled. Thread-safe.
final class ArenaUpkeep: Sendable {
  private let arena: Arena
  private let reactor: Reactor
  private let interval: Duration
  private let retired: @Sendable ([Segment]) -> Void
  private let timer = Mutex<ScheduledAction?>(nil)

  /// - Parameter retired: Is called with the segments that the arena gave up, on any thread.
  init(
    of arena: Arena, reactor: Reactor, interval: Duration, retired: @escaping @Sendable ([Segment]) -> Void
  ) {
    self.arena = arena
    self.reactor = reactor
    self.interval = interval
    self.retired = retired
    arena.observe { [weak self] change in
      if change.hasGrown { self?.schedule() }
      if !change.retired.isEmpty { self?.retired(change.retired) }
    }
  }

  deinit {
    timer.withLock { $0.take() }?.cancel()
  }

  private func schedule() {
    timer.withLock { timer in
      guard timer == nil else { return }
      timer = reactor.schedule(at: .now.advanced(by: interval)) { [weak self] in self?.look() }
    }
  }

  private func look() {
    timer.withLock { $0 = nil }
    if arena.decay() { schedule() }
  }
}
