/// Conversions of deadlines into what the kernel's waiting calls take.
public enum Deadline {
  /// How many nanoseconds are left: 0 when the deadline has passed, negative when there is none.
  public static func nanosecondsLeft(until deadline: ContinuousClock.Instant?) -> Int64 {
    guard let deadline else { return -1 }
    return nanoseconds(of: ContinuousClock.now.duration(to: deadline))
  }

  /// A duration in nanoseconds: 0 for one in the past.
  static func nanoseconds(of duration: Duration) -> Int64 {
    let (seconds, attoseconds) = duration.components
    if seconds < 0 || attoseconds < 0 { return 0 }
    // About 31 years: further than any wait, and far from overflow. Rounded up, so that a wait never ends early.
    if seconds >= 1_000_000_000 { return 1_000_000_000_000_000_000 }
    return seconds * 1_000_000_000 + (attoseconds + 999_999_999) / 1_000_000_000
  }
}
