import Foundation

/// The report as JSON: an object with `machine` and `rows`; times in nanoseconds.
struct JSONReport: Codable, Equatable {
  struct Row: Codable, Equatable {
    let mode: Mode
    let transport: String
    let payloadBytes: Int
    let iterations: Int
    let p50Nanoseconds: UInt64
    let p99Nanoseconds: UInt64
    let minNanoseconds: UInt64
    let maxNanoseconds: UInt64
    /// Whether responses were compared with the file on disk and each one matched.
    let verified: Bool
  }

  let machine: Machine
  let rows: [Row]

  init(_ report: Report) {
    machine = report.machine
    rows = report.rows.map {
      Row(
        mode: $0.mode, transport: $0.transport, payloadBytes: $0.payload.byteCount, iterations: $0.latency.iterations,
        p50Nanoseconds: $0.latency.p50, p99Nanoseconds: $0.latency.p99, minNanoseconds: $0.latency.minimum,
        maxNanoseconds: $0.latency.maximum, verified: $0.verifiedResponses > 0)
    }
  }

  /// The document, with a line break at its end.
  func encoded() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(self), as: UTF8.self) + "\n"
  }
}
