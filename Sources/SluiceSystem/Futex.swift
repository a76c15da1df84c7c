import CSluice
import SystemPackage

/// Waiting on a word of memory, shared between processes or not. The corresponding C function is `futex`.
///
/// Both work on read-only mappings, so that a process can wait on a word that only its peer writes.
public enum Futex {
  /// How a wait ended.
  public enum Outcome: Sendable, Hashable {
    /// A waker, or nothing in particular: check the condition again.
    case woken
    /// The word did not have the expected value to begin with.
    case valueChanged
    /// The deadline passed.
    case timedOut
  }

  /// Sleeps while `word` holds `expected`, until woken or until the deadline.
  ///
  /// - Parameter word: Four-byte aligned; it must stay mapped during the call, from which follows why this is unsafe.
  @unsafe
  public static func wait(
    on word: UnsafePointer<UInt32>, while expected: UInt32, deadline: ContinuousClock.Instant? = nil
  ) throws(SystemError) -> Outcome {
    while true {
      let left = Deadline.nanosecondsLeft(until: deadline)
      if left == 0 { return .timedOut }
      let result = unsafe sluice_futex_wait(word, expected, left)
      switch Errno(rawValue: -result) {
      case Errno(rawValue: 0): return .woken
      case .resourceTemporarilyUnavailable: return .valueChanged
      // The kernel's clock for waits stands still while the machine is suspended: ask the deadline's clock.
      case .timedOut, .interrupted: continue
      default: throw SystemError(operation: "futex", negated: result, detail: "FUTEX_WAIT")
      }
    }
  }

  /// Wakes waiters on `word`.
  ///
  /// - Returns: How many were woken.
  @unsafe
  @discardableResult
  public static func wake(_ word: UnsafePointer<UInt32>, count: Int = .max) throws(SystemError) -> Int {
    Int(try systemCall("futex", "FUTEX_WAKE") { unsafe sluice_futex_wake(word, CInt(clamping: count)) })
  }
}
