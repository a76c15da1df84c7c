import Glibc

/// A clock that is read in a few nanoseconds, and that moves in steps of some milliseconds: for dates, not for timing.
/// The corresponding C call is `clock_gettime(CLOCK_MONOTONIC_COARSE)`.
public enum CoarseClock {
  /// Nanoseconds since some point in the past.
  public static var nanoseconds: UInt64 {
    var now = timespec()
    // Sound: the call writes the variable. It cannot fail: every Linux has the clock.
    unsafe clock_gettime(CLOCK_MONOTONIC_COARSE, &now)
    return UInt64(truncatingIfNeeded: now.tv_sec) &* 1_000_000_000 &+ UInt64(truncatingIfNeeded: now.tv_nsec)
  }
}
