import Histogram

/// What was measured of one technique in one placement, in nanoseconds.
struct BenchRow: Codable, Sendable {
  let placement: Placement
  let technique: Technique
  let iterations: UInt64
  let p50Nanoseconds: UInt64
  let p99Nanoseconds: UInt64
  /// What it is compared with in the same placement, and its median and 99th percentile over those: medians over rounds.
  let baseline: Technique
  var medianRatio: Double?
  var medianDistanceNanoseconds: Double?
  var tailRatio: Double?
  /// What may be, and whether it is.
  var medianBudget: Budget?
  var medianIsMet: Bool?
  var tailBudget: Budget?
  var tailIsMet: Bool?
  /// On the measuring side; `nil` where it cannot be counted.
  var allocatedBytesPerExchange: Double?
  var systemCallsPerExchange: Double?
  var allocationBudget: Double?
  var systemCallBudget: Double?

  init(_ placement: Placement, _ rounds: Rounds, against baselineRounds: Rounds?) {
    let technique = rounds.technique
    self.placement = placement
    self.technique = technique
    baseline = technique.baseline(in: placement)
    iterations = rounds.histogram.totalCount
    p50Nanoseconds = rounds.histogram.valueAtPercentile(50)
    p99Nanoseconds = rounds.histogram.valueAtPercentile(99)
    allocatedBytesPerExchange = rounds.allocatedBytes
    systemCallsPerExchange = rounds.systemCalls
    allocationBudget = technique.allocationBudget
    systemCallBudget = technique.systemCallBudget
    guard let baselineRounds else { return }
    let ratio = Self.median(zip(rounds.medians, baselineRounds.medians).map { $0 / max(1, $1) })
    let distance = Self.median(zip(rounds.medians, baselineRounds.medians).map { $0 - $1 })
    let tail = Self.median(zip(rounds.tails, baselineRounds.tails).map { $0 / max(1, $1) })
    (medianRatio, medianDistanceNanoseconds, tailRatio) = (ratio, distance, tail)
    medianBudget = technique.medianBudget(in: placement)
    medianIsMet = medianBudget?.isMet(nanoseconds: Double(p50Nanoseconds), ratio: ratio, distance: distance)
    tailBudget = technique.tailBudget
    tailIsMet = tailBudget?.isMet(nanoseconds: Double(p99Nanoseconds), ratio: tail, distance: 0)
  }

  private static func median(_ values: [Double]) -> Double {
    values.isEmpty ? 0 : values.sorted()[values.count / 2]
  }

  /// The rows as a table.
  static func table(_ rows: [BenchRow]) -> String {
    let headings = [
      "placement", "exchange", "p50 us", "p99 us", "p50 ratio", "p99 ratio", "to", "p50 budget", "p99 budget",
      "allocated", "system calls",
    ]
    let cells = rows.map { row in
      [
        row.placement.rawValue, row.technique.rawValue, decimal(Double(row.p50Nanoseconds) / 1000),
        decimal(Double(row.p99Nanoseconds) / 1000), row.medianRatio.map(decimal) ?? "",
        row.tailRatio.map(decimal) ?? "", row.baseline.rawValue, verdict(row.medianBudget, row.medianIsMet),
        verdict(row.tailBudget, row.tailIsMet), counted(row.allocatedBytesPerExchange, row.allocationBudget),
        counted(row.systemCallsPerExchange, row.systemCallBudget),
      ]
    }
    let widths = headings.indices.map { column in ([headings] + cells).map { $0[column].count }.max() ?? 0 }
    return ([headings] + cells).map { row in
      zip(row, widths).enumerated().map { column, cell in
        let padding = String(repeating: " ", count: cell.1 - cell.0.count)
        return column < 2 ? cell.0 + padding : padding + cell.0
      }.joined(separator: "  ")
    }.joined(separator: "\n") + "\n\(legend)\n"
  }

  private static let legend =
    "p50, p99 ratio: medians over rounds. allocated: heap bytes for each exchange; system calls: for each exchange; both of "
    + "the measuring side's thread."

  private static func verdict(_ budget: Budget?, _ isMet: Bool?) -> String {
    guard let budget, let isMet else { return "" }
    return "\(budget.description) \(isMet ? "met" : "not met")"
  }

  private static func counted(_ value: Double?, _ limit: Double?) -> String {
    guard let value else { return "not available" }
    // A rare event of the machine's is none of the exchange's.
    guard let limit else { return decimal(value) }
    return "\(decimal(value)) \(value <= limit + 0.05 ? "met" : "not met")"
  }

  private static func decimal(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    let fraction = hundredths % 100
    return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
  }
}

/// What rounds have brought for one technique.
struct Rounds: Sendable {
  let technique: Technique
  var histogram = Histogram<UInt32>(
    highestTrackableValue: 60_000_000_000, numberOfSignificantValueDigits: .three)
  /// The median and the 99th percentile of each round.
  var medians: [Double] = []
  var tails: [Double] = []
  var allocatedBytes: Double?
  var systemCalls: Double?

  init(_ technique: Technique) { self.technique = technique }

  mutating func add(_ times: [UInt64]) {
    guard !times.isEmpty else { return }
    for time in times { histogram.record(min(time, histogram.highestTrackableValue)) }
    let sorted = times.sorted()
    medians.append(Double(sorted[sorted.count / 2]))
    tails.append(Double(sorted[min(sorted.count - 1, sorted.count * 99 / 100)]))
  }
}
