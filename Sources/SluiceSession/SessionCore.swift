import Logging
import SluiceChannel
import SluiceMemory
import SluiceSystem
import SluiceTransport
import SluiceWaiting
import Synchronization

/// One end of a session: the driver that connects control socket, link, channels, and the peer's process.
///
/// Thread-safe. What arrives is handled on the reactor's thread. Held by the ``Session``, its channels and its sequences;
/// the reactor holds it weakly.
final class SessionCore: CarrierControl, LinkOwner, Sendable {
  /// What a session is made of when the handshake is done.
  struct Parts: Sendable {
    let server: String
    let name: String
    let role: SessionRole
    let peerApp: String
    let peerMetadata: Metadata
    let peer: PeerIdentity
    let control: ControlConnection
    let carrier: Carrier
    /// The segments of a link in shared memory.
    let linkSegments: [SegmentInfo]
    let returnTable: ReturnTable
    let laneWindow: UInt32
    /// Channels that the client opens along with the session; at its own end, none.
    let initialChannels: [ChannelOffer]
    let options: SessionOptions
    /// Who may open segments by name; nil if they are sealed.
    let namedSegments: SegmentAccess?
    /// Whether both ends ask for memory that both write to.
    let readWriteArenas: Bool
    /// Tidies up after the other process, once it is dead.
    let tidyAfterPeer: (@Sendable () -> Void)?
    /// Called when the session has ended, before that is reported.
    let whenEnded: (@Sendable () -> Void)?

    var reactor: Reactor { options.reactor }
    var logger: Logger { options.logger }
  }

  typealias Opening = OneShot<Result<ChannelCore, SessionError>>

  /// A channel that this end has asked for.
  struct PendingChannel: Sendable {
    /// Nil as long as it waits for a link of its own.
    let core: ChannelCore?
    let lane: UInt32
    /// This end's half of a link of the channel's own.
    let link: LinkOffer?
    let opening: Opening
    let metadata: Metadata
    let rootTypeID: UInt64
  }

  struct State {
    var lanes: LaneNumbers
    var channels: [UInt32: ChannelCore] = [:]
    var opening: [UInt32: PendingChannel] = [:]
    /// The links of channels that have one of their own, and the lanes of those that were asked for, too.
    var ownLinks: [UInt32: OwnLink] = [:]
    var linkLanes: Set<UInt32> = []
    /// Those asked for along with the session, until they are taken.
    var initial: [PendingChannel?] = []
    /// Who waits until the other end has answered some of `opening`.
    var openingWaiters: [OneShot<Bool>] = []
    var incoming = WaitingChannels()
    /// What the other end is told at the end of a session that takes nothing new.
    var drainMessage: String?
    /// By id.
    var borrowedSegments: [UInt32: SegmentInfo] = [:]
    /// Segments of third processes that were to be shared with the other end.
    var shared: [SegmentIdentity: SharedSegmentState] = [:]
    var watches: [Registration] = []
    var patience: ScheduledAction?
    /// What the other end said at its orderly end.
    var goodbye: String?
    /// What went through channels that are closed.
    var pastTraffic = Traffic()
    var isReleased = false
    var end: SessionEnd?
  }

  private struct EndSignals {
    var waiting: [OneShot<SessionEnd?>] = []
    /// Set when everything is done that the end of a session brings.
    var reported: SessionEnd?
  }

  /// How long the other end's process may take to die, or its last words to arrive, after it went silent.
  static let patience = Duration.seconds(1)
  /// Most channels that may be open at once.
  static let channelLimit = 131_072
  /// Most channels that one end may have asked for without an answer. Its receiver holds it to that.
  static let openingLimit = 1024

  let parts: Parts
  /// Fulfilled when the session has ended, after all that was pending has failed.
  private let endSignals = Mutex(EndSignals())
  /// Memory that both ends write to.
  let readWrite = Mutex(ReadWriteSegments())
  let state: Mutex<State>
  private let upkeep: ArenaUpkeep

