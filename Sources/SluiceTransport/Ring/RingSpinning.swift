import SluiceSystem
import Synchronization

/// How long a blocking wait looks for a change before it sleeps. Spinning saves a system call on each side and a wake-up,
/// and burns a processor meanwhile.
public enum RingSpinning: Sendable, Hashable {
  /// Sleep at once.
  case off
  /// Spin so long each time.
  case fixed(Duration)
  /// Spin so long as long as it pays: after eight waits in a row that ended in sleep, only every 64th wait spins.
  case adaptive(Duration)

  /// Spins about as long as waking a sleeping processor takes: 50 microseconds.
  public static let `default` = RingSpinning.adaptive(.microseconds(50))
}

/// Decides before each wait how long to spin. Races between threads make it decide less well, nothing else.
struct RingSpinner: ~Copyable, Sendable {
  private let policy: RingSpinning
  private let misses = Atomic<Int>(0)

  /// Never spins where this thread may run on one processor only: the peer could not run meanwhile.
  init(_ policy: RingSpinning, processorCount: Int = Processors.allowedCount) {
    self.policy = processorCount > 1 ? policy : .off
  }

  /// How long the next wait may spin; zero not to.
  var budget: Duration {
    switch policy {
    case .off: return .zero
    case .fixed(let duration): return duration
    case .adaptive(let duration):
      let misses = misses.load(ordering: .relaxed)
      return misses < 8 || misses % 64 == 0 ? duration : .zero
    }
  }

  /// The wait ended while it spun.
  func hit() {
    if misses.load(ordering: .relaxed) != 0 { misses.store(0, ordering: .relaxed) }
  }

  /// The wait went on to sleep.
  func missed() { misses.wrappingAdd(1, ordering: .relaxed) }

  /// Looks again and again, until there is a change or the time is over. False when it is over.
  func spin(until isChanged: () -> Bool) -> Bool {
    let budget = budget
    guard budget > .zero else { return false }
    // The first round without the clock: most changes between busy sides come within it.
    for _ in 0..<512 where isChanged() { return true }
    let end = ContinuousClock.now + budget
    repeat {
      for _ in 0..<64 {
        if isChanged() { return true }
        Processors.spinHint()
      }
    } while ContinuousClock.now < end
    return false
  }
}
