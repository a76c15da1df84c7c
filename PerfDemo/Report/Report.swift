/// How a response reaches the client.
enum Mode: String, Codable, CaseIterable, Sendable {
  /// Written to and read from a Unix stream socket.
  case classic
  /// Requested on a channel of a session, read in place.
  case zeroCopy = "zero-copy"
}

/// What was measured with one payload in one mode.
struct ReportRow: Equatable, Sendable {
  let fileName: String
  let mode: Mode
  /// What carries the bytes, in Sluice's words for transports.
  let transport: String
  let payload: ByteSize
  let latency: LatencySummary
  /// How many responses were compared with the file on disk, chunk by chunk. All of them matched: a mismatch ends the run.
  let verifiedResponses: Int
}

/// Everything that a run found out.
struct Report: Equatable, Sendable {
  let machine: Machine
  let rows: [ReportRow]

  /// The rows of one mode, by size of payload.
  func rows(of mode: Mode) -> [ReportRow] {
    rows.filter { $0.mode == mode }.sorted { $0.payload < $1.payload }
  }

  /// The row of the other mode with the same payload.
  func counterpart(of row: ReportRow) -> ReportRow? {
    rows.first { $0.fileName == row.fileName && $0.mode != row.mode }
  }
}
