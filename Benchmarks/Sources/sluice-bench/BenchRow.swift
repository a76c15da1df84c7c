import Histogram

/// What was measured of one technique in one placement, in nanoseconds.
struct BenchRow: Codable, Sendable {
  let placement: Placement
  let technique: Technique
  let iterations: UInt64
  let p50Nanoseconds: UInt64
  let p99Nanoseconds: UInt64
  /// What it is compared with in the same placement, and its median and 99th percentile over those.
  let baseline: Technique
  var medianRatio: Double?
  var tailRatio: Double?

  init(_ placement: Placement, _ technique: Technique, _ histogram: Histogram<UInt32>) {
    self.placement = placement
    self.technique = technique
    baseline = technique.baseline.works(in: placement) ? technique.baseline : .futex
    iterations = histogram.totalCount
    p50Nanoseconds = histogram.valueAtPercentile(50)
    p99Nanoseconds = histogram.valueAtPercentile(99)
  }

  /// The rows with their ratios.
  static func withRatios(_ rows: [BenchRow]) -> [BenchRow] {
    rows.map { row in
      guard let baseline = rows.first(where: { $0.placement == row.placement && $0.technique == row.baseline }) else {
        return row
      }
      var row = row
      row.medianRatio = Double(row.p50Nanoseconds) / Double(max(1, baseline.p50Nanoseconds))
      row.tailRatio = Double(row.p99Nanoseconds) / Double(max(1, baseline.p99Nanoseconds))
      return row
    }
  }

  /// The rows as a table.
  static func table(_ rows: [BenchRow]) -> String {
    let headings = ["placement", "round trip", "p50 us", "p99 us", "p50 ratio", "p99 ratio", "to"]
    let cells = rows.map { row in
      [
        row.placement.rawValue, row.technique.rawValue, decimal(Double(row.p50Nanoseconds) / 1000),
        decimal(Double(row.p99Nanoseconds) / 1000), row.medianRatio.map(decimal) ?? "",
        row.tailRatio.map(decimal) ?? "", row.baseline.rawValue,
      ]
    }
    let widths = headings.indices.map { column in ([headings] + cells).map { $0[column].count }.max() ?? 0 }
    return ([headings] + cells).map { row in
      zip(row, widths).enumerated().map { column, cell in
        let padding = String(repeating: " ", count: cell.1 - cell.0.count)
        return column < 2 ? cell.0 + padding : padding + cell.0
      }.joined(separator: "  ")
    }.joined(separator: "\n") + "\n"
  }

  private static func decimal(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    let fraction = hundredths % 100
    return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
  }
}
