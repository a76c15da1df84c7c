import SluiceChannel
import SluiceSystem
import SluiceTransport

// What carries a session and its channels: the session's link, and those that channels have of their own.
extension SessionCore {
  /// The session's link, and those of channels.
  var links: [Link] { [parts.carrier.link] + state.withLock { $0.ownLinks.values.map(\.link) } }

  /// A link of this session over `transport`.
  func makeLink(over transport: any Transport) -> Link {
    Link(
      over: transport, reactor: parts.reactor, window: parts.laneWindow, stallPolicy: parts.options.stallPolicy)
  }

  /// The control socket brought something that frames may wait for.
  func resumeDelivery() {
    for link in links { link.resumeDelivery() }
  }

  /// Delivers all that the other end sent before, on all links, then calls `completion`. On the reactor's thread.
  func drainRest(then completion: @escaping @Sendable () -> Void) {
    drainRest(of: links[...], then: completion)
  }

  private func drainRest(of links: ArraySlice<Link>, then completion: @escaping @Sendable () -> Void) {
    guard let first = links.first else { return completion() }
    let (rest, reactor) = (links.dropFirst(), parts.reactor)
    first.drainRest { [weak self] in
      reactor.perform { [weak self] in
        if let self { drainRest(of: rest, then: completion) } else { completion() }
      }
    }
  }

  // MARK: Links of channels

  /// How the segments of a link are called that carries the channel on `lane`.
  func linkNames(_ lane: UInt32) -> LinkNames {
    LinkNames(server: parts.server, session: parts.name, role: parts.role, lane: lane)
  }

  /// The kind of a link that a channel is to have of its own; nil if it is to have none.
  func kind(of link: ChannelLink) -> LinkChoice? {
    guard case .own(let kind) = link else { return nil }
    if let kind { return kind }
    return switch parts.carrier.link.kind {
    case .ring: .ring
    case .queue: .queue
    default: .socket
    }
  }

  /// The other end has accepted a channel that is to have a link of its own: completes that, and opens the lane on it.
  ///
  /// - Throws: ``SessionError/protocolViolation(_:)`` if it is the other end's fault.
  func complete(
    _ offer: LinkOffer, _ half: Control.LinkHalf?, _ handles: [Handle], lane: UInt32
  ) throws(SessionError) -> ChannelCore {
    try begin(try offer.complete(half, handles, peer: parts.peer), lane: lane)
  }

  /// Begins to use the link of a channel. Nothing is left of it if that fails, or the session has ended.
  func begin(_ made: MadeLink, lane: UInt32) throws(SessionError) -> ChannelCore {
    let own = OwnLink(made, lane: lane, of: self)
    let core = makeChannel(lane, link: own.link)
    own.link.open(core.lane, receiver: core)
    let end = state.withLock { state in
      if state.end == nil {
        state.ownLinks[lane] = own
        // Before anything can arrive on it.
        state.channels[lane] = core
      }
      return state.end
    }
    if let end {
      own.link.end()
      throw .sessionEnded(end)
    }
    do {
      try own.link.start(owner: own)
    } catch {
      state.withLock { _ = $0.channels.removeValue(forKey: lane) }
      endOwnLink(lane)
      throw .system(error)
    }
    return core
  }

  /// Closes the link that a channel had of its own, if it had one, after what was sent on it.
  private func endOwnLink(_ lane: UInt32) {
    if let own = state.withLock({ $0.removeOwnLink(lane) }) { end(own) }
  }

  /// Ends a link that is not booked any more.
  func end(_ own: OwnLink) {
    own.link.end(sendingRest: true)
    parts.carrier.ownLinkEnded(own.lane)
  }

  /// The other end of a channel's link is gone without a word. If it is because its process has died, that will be known in
  /// a moment.
  func ownLinkLost(_ lane: UInt32) {
    parts.reactor.schedule(at: .now.advanced(by: Self.patience)) { [weak self] in self?.peerAbandons(lane) }
  }

  /// The other end has given up a channel with a link of its own, not on that link.
  func peerAbandons(_ lane: UInt32) {
    let core = state.withLock { $0.ownLinks[lane] == nil ? nil : $0.channels[lane] }
    core?.closedByPeer()
  }

  /// This end cannot use, or does not want any more, a channel that the other has accepted.
  func abandon(_ lane: UInt32) {
    parts.control.send(.abandonChannel(lane: lane))
    endOwnLink(lane)
  }
}

extension SessionCore.State {
  /// Books that a channel has no link of its own any more; the one that it had.
  mutating func removeOwnLink(_ lane: UInt32) -> OwnLink? {
    linkLanes.remove(lane)
    return ownLinks.removeValue(forKey: lane)
  }
}
