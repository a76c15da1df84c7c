/// How often to repeat a round trip, and in which portions: the modes take turns, round by round, so that whatever else
/// happens on the machine happens to both.
struct IterationPlan: Equatable, Sendable {
  /// Turns of each mode.
  let rounds: Int
  /// Round trips in a turn.
  let iterationsPerRound: Int

  var iterations: Int { rounds * iterationsPerRound }

  /// How long all turns of one mode may take, about.
  static let timeBudget = Duration.seconds(4)
  /// Enough for a 99th percentile that is not the maximum, where time allows.
  static let mostIterations = 2000
  static let rounds = 10

  /// A plan for round trips that take about as long as the warm-up's did: as many as the time budget allows, at least one
  /// and at most 200 in each of 10 rounds.
  init(typicalRoundTrip: Duration) {
    let affordable = Self.timeBudget / max(typicalRoundTrip, .nanoseconds(1))
    let bounded = min(max(affordable, Double(Self.rounds)), Double(Self.mostIterations))
    rounds = Self.rounds
    iterationsPerRound = Int(bounded) / Self.rounds
  }

  /// Whether the response of a round trip is to be verified in full: each round's first, and the last of all.
  func verifies(round: Int, iteration: Int) -> Bool {
    iteration == 0 || (round == rounds - 1 && iteration == iterationsPerRound - 1)
  }
}
