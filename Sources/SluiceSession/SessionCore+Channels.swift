import SluiceChannel
import SluiceSystem
import SluiceTransport
import SluiceWaiting

// How a session opens channels, and takes those of the other end.
extension SessionCore {
  // MARK: Opening channels

  /// Opens a channel; suspends until the other end has answered.
  func open(
    _ opening: Control.ChannelOpening, over link: ChannelLink, deadline: ContinuousClock.Instant?
  ) async throws(SessionError) -> ChannelCore {
    while true {
      switch try beginOpening(opening, over: link) {
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

  /// As ``open(_:over:deadline:)``, but blocks the thread.
  func openSync(
    _ opening: Control.ChannelOpening, over link: ChannelLink, deadline: ContinuousClock.Instant?
  ) throws(SessionError) -> ChannelCore {
    while true {
      switch try beginOpening(opening, over: link) {
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

  private func beginOpening(
    _ opening: Control.ChannelOpening, over link: ChannelLink
  ) throws(SessionError) -> Beginning {
    try opening.metadata.checkLength()
    let kind = kind(of: link)
    var opening = opening
    return try state.withLock { state throws(SessionError) -> Beginning in
      if let end = state.end { throw .sessionEnded(end) }
      guard state.opening.count < Self.openingLimit else {
        let signal = OneShot<Bool>()
        state.openingWaiters.append(signal)
        return .busy(signal)
      }
      if kind != nil, state.linkLanes.count >= parts.options.ownLinkLimit {
        throw .tooManyOwnLinks(limit: parts.options.ownLinkLimit)
      }
      guard state.channels.count + state.opening.count < Self.channelLimit, let lane = state.lanes.next() else {
        throw .tooManyChannels(limit: Self.channelLimit)
      }
      opening.lane = lane
      var offer: LinkOffer?
      if let kind { offer = try LinkOffer(kind, linkNames(lane), parts.options) }
      opening.dedicated = offer?.half
      let pending = book(OwnChannelOffer(opening: opening, link: offer), &state)
      // Under the lock: lanes are asked for in their order.
      parts.control.send(.openChannel(opening), handles: offer?.handles ?? [])
      return .begun(pending)
    }
  }

  /// Books a channel that is asked for. Before anything can arrive on its lane.
  private func book(_ offer: OwnChannelOffer, _ state: inout State) -> PendingChannel {
    let lane = offer.opening.lane
    let pending = PendingChannel(
      core: offer.link == nil ? makeChannel(lane) : nil, lane: lane, link: offer.link, opening: Opening(),
      metadata: offer.opening.metadata, rootTypeID: offer.opening.rootTypeID)
    state.opening[lane] = pending
    if offer.link != nil { state.linkLanes.insert(lane) }
    if let core = pending.core { parts.carrier.link.open(core.lane, receiver: core) }
    return pending
  }

  /// Books the channels that were asked for along with the session. Before it is started.
  func bookInitialChannels(_ offers: [OwnChannelOffer]) {
    state.withLock { state in
      for offer in offers {
        // They are numbered as the first that this end opens.
        _ = state.lanes.next()
        state.initial.append(book(offer, &state))
      }
    }
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
    pending.core?.close()
  }

  private func opened(
    _ pending: PendingChannel, _ answer: Result<ChannelCore, SessionError>
  ) throws(SessionError) -> ChannelCore {
    switch answer {
    case .success(let core):
      return core
    case .failure(let error):
      // It still counts as asked for, until the other end has answered.
      pending.core?.close()
      throw error
    }
  }

  /// The other end has accepted a channel.
  ///
  /// - Parameter half: Its half of a link of the channel's own, with its descriptors.
  func peerAccepts(_ lane: UInt32, _ half: Control.LinkHalf?, _ handles: [Handle]) {
    guard let pending = state.withLock({ $0.opening[lane] }) else { return unasked(lane) }
    if let core = pending.core {
      guard half == nil else { return finish(.protocolViolation("a link for lane \(lane), which asked for none")) }
      return peerAnswered(lane, .success(core))
    }
    // Who asked may have given up. Then the link is not even made.
    guard let offer = pending.link, !pending.opening.isFulfilled else {
      abandon(lane)
      return peerAnswered(lane, .failure(.cancelled))
    }
    do throws(SessionError) {
      peerAnswered(lane, .success(try complete(offer, half, handles, lane: lane)))
    } catch {
      if case .protocolViolation(let what) = error { return finish(.protocolViolation(what)) }
      abandon(lane)
      peerAnswered(lane, .failure(error))
    }
  }

  private func unasked(_ lane: UInt32) {
    finish(.protocolViolation("an answer about lane \(lane), which nobody asked to open"))
  }

  func peerAnswered(_ lane: UInt32, _ answer: Result<ChannelCore, SessionError>) {
    let (pending, waiters) = state.withLock { state -> (PendingChannel?, [OneShot<Bool>]) in
      guard let pending = state.opening.removeValue(forKey: lane) else { return (nil, []) }
      if case .success(let core) = answer { state.channels[lane] = core } else { state.linkLanes.remove(lane) }
      defer { state.openingWaiters = [] }
      return (pending, state.openingWaiters)
    }
    guard let pending else { return unasked(lane) }
    for waiter in waiters { waiter.fulfill(true) }
    if pending.opening.fulfill(answer) { return }
    // Who asked has given up. What was opened is closed again.
    if case .success(let core) = answer {
      if pending.link == nil { parts.carrier.link.refuse(lane) } else { core.close() }
    }
    laneForgotten(lane)
  }

  func makeChannel(_ lane: UInt32, link: Link? = nil) -> ChannelCore {
    ChannelCore(lane: lane, carrier: parts.carrier, link: link, window: parts.laneWindow, owner: self)
  }

  // MARK: Accepting channels

  func peerOpens(_ offer: ChannelOffer) {
    let opening = offer.opening
    let verdict = state.withLock { state -> Result<ChannelRefusalReason?, SessionEnd> in
      guard state.lanes.peerOpened(opening.lane) else {
        return .failure(.protocolViolation("channel opened on lane \(opening.lane), out of order"))
      }
      // Without an answer are those that wait, and those whose answer the other end has not read.
      guard state.incoming.count < Self.openingLimit, parts.control.unsentCount < 2 * Self.openingLimit else {
        return .failure(.protocolViolation("more than \(Self.openingLimit) channels asked for without an answer"))
      }
      guard state.takesChannels else { return .success(.ending) }
      guard opening.dedicated == nil || state.linkLanes.count < parts.options.ownLinkLimit else {
        return .success(.noDedicatedLink)
      }
      if let types = parts.options.channelTypes, !types.contains(where: { $0.rootTypeID == opening.rootTypeID }) {
        return .success(.unknownType)
      }
      guard state.channels.count < Self.channelLimit, state.incoming.deliver(offer) else { return .success(.limit) }
      if opening.dedicated != nil { state.linkLanes.insert(opening.lane) }
      return .success(nil)
    }
    switch verdict {
    case .failure(let end): finish(end)
    case .success(nil): break
    case .success(.unknownType):
      let name = "\(opening.rootTypeName) (\(String(opening.rootTypeID, radix: 16)))"
      refuse(opening.lane, .unknownType, "no channels of type \(name) are taken here")
    case .success(.limit): refuse(opening.lane, .limit, "as many channels wait, or are open, as may")
    case .success(.noDedicatedLink):
      refuse(
        opening.lane, .noDedicatedLink,
        "at most \(parts.options.ownLinkLimit) channels of a session may have a link of their own here")
    case .success(let reason?): refuse(opening.lane, reason, Self.takesNoMore)
    }
  }

  static var takesNoMore: String { "the session takes no channels any more" }

  /// Refuses a channel that the other end opened.
  func refuse(_ lane: UInt32, _ reason: ChannelRefusalReason, _ message: String) {
    state.withLock { _ = $0.linkLanes.remove(lane) }
    parts.control.send(.channelRefused(lane: lane, reason: reason, message: message.prefix(utf8: 1024)))
  }

  /// The channels of the given root type that the other end opens, in the order of their opening.
  func incoming(rootTypeID: UInt64) -> WaitingChannels.Queue {
    state.withLock { $0.incoming.queue(rootTypeID: rootTypeID) }
  }

  /// Accepts a channel that the other end opened; nil when the session has ended.
  ///
  /// - Throws: What is missing for a link of the channel's own; it is refused then.
  func accept(_ offer: ChannelOffer) throws(SessionError) -> ChannelCore? {
    let lane = offer.opening.lane
    guard let half = offer.opening.dedicated else {
      let core = makeChannel(lane)
      let isOpen = state.withLock { state in
        if state.end == nil { state.channels[lane] = core }
        return state.end == nil
      }
      guard isOpen else { return nil }
      parts.carrier.link.open(core.lane, receiver: core)
      parts.control.send(.channelOpened(lane: lane, link: nil))
      return core
    }
    do throws(SessionError) {
      let made = try LinkOffer.join(half, offer.handles, linkNames(lane), parts.options, peer: parts.peer)
      let core = try begin(made, lane: lane)
      parts.control.send(.channelOpened(lane: lane, link: made.answer), handles: made.handles)
      return core
    } catch {
      switch error {
      case .sessionEnded: return nil
      case .protocolViolation(let what):
        finish(.protocolViolation(what))
        return nil
      default:
        refuse(lane, .noDedicatedLink, "\(error)")
        throw error
      }
    }
  }
}
