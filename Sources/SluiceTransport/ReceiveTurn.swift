import SluiceSystem

/// Which of the threads that wait for a transport's frames sleeps in the kernel: one at a time, so that it costs a single
/// system call, and nobody else touches the memory that the kernel fills. A pure value, kept under the transport's lock.
///
/// **No wake-up is lost.** Who has had the turn, and whoever was woken for it, wakes the next one when it leaves, whatever it
/// leaves with. Who does not wait for the turn and finds it taken is turned away, and told when it is free.
struct ReceiveTurn {
  /// Whether a thread has the turn.
  private(set) var isTaken = false
  private var waiting: [Parker] = []
  private var hasTurnedAway = false

  /// Takes the turn, which is free.
  mutating func take() { isTaken = true }

  /// Gives the turn back.
  ///
  /// - Returns: Whether somebody is to be told who was turned away meanwhile.
  mutating func giveBack() -> Bool {
    isTaken = false
    defer { hasTurnedAway = false }
    return hasTurnedAway
  }

  /// Notes that somebody found the turn taken, and does not wait for it.
  mutating func turnAway() { hasTurnedAway = true }

  /// Adds a thread, which parks, to those that wait for the turn.
  mutating func wait(_ parker: Parker) {
    waiting.append(parker)
  }

  /// Takes a thread out that looks by itself, so that nobody leaves the turn to it in vain.
  mutating func withdraw(_ parker: @autoclosure () -> Parker) {
    guard !waiting.isEmpty else { return }
    let parker = parker()
    waiting.removeAll { $0 == parker }
  }

  /// Who is to be woken by a thread that leaves: nobody while the turn is taken.
  mutating func next() -> Parker? { isTaken || waiting.isEmpty ? nil : waiting.removeFirst() }
}
