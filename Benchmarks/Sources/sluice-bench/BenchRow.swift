import Histogram

/// What was measured of one technique in one placement, in nanoseconds.
struct BenchRow: Codable, Sendable {
  let placement: Placement
  let technique: Technique
  let iterations: UInt64
  let p50Nanoseconds: UInt64
  let p99Nanoseconds: UInt64
  /// The median over that of the bare futex, and of the bare stream, in the same placement.
  var ratioToFutex: Double?
  var ratioToStream: Double?

  init(_ placement: Placement, _ technique: Technique, _ histogram: Histogram<UInt32>) {
    self.placement = placement
    self.technique = technique
    iterations = histogram.totalCount
    p50Nanoseconds = histogram.valueAtPercentile(50)
    p99Nanoseconds = histogram.valueAtPercentile(99)
  }

  /// The rows with their ratios.
  static func withRatios(_ rows: [BenchRow]) -> [BenchRow] {
    rows.map { row in
      func ratio(to technique: Technique) -> Double? {
        rows.first { $0.placement == row.placement && $0.technique == technique }
          .map { Double(row.p50Nanoseconds) / Double($0.p50Nanoseconds) }
      }
      var row = row
      row.ratioToFutex = ratio(to: .futex)
      row.ratioToStream = ratio(to: .stream)
      return row
    }
  }

  /// The rows as a table.
  static func table(_ rows: [BenchRow]) -> String {
    let headings = ["placement", "round trip", "p50 us", "p99 us", "to futex", "to stream"]
    let cells = rows.map { row in
      [
        row.placement.rawValue, row.technique.rawValue, decimal(Double(row.p50Nanoseconds) / 1000),
        decimal(Double(row.p99Nanoseconds) / 1000), row.ratioToFutex.map(decimal) ?? "",
        row.ratioToStream.map(decimal) ?? "",
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
