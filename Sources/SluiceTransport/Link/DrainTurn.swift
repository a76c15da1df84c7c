import DequeModule

/// Whose turn it is to drain a link: one at a time. A pure value: no I/O, clock or lock.
///
/// At rest it is the reactor's, which is told when something arrives. A blocked thread that waits for something from the
/// link takes the turn, and delivers what comes, also to others; when it leaves, the next blocked thread gets the turn, else
/// the reactor. `Waiter` is such a thread.
struct DrainTurn<Waiter: Equatable> {
  enum Holder: Equatable {
    /// The reactor, which looks when it was told, if `isArmed`, or by itself.
    case reactor(isArmed: Bool)
    /// The reactor, which is about to look, and nobody before it.
    case reserved
    /// Somebody drains.
    case taken
    /// This waiter was woken to drain.
    case offered(Waiter)
    /// A frame waits for the control socket; nobody drains.
    case paused
    /// There is nothing to drain any more.
    case finished
  }

  private(set) var holder = Holder.reactor(isArmed: false)
  private var queue: Deque<Waiter> = []
  /// The control socket brought something while somebody drained.
  private var hasNews = false

  /// What a waiter is told.
  enum Taking: Equatable {
    /// It drains from now on.
    case granted(wasArmed: Bool)
    /// It sleeps until it has what it waits for, or gets the turn.
    case queued
    /// It will never get the turn.
    case refused
  }

  /// A blocked thread wants to drain.
  mutating func take(for waiter: Waiter) -> Taking {
    switch holder {
    case .reactor(let isArmed):
      holder = .taken
      return .granted(wasArmed: isArmed)
    case .offered(waiter):
      holder = .taken
      return .granted(wasArmed: false)
    case .finished: return .refused
    case .reserved, .taken, .offered, .paused:
      if !queue.contains(waiter) { queue.append(waiter) }
      return .queued
    }
  }

  /// The reactor looks; false when somebody else drains, or it was told for nothing.
  mutating func takeForReactor() -> Bool {
    guard case .reactor = holder else { return false }
    holder = .taken
    return true
  }

  /// The reactor looks, whoever was about to; false when somebody drains, or nobody may.
  mutating func seize() -> Bool {
    switch holder {
    case .reactor, .reserved, .offered:
      holder = .taken
      return true
    case .taken, .paused, .finished: return false
    }
  }

  /// Who drains next, after who drained has left. With a waiter, wake it. Without, it is the reactor's turn, which is to be
  /// armed.
  mutating func leave() -> Waiter? {
    guard case .taken = holder else { return nil }
    hasNews = false
    return pass()
  }

  /// Who drained has left the turn to the reactor, whoever waits for it, and whoever comes before the reactor seizes it.
  mutating func leaveToReactor() -> Waiter? {
    if case .taken = holder { holder = .reserved }
    return nil
  }

  /// A waiter has what it waited for, or gave up. Who drains next, if that was it.
  ///
  /// - Returns: Whether the turn passed on, and to whom: see ``leave()``.
  mutating func withdraw(_ waiter: Waiter) -> (passed: Bool, to: Waiter?) {
    if !queue.isEmpty { queue.removeAll { $0 == waiter } }
    guard holder == .offered(waiter) else { return (false, nil) }
    return (true, pass())
  }

  private mutating func pass() -> Waiter? {
    if let next = queue.popFirst() {
      holder = .offered(next)
      return next
    }
    holder = .reactor(isArmed: false)
    return nil
  }

  /// Books that the reactor will be told; only while it is its turn.
  mutating func armed() {
    if case .reactor = holder { holder = .reactor(isArmed: true) }
  }

  /// Who drains met a frame that waits for the control socket; false when that has brought something since: try again.
  mutating func pause() -> Bool {
    if hasNews {
      hasNews = false
      return false
    }
    holder = .paused
    return true
  }

  /// The control socket brought something; true when somebody waited for it, who drains again from now on.
  mutating func resume() -> Bool {
    guard case .paused = holder else {
      hasNews = true
      return false
    }
    holder = .taken
    return true
  }

  /// Nobody drains any more. Those that wait for their turn.
  mutating func finish() {
    holder = .finished
    queue.removeAll()
  }
}