  init(_ parts: Parts) {
    self.parts = parts
    let carrier = parts.carrier
    // Not weakly: that would make each use of the carrier slower.
    upkeep = ArenaUpkeep(of: carrier.arena, reactor: parts.reactor, interval: parts.options.decayInterval) {
      carrier.retire($0)
    }
    state = Mutex(State(lanes: LaneNumbers(role: parts.role)))
  }

  deinit {
    finish(.closed)
  }

  /// Begins to serve. Before anybody else knows the session.
  func start() throws(SystemError) {
    parts.carrier.attach(self)
    ServerWideViewers.shared.add(parts)
    parts.carrier.borrower.onRing { [weak self] in self?.ring() }
    try parts.carrier.link.start(owner: self)
    try parts.control.start { [weak self] event in self?.handle(event) }
    if let process = parts.peer.process {
      let watch = try parts.reactor.register(process.descriptor, for: .readable) { [weak self] _ in self?.peerDied() }
      let isLate = state.withLock { state in
        if state.end == nil { state.watches.append(watch) }
        return state.end != nil
      }
      // It has ended meanwhile, and nobody would cancel it any more.
      if isLate { watch.cancel() }
    }
    if parts.role == .server {
      for offer in parts.initialChannels { peerOpens(offer) }
    }
    parts.logger.debug("session opened", metadata: logMetadata)
  }

  // MARK: What arrives on the control socket

  private func handle(_ event: ControlConnection.Event) {
    switch event {
    case .received(let control, let handles): handle(control, handles)
    case .violation(let what): finish(.protocolViolation(what))
    case .ended(let problem): wentSilent(problem)
    }
  }

  private func handle(_ control: Control, _ handles: [Handle]) {
    switch control {
    case .hello, .welcome, .refusal:
      finish(.protocolViolation("a handshake message in an open session"))
    case .segment(let segment):
      guard let handle = handles.first else { return }
      map(segment, handle)
    case .handles(let ticket, let lane): arrived(handles, ticket: ticket, lane: lane)
    case .withdrawHandles(let ticket):
      parts.carrier.handlesWithdrawn(ticket: ticket)
    case .handlesSettled(let total):
      guard parts.carrier.handlesSettled(total) else {
        return finish(.protocolViolation("\(total) handles said to wait no more, which were never sent"))
      }
    case .retireSegment(let id): unmap(id)
    case .returned: parts.carrier.lender.rang()
    case .shareSegment(let shared): peerShares(shared)
    case .segmentShared(let id, let isMapped): peerAnswered(share: id, isMapped: isMapped)
    case .openChannel(let opening): peerOpens(ChannelOffer(opening: opening, handles: handles))
    case .channelOpened(let lane, let half): peerAccepts(lane, half, handles)
    case .abandonChannel(let lane): peerAbandons(lane)
    case .channelRefused(let lane, let reason, let message):
      peerAnswered(lane, .failure(.channelRefused(reason, message: message)))
    case .goodbye(let message):
      state.withLock { $0.goodbye = message }
      // What the other end sent on the link before this is there by now, and still to be delivered.
      drainRest { [weak self, reactor = parts.reactor] in
        // After the link had its say about it: it may have broken the protocol.
        reactor.perform { [weak self] in self?.finish(.closedByPeer(message)) }
      }
    }
  }

  private func arrived(_ handles: [Handle], ticket: UInt32, lane: UInt32) {
    guard parts.carrier.handlesArrived(handles, ticket: ticket, lane: lane) else {
      let limit = Carrier.unclaimedLimit
      return finish(.protocolViolation("handles with ticket \(ticket) twice, or more than \(limit) unclaimed ones"))
    }
    // No envelope comes any more on a link that has ended. If it ends from now on, they are among those that are closed then.
    if lane != 0, state.withLock({ $0.ownLinks[lane] == nil }) { parts.carrier.ownLinkEnded(lane) }
    resumeDelivery()
  }

  // MARK: What channels ask for

