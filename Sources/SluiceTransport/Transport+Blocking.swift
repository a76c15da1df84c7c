import SluiceSystem
import SystemPackage

// The blocking faces: the core, and a wait between the tries, by `ppoll(2)` unless the transport has a better way. Not for
// the reactor's thread.
extension Transport {
  /// Sends a frame, waiting until there is room.
  ///
  /// Returns when the frame is with the kernel as a whole. At the deadline a frame of which a part is with the kernel
  /// already counts as sent: `hasUnsentBytes` then says that `flush` has to push the rest.
  /// - Parameter deadline: `nil` waits for ever; one in the past tries once.
  /// - Throws: `timedOut` when the frame was not sent, and what `trySend` throws.
  public func send(
    _ blob: RawSpan, handles: [Handle] = [], deadline: ContinuousClock.Instant? = nil
  ) throws(TransportError) {
    while try trySend(blob, handles: handles) == .wouldBlock {
      guard try waitToSend(byteCount: blob.byteCount, deadline: deadline) else { throw .timedOut }
    }
    while hasUnsentBytes {
      if try flush() { return }
      guard try waitToSend(byteCount: blob.byteCount, deadline: deadline) else { return }
    }
  }

  /// Receives a frame, waiting until there is one.
  ///
  /// - Parameters:
  ///   - deadline: `nil` waits for ever; one in the past tries once.
  ///   - body: Sees the frame in place; see `tryReceive`.
  /// - Returns: What `body` returned; `nil` at the end of the stream.
  /// - Throws: `timedOut`, and what `tryReceive` throws.
  @inlinable @inline(__always)
  public func receive<Result>(
    deadline: ContinuousClock.Instant? = nil, _ body: (_ blob: RawSpan, _ handles: [Handle]) -> Result
  ) throws(TransportError) -> Result? {
    var result: Result?
    guard try receiveNext(deadline: deadline, { result = body($0, $1) }) != .wouldBlock else { throw .timedOut }
    return result
  }

  /// Tries, and waits between the tries. See the requirement.
  public func receiveNext(
    deadline: ContinuousClock.Instant?, _ body: (_ blob: RawSpan, _ handles: [Handle]) -> Void
  ) throws(TransportError) -> ReceiveOutcome {
    if isDrained, try !waitToReceive(deadline: deadline) { return .wouldBlock }
    while true {
      let outcome = try tryReceive(body)
      guard outcome == .wouldBlock else { return outcome }
      guard try waitToReceive(deadline: deadline) else { return .wouldBlock }
    }
  }

  /// Receives a frame, waiting until there is one, and copies it.
  ///
  /// - Parameter deadline: `nil` waits for ever; one in the past tries once.
  /// - Returns: `nil` at the end of the stream.
  /// - Throws: `timedOut`, and what `tryReceive` throws.
  public func receive(deadline: ContinuousClock.Instant? = nil) throws(TransportError) -> ReceivedFrame? {
    try receive(deadline: deadline) { ReceivedFrame($0, $1) }
  }

  /// Polls `readDescriptor`. See the requirement.
  public func waitToReceive(deadline: ContinuousClock.Instant?) throws(TransportError) -> Bool {
    try wait(for: readDescriptor, .readable, deadline)
  }

  /// Polls `writeDescriptor`. See the requirement.
  public func waitToSend(byteCount: Int, deadline: ContinuousClock.Instant?) throws(TransportError) -> Bool {
    try wait(for: writeDescriptor, .writable, deadline)
  }

  private func wait(
    for descriptor: FileDescriptor, _ events: IOEvents, _ deadline: ContinuousClock.Instant?
  ) throws(TransportError) -> Bool {
    do { return try !Poll.wait(for: descriptor, events, deadline: deadline).isEmpty } catch { throw .failed(error) }
  }
}
