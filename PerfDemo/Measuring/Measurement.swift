/// Measures one file in all modes, taking turns.
struct Measurement {
  /// Round trips before the clock's results count: the first maps memory and grows buffers.
  static let warmUpCount = 5

  let exchanges: [any Exchange]
  let progress: Progress

  /// The report's rows for a file.
  ///
  /// - Throws: `DemoError`, or `CancellationError` between two round trips.
  func rows(for file: StoredFile) async throws -> [ReportRow] {
    let verifier = ResponseVerifier(file)
    var runs: [Run] = []
    for exchange in exchanges {
      progress.update("\(file.name): warming up, \(exchange.mode.rawValue)")
      runs.append(Run(exchange: exchange, plan: try await warmUp(exchange, verifier)))
    }
    for round in 0..<IterationPlan.rounds {
      for index in runs.indices {
        progress.update(
          "\(file.name): round \(round + 1) of \(IterationPlan.rounds), \(runs[index].exchange.mode.rawValue)")
        try await runs[index].take(round: round, verifier)
      }
    }
    return runs.compactMap { $0.row(for: file) }
  }

  /// Runs a mode a few times, the first time verified in full, and plans by what the later ones took.
  private func warmUp(_ exchange: any Exchange, _ verifier: ResponseVerifier) async throws -> IterationPlan {
    var times: [Duration] = []
    for index in 0..<Self.warmUpCount {
      try Task.checkCancellation()
      times.append(try await exchange.roundTrip(verifier, inFull: index == 0))
    }
    return IterationPlan(typicalRoundTrip: times.dropFirst().sorted()[(Self.warmUpCount - 1) / 2])
  }

  /// One mode's part of the measurement.
  private struct Run {
    let exchange: any Exchange
    let plan: IterationPlan
    var recording = Recording()
    var verifiedResponses = 0

    init(exchange: any Exchange, plan: IterationPlan) {
      self.exchange = exchange
      self.plan = plan
    }

    mutating func take(round: Int, _ verifier: ResponseVerifier) async throws {
      for iteration in 0..<plan.iterationsPerRound {
        try Task.checkCancellation()
        let inFull = plan.verifies(round: round, iteration: iteration)
        let time = try await exchange.roundTrip(verifier, inFull: inFull)
        recording.record(nanoseconds: time.wholeNanoseconds)
        if inFull { verifiedResponses += 1 }
      }
    }

    func row(for file: StoredFile) -> ReportRow? {
      recording.summary.map {
        ReportRow(
          fileName: file.name, mode: exchange.mode, transport: exchange.transport, payload: file.size, latency: $0,
          verifiedResponses: verifiedResponses)
      }
    }
  }
}

extension Duration {
  /// This duration in nanoseconds, rounded down; 0 when it is negative.
  var wholeNanoseconds: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    return UInt64(seconds) &* 1_000_000_000 &+ UInt64(attoseconds / 1_000_000_000)
  }
}