  func announce(_ segment: Segment, id: UInt32, scope: MemoryScope) {
    parts.control.send(
      .segment(
        Control.AnnouncedSegment(id: id, name: segment.name, byteCount: UInt64(segment.byteCount), scope: scope)),
      handles: [segment.handle])
  }

  func retireSegment(_ id: UInt32) {
    parts.control.send(.retireSegment(id: id))
  }

  func sendHandles(_ handles: [Handle], ticket: UInt32, lane: UInt32) -> OneShot<Bool>? {
    parts.control.sendUnlessBusy(.handles(ticket: ticket, lane: lane), handles: handles)
  }

  func tellHandlesSettled(_ total: UInt64) {
    parts.control.sendInsteadOfEarlier(.handlesSettled(total: total))
  }

  func withdrawHandles(ticket: UInt32) {
    parts.control.send(.withdrawHandles(ticket: ticket))
  }

  func channelClosed(_ lane: UInt32) {
    laneForgotten(lane)
  }

  func laneForgotten(_ lane: UInt32) {
    let (farewell, own) = state.withLock { state in
      if let channel = state.channels.removeValue(forKey: lane) {
        state.pastTraffic = state.pastTraffic + channel.traffic
      }
      return (state.farewell, state.removeOwnLink(lane))
    }
    if let own { end(own) }
    if let farewell { close(farewell) }
  }

  // MARK: What the link says

  func receiveStray(_ frame: RawSpan, on lane: UInt32) -> LaneDelivery {
    guard state.withLock({ $0.lanes.wasOpened(lane) }) else {
      return .violation("a message on lane \(lane), which was never opened")
    }
    return parts.carrier.drop(frame)
  }

  func linkEnded(_ end: LinkEnd) {
    switch end {
    case .violation(let what): return finish(.protocolViolation(what))
    case .failed(let error):
      if error.isStall { return finish(.failed("\(error)")) }
      parts.logger.debug("the link failed", metadata: logMetadata.merging(["error": "\(error)"]) { $1 })
    case .endOfStream: break
    }
    let goodbye = state.withLock { $0.goodbye }
    if let goodbye { finish(.closedByPeer(goodbye)) } else { beginPatience() }
  }

  // MARK: The end

  /// The other process is dead: what it sent before still counts.
  private func peerDied() {
    drainRest { [self] in
      let goodbye = state.withLock { $0.goodbye }
      let pid = parts.peer.process?.pid ?? parts.peer.credentials.pid
      parts.tidyAfterPeer?()
      if parts.namedSegments != nil { NamedSegments.removeLeftovers(of: "sluice.\(parts.server)") }
      finish(goodbye.map { .closedByPeer($0) } ?? .peerDied(pid: pid))
    }
  }

  /// The control socket ended without a goodbye. Whether the process is dead, its descriptor will say in a moment.
  private func wentSilent(_ problem: String?) {
    if let process = parts.peer.process, (try? process.isAlive) == false { return peerDied() }
    beginPatience()
  }

  private func beginPatience() {
    let patience = parts.reactor.schedule(at: .now.advanced(by: Self.patience)) { [weak self] in
      guard let self else { return }
      let goodbye = state.withLock { $0.goodbye }
      finish(goodbye.map { .closedByPeer($0) } ?? .connectionLost)
    }
    let superseded = state.withLock { state -> ScheduledAction? in
      guard state.end == nil, state.patience == nil else { return patience }
      state.patience = patience
      return nil
    }
    superseded?.cancel()
  }

  /// Ends the session in order, with a word to the other end.
  func close(_ message: String) {
    guard state.withLock({ $0.end == nil }) else { return }
    parts.control.send(.goodbye(message: message))
    finish(.closed)
  }

