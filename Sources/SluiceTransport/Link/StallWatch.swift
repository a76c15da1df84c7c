/// When a link counts as stalled on which somebody waits to send. A pure value: no clock, no I/O.
///
/// The other end may be slow to take messages for good reasons, and then credit lacks; what matters is whether it still
/// receives. So while anybody waits, it is asked: a probe goes behind all that was sent, and is answered where it is met. One
/// that is not answered in time has met nobody.
struct StallWatch: Sendable, Hashable {
  private enum State: Hashable {
    /// Nobody waits, as far as is known.
    case resting
    /// A probe is under way.
    case asked
    /// It was answered; somebody may still wait.
    case answered
  }

  /// What is to be done when the time for an answer has passed.
  enum Finding: Hashable {
    /// Ask again, and look again after the same time.
    case ask
    /// Nothing, until somebody waits again.
    case rest
    case stalled
  }

  private var state = State.resting

  /// Somebody begins to wait; whether to ask the other end, and to look after the time for an answer.
  mutating func beginsToWait() -> Bool {
    guard state == .resting else { return false }
    state = .asked
    return true
  }

  /// The other end has answered; false when it was not asked.
  mutating func answered() -> Bool {
    guard state == .asked else { return false }
    state = .answered
    return true
  }

  /// The time for an answer has passed.
  mutating func look(isAnybodyWaiting: Bool) -> Finding {
    switch state {
    case .asked: return .stalled
    case .answered where isAnybodyWaiting:
      state = .asked
      return .ask
    case .answered, .resting:
      state = .resting
      return .rest
    }
  }
}
