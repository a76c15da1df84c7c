import Testing

@testable import perf_demo

@Suite struct MeasuringTests {
  @Test func `nothing recorded has no summary`() {
    #expect(Recording().summary == nil)
  }

  @Test func `a summary has percentiles and exact extremes`() throws {
    var recording = Recording()
    for value in (1...1000).shuffled() { recording.record(nanoseconds: UInt64(value) * 1001) }
    let summary = try #require(recording.summary)
    #expect(summary.iterations == 1000)
    #expect(summary.minimum == 1001)
    #expect(summary.maximum == 1_001_000)
    #expect(abs(Double(summary.p50) / 500_500 - 1) < 0.002)
    #expect(abs(Double(summary.p99) / 990_990 - 1) < 0.002)
  }

  @Test func `percentiles stay within the extremes`() throws {
    var recording = Recording()
    recording.record(nanoseconds: 1_000_001)
    let summary = try #require(recording.summary)
    #expect(summary.p50 == 1_000_001 && summary.p99 == 1_000_001)
  }

  @Test func `a time beyond the histogram counts as the longest one`() throws {
    var recording = Recording()
    recording.record(nanoseconds: UInt64.max)
    #expect(try #require(recording.summary).iterations == 1)
  }

  @Test(arguments: [
    (Duration.nanoseconds(0), 2000), (.microseconds(50), 2000), (.milliseconds(4), 1000), (.milliseconds(46), 80),
    (.milliseconds(480), 10), (.seconds(60), 10),
  ])
  func `round trips are repeated as often as time allows`(typical: Duration, iterations: Int) {
    #expect(IterationPlan(typicalRoundTrip: typical).iterations == iterations)
  }

  @Test func `each round's first response and the last of all are verified`() {
    let plan = IterationPlan(typicalRoundTrip: .milliseconds(46))
    let verified = (0..<plan.rounds).flatMap { round in
      (0..<plan.iterationsPerRound).filter { plan.verifies(round: round, iteration: $0) }.map { [round, $0] }
    }
    #expect(verified == (0..<10).map { [$0, 0] } + [[9, 7]])
  }
}
