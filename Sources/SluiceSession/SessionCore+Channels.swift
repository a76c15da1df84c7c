import SluiceChannel
import SluiceTransport
import SluiceWaiting

// How a session opens channels, and takes those of the other end.
extension SessionCore {
  // MARK: Opening channels

  /// Opens a channel; suspends until the other end has answered.
  func open(
    _ opening: Control.ChannelOpening, deadline: ContinuousClock.Instant?
  ) async throws(SessionError) -> ChannelCore {
    while true {
      switch try beginOpening(opening) {
      case .busy(let signal):
        let timer = deadline.map { parts.reactor.schedule(at: $0) { signal.fulfill(false) } }
        let isWorthwhile = await signal.wait(onCancel: false)
        timer?.cancel()
        guard isWorthwhile else { throw Task.isCancelled ? .cancelled : .timedOut }
      case .begun(let pending): return try await answer(to: pending, deadline: deadline)
      }
    }
  }

  /// Suspends until the other end has answered.
  func answer(
    to pending: PendingChannel, deadline: ContinuousClock.Instant?
  ) async throws(SessionError) -> ChannelCore {
    let timer = deadline.map { parts.reactor.schedule(at: $0) { pending.opening.fulfill(.failure(.timedOut)) } }
    defer { timer?.cancel() }
    return try opened(pending, await pending.opening.wait(onCancel: .failure(.cancelled)))
  }

  /// As ``answer(to:deadline:)``, but blocks the thread.
  func answerSync(
    to pending: PendingChannel, deadline: ContinuousClock.Instant?
  ) throws(SessionError) -> ChannelCore {
    try opened(pending, pending.opening.waitBlocking(deadline: deadline, onTimeout: .failure(.timedOut)))
  }

  /// As ``open(_:deadline:)``, but blocks the thread.
  func openSync(
    _ opening: Control.ChannelOpening, deadline: ContinuousClock.Instant?
  ) throws(SessionError) -> ChannelCore {
    while true {
      switch try beginOpening(opening) {
      case .busy(let signal):
        guard signal.waitBlocking(deadline: deadline, onTimeout: false) else { throw .timedOut }
      case .begun(let pending): return try answerSync(to: pending, deadline: deadline)
      }
    }
  }

  /// What became of an attempt to ask for a channel.
  private enum Beginning {
    case begun(PendingChannel)
    /// As many were asked for as may; worth another attempt after the signal.
    case busy(OneShot<Bool>)
  }

  private func beginOpening(_ opening: Control.ChannelOpening) throws(SessionError) -> Beginning {
    try opening.metadata.checkLength()
    var opening = opening
    let beginning = try state.withLock { state throws(SessionError) -> Beginning in
      if let end = state.end { throw .sessionEnded(end) }
      guard state.opening.count < Self.openingLimit else {
        let signal = OneShot<Bool>()
        state.openingWaiters.append(signal)
        return .busy(signal)
      }
      guard state.channels.count + state.opening.count < Self.channelLimit, let lane = state.lanes.next() else {
        throw .tooManyChannels(limit: Self.channelLimit)
      }
      opening.lane = lane
      let pending = makePending(opening)
      state.opening[lane] = pending
      return .begun(pending)
    }
    if case .begun(let pending) = beginning {
      parts.carrier.link.open(pending.core.lane, receiver: pending.core)
      parts.control.send(.openChannel(opening))
    }
    return beginning
  }

  private func makePending(_ opening: Control.ChannelOpening) -> PendingChannel {
    PendingChannel(
      core: makeChannel(opening.lane), opening: Opening(), metadata: opening.metadata, rootTypeID: opening.rootTypeID)
  }

  /// Books the channels that were asked for along with the session. Before anything arrives.
  func bookInitialChannels() {
    let pending = state.withLock { state in
      for opening in parts.initialChannels {
        // They are numbered as the first that this end opens.
        _ = state.lanes.next()
        let pending = makePending(opening)
        state.opening[opening.lane] = pending
        state.initial.append(pending)
      }
      return state.initial.compactMap { $0 }
    }
    for pending in pending { parts.carrier.link.open(pending.core.lane, receiver: pending.core) }
  }

  /// Takes a channel that was asked for along with the session, once.
  func takeInitialChannel(at index: Int, rootTypeID: UInt64) throws(SessionError) -> PendingChannel {
    let (pending, end) = state.withLock { state -> (PendingChannel?, SessionEnd?) in
      guard state.initial.indices.contains(index), state.initial[index]?.rootTypeID == rootTypeID else {
        return (nil, state.end)
      }
      defer { state.initial[index] = nil }
      return (state.initial[index], nil)
    }
    if let end { throw .sessionEnded(end) }
    guard let pending else { throw .noSuchInitialChannel(index) }
    return pending
  }

