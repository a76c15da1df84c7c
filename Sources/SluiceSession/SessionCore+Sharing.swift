import SluiceChannel
import SluiceMemory
import SluiceSystem
import SluiceWaiting

/// What the other end said, or will say, of a third process's segment.
enum SharedSegmentState {
  /// It was asked, under this id.
  case asked(UInt32, [OneShot<Bool>])
  case mapped(UInt32)
  case unavailable
}

/// Messages that are sent on where they stand: which server-wide segments of third processes both ends have mapped.
extension SessionCore {
  /// Most segments of third processes that one end may ask about in a session.
  static let sharedSegmentLimit = 1024

  func share(_ segment: BorrowedSegment) -> SegmentShare {
    let identity = segment.identity
    let signal = OneShot<Bool>()
    enum Step { case done(SegmentShare), ask(UInt32) }
    let step = state.withLock { state -> Step in
      guard state.end == nil else { return .done(.unavailable) }
      switch state.shared[identity] {
      case .mapped(let id): return .done(.shared(id))
      case .unavailable: return .done(.unavailable)
      case .asked(let id, let waiting):
        state.shared[identity] = .asked(id, waiting + [signal])
        return .done(.asked(signal))
      case nil: break
      }
      guard state.shared.count < Self.sharedSegmentLimit, ServerWideSegments.shared.share(identity, by: self) else {
        return .done(.unavailable)
      }
      let reserved = parts.carrier.lender.reserveID { id in
        parts.control.send(.shareSegment(.init(id: id, byteCount: UInt64(segment.byteCount), identity: identity)))
      }
      guard let id = reserved else { return .done(.unavailable) }
      state.shared[identity] = .asked(id, [signal])
      return .ask(id)
    }
    switch step {
    case .done(let share): return share
    case .ask: return .asked(signal)
    }
  }

  /// The other end asks whether this one has a third process's segment mapped.
  func peerShares(_ shared: Control.SharedSegment) {
    guard parts.control.unsentCount < 2 * Self.sharedSegmentLimit else {
      return finish(.protocolViolation("more than \(Self.sharedSegmentLimit) segments to share without an answer"))
    }
    let borrower = parts.carrier.borrower
    // An object of its own: what this session lends and retires is its own business.
    let found = ServerWideSegments.shared.view(shared.identity, byteCount: shared.byteCount)
    do {
      if let found {
        try borrower.add(found, id: shared.id)
      } else {
        try borrower.skip(shared.id)
      }
    } catch {
      return finish(.protocolViolation("a shared segment that cannot be: \(error)"))
    }
    if let found {
      state.withLock { state in
        state.borrowedSegments[shared.id] = SegmentInfo(
          name: found.name, backing: found.backing, scope: .serverWide, byteCount: found.byteCount, isBorrowed: true)
      }
    }
    parts.control.send(.segmentShared(id: shared.id, isMapped: found != nil))
    resumeDelivery()
  }

  /// The other end's answer.
  func peerAnswered(share id: UInt32, isMapped: Bool) {
    let asked = state.withLock { state -> (waiting: [OneShot<Bool>], isGone: Bool)? in
      for (identity, share) in state.shared {
        guard case .asked(id, let waiting) = share else { continue }
        let isGone = ServerWideSegments.shared.find(identity) == nil
        state.shared[identity] = isGone ? nil : isMapped ? .mapped(id) : .unavailable
        return (waiting, isGone)
      }
      return nil
    }
    guard let asked else { return finish(.protocolViolation("an answer about segment \(id), which nobody asked for")) }
    if !isMapped || asked.isGone { parts.carrier.lender.releaseID() }
    if isMapped, asked.isGone { parts.control.send(.retireSegment(id: id)) }
    for signal in asked.waiting { signal.fulfill(true) }
  }

  /// The third process has given up a segment: nothing in it is held here, so nothing in it was sent on.
  func unshare(_ identity: SegmentIdentity) {
    let id = state.withLock { state -> UInt32? in
      switch state.shared[identity] {
      case .mapped(let id):
        state.shared[identity] = nil
        return id
      case .unavailable:
        state.shared[identity] = nil
        return nil
      case .asked, nil: return nil  // the answer brings it up
      }
    }
    guard let id else { return }
    parts.carrier.lender.releaseID()
    parts.control.send(.retireSegment(id: id))
  }
}
