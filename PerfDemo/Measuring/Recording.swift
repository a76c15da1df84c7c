import Histogram

/// The times of the round trips of one mode with one payload.
struct Recording {
  /// Three significant digits from 1 ns to an hour.
  private var histogram = Histogram<UInt32>(
    highestTrackableValue: 3_600_000_000_000, numberOfSignificantValueDigits: .three)
  /// The exact extremes; the histogram keeps three digits of them.
  private var minimum = UInt64.max
  private var maximum: UInt64 = 0

  /// Adds one round trip.
  mutating func record(nanoseconds: UInt64) {
    histogram.record(min(nanoseconds, histogram.highestTrackableValue))
    minimum = min(minimum, nanoseconds)
    maximum = max(maximum, nanoseconds)
  }

  /// How many round trips were recorded.
  var count: Int { Int(histogram.totalCount) }

  /// What the recording says; `nil` when nothing was recorded. Percentiles stay within the extremes, beyond which the
  /// histogram's rounding may go.
  var summary: LatencySummary? {
    guard count > 0 else { return nil }
    func percentile(_ value: Double) -> UInt64 {
      min(max(histogram.valueAtPercentile(value), minimum), maximum)
    }
    return LatencySummary(
      iterations: count, p50: percentile(50), p99: percentile(99), minimum: minimum, maximum: maximum)
  }
}

/// Percentiles and extremes of round trips, in nanoseconds.
struct LatencySummary: Equatable, Sendable {
  let iterations: Int
  let p50: UInt64
  let p99: UInt64
  let minimum: UInt64
  let maximum: UInt64
}
