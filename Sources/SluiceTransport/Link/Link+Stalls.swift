import SluiceSystem
import SluiceWaiting

// What becomes of a link whose other end does not receive.
extension Link {
  /// Whether a sender that finds neither credit nor room would rather fail than wait.
  package var failsWithoutRoom: Bool { stallPolicy == .fail }

  /// Nobody waits any more for what a try to send has answered.
  package func forget(_ waiter: OneShot<Bool>, on lane: Lane) {
    state.withLock { state in state.roomWaiters.removeAll { $0 === waiter } }
    lane.forget(waiter)
  }

  /// Somebody waits for credit or room: asks the other end whether it receives, under a policy that wants to know.
  func beganToWait() {
    guard case .disconnect(let patience) = stallPolicy, state.withLock({ $0.stall.beginsToWait() }) else { return }
    probe(patience)
  }

  private func probe(_ patience: Duration) {
    send(Notice(lane: 0, kind: .probe))
    reactor.schedule(at: .now.advanced(by: patience)) { [weak self] in self?.lookForStall(patience) }
  }

  private func lookForStall(_ patience: Duration) {
    let finding = state.withLock { state -> StallWatch.Finding in
      guard !state.hasEnded, !state.isFinished else { return .rest }
      let isWaited =
        !state.roomWaiters.isEmpty || !state.unsentNotices.isEmpty
        || state.lanes.all.contains { $0.lane.isWaitedFor }
      return state.stall.look(isAnybodyWaiting: isWaited)
    }
    switch finding {
    case .rest: break
    case .ask: probe(patience)
    case .stalled: finish(.failed(.peerStalled(after: patience)))
    }
  }

  /// The other end asks, or answers.
  func probeArrived(_ header: LaneHeader, byteCount: Int) -> LaneDelivery {
    guard header.lane == 0, byteCount == LaneHeader.byteCount else {
      return .violation("a probe on lane \(header.lane), of \(byteCount) bytes")
    }
    guard header.kind == .probe else {
      let wasAsked = state.withLock { $0.stall.answered() }
      return wasAsked ? .done : .violation("an answer to a probe that was not sent")
    }
    // One answer under way is enough: whoever asks without end costs no memory.
    let isFirst = state.withLock { state in
      defer { state.owesAnswer = true }
      return !state.owesAnswer
    }
    if isFirst { send(Notice(lane: 0, kind: .answer)) }
    return .done
  }
}