  /// Ends the session, once: fails what is pending, each exactly once, then lets go of every resource, then says so.
  func finish(_ end: SessionEnd) {
    let ended = state.withLock { state -> State? in
      guard state.end == nil else { return nil }
      var ended = State(lanes: state.lanes)
      swap(&ended, &state)
      state.end = end
      state.incoming = ended.incoming
      state.borrowedSegments = ended.borrowedSegments
      state.pastTraffic = ended.channels.values.reduce(ended.pastTraffic) { $0 + $1.traffic }
      return ended
    }
    guard let ended else { return }
    ended.patience?.cancel()
    for watch in ended.watches { watch.cancel() }
    for pending in ended.opening.values {
      pending.opening.fulfill(.failure(.sessionEnded(end)))
      pending.core?.sessionEnded(end)
    }
    for channel in ended.channels.values { channel.sessionEnded(end) }
    for waiter in ended.openingWaiters { waiter.fulfill(true) }  // they try again, and learn of the end
    for case .asked(_, let waiting) in ended.shared.values { for waiter in waiting { waiter.fulfill(false) } }
    for own in ended.ownLinks.values { own.link.end() }
    parts.carrier.link.end()
    parts.control.close()
    parts.carrier.end()
    parts.carrier.borrower.end()
    state.withLock { $0.incoming.finish(end.isOrderly ? nil : .sessionEnded(end)) }
    RetiredLoans.retire(parts)
    ServerWideViewers.shared.retire(parts.carrier.lender, on: parts.reactor)
    log(end)
    parts.whenEnded?()
    let waiting = endSignals.withLock { signals in
      signals.reported = end
      defer { signals.waiting = [] }
      return signals.waiting
    }
    for signal in waiting { signal.fulfill(end) }
  }

  /// Why the session has ended, if it has.
  var end: SessionEnd? { state.withLock { $0.end } }
  var hasEnded: Bool { end != nil }

  /// A signal for the end of the session; fulfilled already if it has ended.
  func endSignal() -> OneShot<SessionEnd?> {
    let signal = OneShot<SessionEnd?>()
    let reported = endSignals.withLock { signals in
      if signals.reported == nil { signals.waiting.append(signal) }
      return signals.reported
    }
    if let reported { signal.fulfill(reported) }
    return signal
  }

  /// Ends are quiet, unless the other one broke off, or the rules.
  private func log(_ end: SessionEnd) {
    let level: Logger.Level =
      switch end {
      case .closed, .closedByPeer: .debug
      case .peerDied, .connectionLost: .notice
      case .protocolViolation, .failed: .warning
      }
    parts.logger.log(
      level: level, "session ended", metadata: logMetadata.merging(["end": "\(end)"]) { $1 })
  }

  private var logMetadata: Logger.Metadata {
    ["server": "\(parts.server)", "session": "\(parts.name)", "peer": "\(parts.peer.credentials)"]
  }

  /// Nobody holds the ``Session`` any more. Its channels may go on; without any, it ends.
  func released() {
    let untaken = state.withLock { state in
      state.isReleased = true
      defer { state.initial = [] }
      return state.initial.compactMap { $0 }
    }
    for pending in untaken { giveUp(pending) }
    takeNoMore()
  }

  /// Takes no channels any more; those that are open may go on. Without any, the session ends, and says `message`.
  func drain(_ message: String) {
    let channels = state.withLock { state in
      if state.drainMessage == nil { state.drainMessage = message }
      return Array(state.channels.values)
    }
    takeNoMore()
    for channel in channels { channel.drain() }
  }

  private func takeNoMore() {
    let (farewell, waiting) = state.withLock { ($0.farewell, $0.incoming.removeAll()) }
    for offer in waiting { refuse(offer.opening.lane, .ending, Self.takesNoMore) }
    if let farewell { close(farewell) }
  }
}

extension SessionCore.State {
  /// Whether channels that the other end opens are taken.
  var takesChannels: Bool { end == nil && !isReleased && drainMessage == nil }

  /// What is said at the end if the session has nothing left to do; nil if it has.
  fileprivate var farewell: String? {
    guard isReleased || drainMessage != nil, channels.isEmpty, opening.isEmpty else { return nil }
    return drainMessage ?? ""
  }
}

extension SessionEnd {
  /// Whether one of the two ends wanted it.
  var isOrderly: Bool {
    switch self {
    case .closed, .closedByPeer: true
    case .peerDied, .connectionLost, .protocolViolation, .failed: false
    }
  }
}
