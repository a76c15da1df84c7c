import SluiceSystem
import SystemPackage

// The `async` faces: the core, and a reactor between the tries. On a task that prefers that reactor as its executor, no
// thread is changed; on others, each wait that suspends costs a hop there and back.
extension Transport {
  /// Sends a frame, suspending until there is room.
  ///
  /// Returns when the frame is with the kernel as a whole. At the deadline, or when the task is cancelled, a frame of which
  /// a part is with the kernel already counts as sent: `hasUnsentBytes` then says that `flush` has to push the rest.
  /// - Parameters:
  ///   - deadline: `nil` waits for ever; one in the past tries once.
  ///   - reactor: What waits for the transport.
  /// - Throws: `timedOut` or `cancelled` when the frame was not sent, and what `trySend` throws.
  nonisolated(nonsending) public func send(
    _ blob: RawSpan, handles: [Handle] = [], deadline: ContinuousClock.Instant? = nil, on reactor: Reactor = .shared
  ) async throws(TransportError) {
    while try trySend(blob, handles: handles) == .wouldBlock {
      try await wait(for: writeDescriptor, .writable, deadline, reactor)
    }
    while try !flush() {
      do {
        try await wait(for: writeDescriptor, .writable, deadline, reactor)
      } catch  where error == .timedOut || error == .cancelled {
        return
      }
    }
  }

  /// Receives a frame, suspending until there is one.
  ///
  /// - Parameters:
  ///   - deadline: `nil` waits for ever; one in the past tries once.
  ///   - reactor: What waits for the transport.
  ///   - body: Sees the frame in place; see `tryReceive`.
  /// - Returns: What `body` returned; `nil` at the end of the stream.
  /// - Throws: `timedOut`, `cancelled`, and what `tryReceive` throws.
  nonisolated(nonsending) public func receive<Result>(
    deadline: ContinuousClock.Instant? = nil, on reactor: Reactor = .shared,
    _ body: (_ blob: RawSpan, _ handles: [Handle]) -> Result
  ) async throws(TransportError) -> Result? {
    var result: Result?
    if isDrained {
      // A deadline that has passed is no reason not to try once.
      do { try await waitToReceive(deadline, reactor) } catch  where error == .timedOut {}
    }
    while true {
      if !reactor.isBusyHere { lookAround() }
      switch try tryReceive({ result = body($0, $1) }) {
      case .received: return result
      case .endOfStream: return nil
      case .wouldBlock: try await waitToReceive(deadline, reactor)
      }
    }
  }

  /// Receives a frame, suspending until there is one, and copies it. As above.
  nonisolated(nonsending) public func receive(
    deadline: ContinuousClock.Instant? = nil, on reactor: Reactor = .shared
  ) async throws(TransportError) -> ReceivedFrame? {
    try await receive(deadline: deadline, on: reactor) { ReceivedFrame($0, $1) }
  }

  nonisolated(nonsending) private func waitToReceive(
    _ deadline: ContinuousClock.Instant?, _ reactor: Reactor
  ) async throws(TransportError) {
    guard let readWatch else { return try await wait(for: readDescriptor, .readable, deadline, reactor) }
    try conclude(await readWatch.wait(deadline: deadline, on: reactor))
  }

  nonisolated(nonsending) private func wait(
    for descriptor: FileDescriptor, _ events: IOEvents, _ deadline: ContinuousClock.Instant?, _ reactor: Reactor
  ) async throws(TransportError) {
    // The descriptor stays open: `self` lives until the wait is over.
    try conclude(await reactor.wait(for: descriptor, events, deadline: deadline))
  }

  private func conclude(_ outcome: Reactor.WaitOutcome) throws(TransportError) {
    switch outcome {
    case .ready: return
    case .timedOut: throw .timedOut
    case .cancelled: throw .cancelled
    case .failed(let error): throw .failed(error)
    }
  }
}
