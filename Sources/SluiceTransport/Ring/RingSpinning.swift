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
package struct RingSpinner: ~Copyable, Sendable {
  /// 0 not to spin at all.
  private let nanoseconds: Int64
  private let isAdaptive: Bool
  private let misses = Atomic<Int>(0)

  /// Never spins where this thread may run on one processor only: the peer could not run meanwhile.
  package init(_ policy: RingSpinning, processorCount: Int = Processors.allowedCount) {
    let duration: Duration
    switch policy {
    case .off: (duration, isAdaptive) = (.zero, false)
    case .fixed(let fixed): (duration, isAdaptive) = (fixed, false)
    case .adaptive(let most): (duration, isAdaptive) = (most, true)
    }
    // An hour is for ever.
    nanoseconds = processorCount > 1 ? Int64(max(.zero, min(duration, .seconds(3600))) / .nanoseconds(1)) : 0
  }

  /// Whether a wait spins, after so many that did so in vain.
  private func spins(after misses: Int) -> Bool { !isAdaptive || misses < 8 || misses % 64 == 0 }

  /// Looks again and again, until there is a change or the time is over; false when it is over, or nobody spins now.
  @inline(__always)
  package func spin(until isChanged: () -> Bool) -> Bool {
    guard nanoseconds > 0 else { return false }
    guard spins(after: misses.load(ordering: .relaxed)) else {
      missed()
      return false
    }
    // The first round without the clock: most changes between busy sides come within it.
    for _ in 0..<512 where isChanged() {
      hit()
      return true
    }
    return spinByClock(until: isChanged)
  }

  @inline(never)
  private func spinByClock(until isChanged: () -> Bool) -> Bool {
    let end = ContinuousClock.now + .nanoseconds(nanoseconds)
    repeat {
      for _ in 0..<64 {
        if isChanged() {
          hit()
          return true
        }
        Processors.spinHint()
      }
    } while ContinuousClock.now < end
    missed()
    return false
  }

  /// The wait ended while it spun.
  @inline(__always)
  private func hit() {
    if misses.load(ordering: .relaxed) != 0 { misses.store(0, ordering: .relaxed) }
  }

  /// The wait goes on to sleep.
  private func missed() { misses.wrappingAdd(1, ordering: .relaxed) }
}
