/// The report as a table for the terminal.
struct TextTable {
  private static let headings = [
    "file", "payload", "mode", "transport", "round trips", "p50", "p99", "min", "max", "verified", "ratio of p50",
  ]
  /// The columns that hold words; the others hold numbers, which align at the right.
  private static let leftAligned: Set<Int> = [0, 2, 3]

  private let cells: [[String]]
  private let notes: [String]

  init(_ report: Report) {
    cells = report.rows.map { row in
      let ratio =
        row.mode == .zeroCopy
        ? report.counterpart(of: row).map { Figures.ratio($0.latency.p50, to: row.latency.p50) } ?? "" : ""
      return [
        row.fileName, row.payload.description, row.mode.rawValue, row.transport, "\(row.latency.iterations)",
        Figures.duration(nanoseconds: row.latency.p50), Figures.duration(nanoseconds: row.latency.p99),
        Figures.duration(nanoseconds: row.latency.minimum), Figures.duration(nanoseconds: row.latency.maximum),
        "\(row.verifiedResponses)", ratio,
      ]
    }
    notes = Self.notes(on: report)
  }

  /// The table, one line per row, with a legend under it.
  var text: String {
    let rows = [Self.headings] + cells
    let widths = Self.headings.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    func line(_ row: [String]) -> String {
      let padded = zip(row, widths).enumerated().map { column, cell in
        let padding = String(repeating: " ", count: cell.1 - cell.0.count)
        return Self.leftAligned.contains(column) ? cell.0 + padding : padding + cell.0
      }
      return trimmed(padded.joined(separator: "  "))
    }
    let rule = widths.map { String(repeating: "-", count: $0) }.joined(separator: "  ")
    return ([line(Self.headings), rule] + cells.map(line) + [""] + notes).joined(separator: "\n") + "\n"
  }

  private func trimmed(_ line: String) -> String {
    var line = line
    while line.last == " " { line.removeLast() }
    return line
  }

  private static func notes(on report: Report) -> [String] {
    var notes = [
      "Clock: from just before the request is sent until just after the first and last bytes of the first and last",
      "chunk were read. Verified: responses compared with the file on disk, untimed, each chunk's size and hash.",
    ]
    let zeroCopy = report.rows(of: .zeroCopy)
    if let smallest = zeroCopy.first, let largest = zeroCopy.last, smallest.payload < largest.payload {
      let ratio = Figures.ratio(largest.latency.p50, to: smallest.latency.p50)
      notes.append("Zero-copy, \(largest.payload) against \(smallest.payload): \(ratio).")
    }
    notes.append("Machine: \(report.machine.summary).")
    return notes
  }
}