  /// Nobody waits for a channel any more that was asked for.
  func giveUp(_ pending: PendingChannel) {
    pending.opening.fulfill(.failure(.cancelled))
    pending.core.close()
  }

  private func opened(_ pending: PendingChannel, _ answer: Result<Void, SessionError>) throws(SessionError)
    -> ChannelCore
  {
    switch answer {
    case .success:
      return pending.core
    case .failure(let error):
      // It still counts as asked for, until the other end has answered.
      pending.core.close()
      throw error
    }
  }

  func peerAnswered(_ lane: UInt32, _ answer: Result<Void, SessionError>) {
    let (pending, waiters) = state.withLock { state -> (PendingChannel?, [OneShot<Bool>]) in
      guard let pending = state.opening.removeValue(forKey: lane) else { return (nil, []) }
      if case .success = answer { state.channels[lane] = pending.core }
      defer { state.openingWaiters = [] }
      return (pending, state.openingWaiters)
    }
    guard let pending else {
      return finish(.protocolViolation("an answer about lane \(lane), which nobody asked to open"))
    }
    for waiter in waiters { waiter.fulfill(true) }
    if pending.opening.fulfill(answer) { return }
    // Who asked has given up. What was opened is closed again.
    if case .success = answer { parts.carrier.link.refuse(lane) }
    laneForgotten(lane)
  }

  func makeChannel(_ lane: UInt32) -> ChannelCore {
    ChannelCore(lane: lane, carrier: parts.carrier, window: parts.laneWindow, owner: self)
  }

  // MARK: Accepting channels

  func peerOpens(_ opening: Control.ChannelOpening) {
    let verdict = state.withLock { state -> Result<ChannelRefusalReason?, SessionEnd> in
      guard state.lanes.peerOpened(opening.lane) else {
        return .failure(.protocolViolation("channel opened on lane \(opening.lane), out of order"))
      }
      // Without an answer are those that wait, and those whose answer the other end has not read.
      guard state.incoming.count < Self.openingLimit, parts.control.unsentCount < 2 * Self.openingLimit else {
        return .failure(.protocolViolation("more than \(Self.openingLimit) channels asked for without an answer"))
      }
      guard state.takesChannels else { return .success(.ending) }
      guard opening.dedicated == nil else { return .success(.noDedicatedLink) }
      if let types = parts.options.channelTypes, !types.contains(where: { $0.rootTypeID == opening.rootTypeID }) {
        return .success(.unknownType)
      }
      guard state.channels.count < Self.channelLimit, state.incoming.deliver(opening) else { return .success(.limit) }
      return .success(nil)
    }
    switch verdict {
    case .failure(let end): finish(end)
    case .success(nil): break
    case .success(.unknownType):
      let name = "\(opening.rootTypeName) (\(String(opening.rootTypeID, radix: 16)))"
      refuse(opening.lane, .unknownType, "no channels of type \(name) are taken here")
    case .success(.limit): refuse(opening.lane, .limit, "as many channels wait, or are open, as may")
    case .success(.noDedicatedLink): refuse(opening.lane, .noDedicatedLink, "links for single channels are not offered")
    case .success(let reason?): refuse(opening.lane, reason, Self.takesNoMore)
    }
  }

  static var takesNoMore: String { "the session takes no channels any more" }

  /// Refuses a channel that the other end opened.
  func refuse(_ lane: UInt32, _ reason: ChannelRefusalReason, _ message: String) {
    parts.control.send(.channelRefused(lane: lane, reason: reason, message: message.prefix(utf8: 1024)))
  }

  /// The channels of the given root type that the other end opens, in the order of their opening.
  func incoming(rootTypeID: UInt64) -> WaitingChannels.Queue {
    state.withLock { $0.incoming.queue(rootTypeID: rootTypeID) }
  }

  /// Accepts a channel that the other end opened; nil when the session has ended.
  func accept(_ opening: Control.ChannelOpening) -> ChannelCore? {
    let core = makeChannel(opening.lane)
    let isOpen = state.withLock { state in
      if state.end == nil { state.channels[opening.lane] = core }
      return state.end == nil
    }
    guard isOpen else { return nil }
    parts.carrier.link.open(opening.lane, receiver: core)
    parts.control.send(.channelOpened(lane: opening.lane, ring: nil))
    return core
  }
}
