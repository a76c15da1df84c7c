import SystemPackage

extension MessageQueue {
  /// How a timed call ended.
  public enum WaitOutcome: Sendable, Hashable {
    /// The message was sent or received.
    case done
    /// The deadline passed first.
    case timedOut
    /// The caller's interrupter was signalled first.
    case interrupted
  }

  /// Sends a message, waiting until there is room. A try, and `ppoll(2)` between tries: a signal to the process does not
  /// end it, and neither does whoever shares the queue.
  ///
  /// - Parameters:
  ///   - message: At most `maxMessageByteCount` bytes.
  ///   - priority: 0 to 32,767.
  ///   - deadline: `nil` waits for ever; one in the past tries once.
  ///   - interrupter: Ends the wait while it is signalled, from any thread, also when that came before the wait. It stays
  ///     signalled until its owner resets it. A message that finds room is sent in any case.
  /// - Throws: What `trySend` throws.
  public func send(
    _ message: RawSpan, priority: UInt32 = 0, deadline: ContinuousClock.Instant? = nil,
    interruptedBy interrupter: EventCounter? = nil
  ) throws(SystemError) -> WaitOutcome {
    while true {
      if try trySend(message, priority: priority) { return .done }
      if let outcome = try wait(.writable, deadline, interrupter) { return outcome }
    }
  }

  /// Receives a message, waiting until there is one. As above.
  ///
  /// - Parameters:
  ///   - deadline: `nil` waits for ever; one in the past tries once.
  ///   - interrupter: Ends the wait while it is signalled; see `send`.
  ///   - body: Sees the message, in private memory; called once when the outcome is `done`, else not.
  /// - Throws: What `tryReceive` throws.
  public func receive(
    deadline: ContinuousClock.Instant? = nil, interruptedBy interrupter: EventCounter? = nil,
    _ body: (_ message: RawSpan, _ priority: UInt32) -> Void
  ) throws(SystemError) -> WaitOutcome {
    while true {
      if try tryReceive(body) { return .done }
      if let outcome = try wait(.readable, deadline, interrupter) { return outcome }
    }
  }

  /// Nil: try again.
  private func wait(
    _ events: IOEvents, _ deadline: ContinuousClock.Instant?, _ interrupter: EventCounter?
  ) throws(SystemError) -> WaitOutcome? {
    guard let interrupter else {
      return try Poll.wait(for: handle.descriptor, events, deadline: deadline).isEmpty ? .timedOut : nil
    }
    let ready = try Poll.wait(
      for: handle.descriptor, events, or: interrupter.descriptor, .readable, deadline: deadline)
    if !ready.second.isEmpty { return .interrupted }
    return ready.first.isEmpty ? .timedOut : nil
  }
}
