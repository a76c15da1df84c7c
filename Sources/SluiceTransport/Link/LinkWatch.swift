import SluiceSystem
import Synchronization

/// Has the reactor look at a link that threads have left, once none of them was there for a while.
///
/// As long as threads come and go, it costs them one addition each time, and the reactor a timer in each interval. Then the
/// reactor takes the link over, and is told of what arrives.
final class LinkWatch: Sendable {
  /// How long frames may stay unseen that nobody waits for.
  private static let interval = Duration.milliseconds(5)

  private let departures = Atomic<UInt64>(0)
  private let isRunning = Atomic<Bool>(false)

  /// A thread has left the link to nobody.
  func threadLeft(_ link: Link) {
    departures.wrappingAdd(1, ordering: .sequentiallyConsistent)
    // Looked at first, which costs less.
    guard !isRunning.load(ordering: .sequentiallyConsistent),
      !isRunning.exchange(true, ordering: .sequentiallyConsistent)
    else { return }
    tick(link)
  }

  private func tick(_ link: Link) {
    let seen = departures.load(ordering: .sequentiallyConsistent)
    link.reactor.schedule(at: .now.advanced(by: Self.interval)) { [self] in
      guard departures.load(ordering: .sequentiallyConsistent) == seen else { return tick(link) }
      // In this order: a thread that leaves later begins anew.
      isRunning.store(false, ordering: .sequentiallyConsistent)
      link.unattended()
    }
  }
}
