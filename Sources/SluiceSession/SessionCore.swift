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
    let peerMetadata: [UInt8]
    let peer: PeerIdentity
    let control: ControlConnection
    let carrier: Carrier
    /// The segments of a link in shared memory.
    let linkSegments: [SegmentInfo]
    let returnTable: ReturnTable
    let laneWindow: UInt32
    let options: SessionOptions
    /// Who may open segments by name; nil if they are sealed.
    let namedSegments: SegmentAccess?
    /// Tidies up after the other process, once it is dead.
    let tidyAfterPeer: (@Sendable () -> Void)?

    var reactor: Reactor { options.reactor }
    var logger: Logger { options.logger }
  }

  typealias Opening = OneShot<Result<Void, SessionError>>

  /// A channel that this end has asked for.
  struct PendingChannel {
    let core: ChannelCore
    let opening: Opening
  }

  struct State {
    var lanes: LaneNumbers
    var channels: [UInt32: ChannelCore] = [:]
    var opening: [UInt32: PendingChannel] = [:]
    /// Who waits until the other end has answered some of `opening`.
    var openingWaiters: [OneShot<Bool>] = []
    var incoming = IncomingChannels()
    /// By id.
    var borrowedSegments: [UInt32: SegmentInfo] = [:]
    var watches: [Registration] = []
    var patience: ScheduledAction?
    /// What the other end said at its orderly end.
    var goodbye: String?
    var linkHasEnded = false
    var isReleased = false
    var end: SessionEnd?
  }

  private struct EndSignals {
    var waiting: [OneShot<SessionEnd?>] = []
    /// Set when everything is done that the end of a session brings.
    var reported: SessionEnd?
  }

  /// How long the other end's process may take to die, or its last words to arrive, after it went silent.
  private static let patience = Duration.seconds(1)
  /// Most channels that may be open at once.
  static let channelLimit = 131_072
  /// Most channels that one end may have asked for without an answer. Its receiver holds it to that.
  static let openingLimit = 1024

  let parts: Parts
  /// Fulfilled when the session has ended, after all that was pending has failed.
  private let endSignals = Mutex(EndSignals())
  let state: Mutex<State>
  private let upkeep: ArenaUpkeep

  init(_ parts: Parts) {
    self.parts = parts
    let carrier = parts.carrier
    upkeep = ArenaUpkeep(of: carrier.arena, reactor: parts.reactor, interval: parts.options.decayInterval) {
      [weak carrier] in carrier?.retire($0)
    }
    state = Mutex(State(lanes: LaneNumbers(role: parts.role)))
  }

  deinit {
    finish(.closed)
  }

  /// Begins to serve. Before anybody else knows the session.
  func start() throws(SystemError) {
    parts.carrier.attach(self)
    parts.carrier.borrower.onRing { [weak self] in self?.ring() }
    try parts.carrier.link.start(owner: self)
    try parts.control.start { [weak self] event in self?.handle(event) }
    if let process = parts.peer.process {
      let watch = try parts.reactor.register(process.descriptor, for: .readable) { [weak self] _ in self?.peerDied() }
      state.withLock { $0.watches.append(watch) }
    }
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
    case .handles(let ticket):
      guard parts.carrier.handlesArrived(handles, ticket: ticket) else {
        return finish(.protocolViolation("handles with ticket \(ticket) twice, or too many unclaimed ones"))
      }
      parts.carrier.link.resumeDelivery()
    case .withdrawHandles(let ticket):
      parts.carrier.handlesWithdrawn(ticket: ticket)
    case .retireSegment(let id): unmap(id)
    case .returned: parts.carrier.lender.rang()
    case .shareSegment, .segmentShared: break
    case .openChannel(let opening): peerOpens(opening)
    case .channelOpened(let lane): peerAnswered(lane, .success(()))
    case .channelRefused(let lane, let message): peerAnswered(lane, .failure(.channelRefused(message)))
    case .goodbye(let message):
      let linkHasEnded = state.withLock { state in
        state.goodbye = message
        return state.linkHasEnded
      }
      // What the other end sent on the link before this is still to be delivered.
      if linkHasEnded { finish(.closedByPeer(message)) } else { beginPatience() }
    }
  }

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
      case .begun(let pending):
        let timer = deadline.map { parts.reactor.schedule(at: $0) { pending.opening.fulfill(.failure(.timedOut)) } }
        defer { timer?.cancel() }
        return try opened(pending, await pending.opening.wait(onCancel: .failure(.cancelled)))
      }
    }
  }

  /// As ``open(_:deadline:)``, but blocks the thread.
  func openSync(
    _ opening: Control.ChannelOpening, deadline: ContinuousClock.Instant?
  ) throws(SessionError) -> ChannelCore {
    while true {
      switch try beginOpening(opening) {
      case .busy(let signal):
        guard signal.waitBlocking(deadline: deadline, onTimeout: false) else { throw .timedOut }
      case .begun(let pending):
        return try opened(pending, pending.opening.waitBlocking(deadline: deadline, onTimeout: .failure(.timedOut)))
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
    guard opening.metadata.count <= Session.metadataLimit else {
      throw .metadataTooLong(byteCount: opening.metadata.count, limit: Session.metadataLimit)
    }
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
      let pending = PendingChannel(core: makeChannel(lane), opening: Opening())
      state.opening[lane] = pending
      return .begun(pending)
    }
    if case .begun(let pending) = beginning {
      parts.carrier.link.open(pending.core.lane, receiver: pending.core)
      parts.control.send(.openChannel(opening))
    }
    return beginning
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

  private func peerAnswered(_ lane: UInt32, _ answer: Result<Void, SessionError>) {
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

  private func makeChannel(_ lane: UInt32) -> ChannelCore {
    ChannelCore(lane: lane, carrier: parts.carrier, window: parts.laneWindow, owner: self)
  }

  // MARK: Accepting channels

  private func peerOpens(_ opening: Control.ChannelOpening) {
    let verdict = state.withLock { state -> Result<Bool, SessionEnd> in
      guard state.lanes.peerOpened(opening.lane) else {
        return .failure(.protocolViolation("channel opened on lane \(opening.lane), out of order"))
      }
      // Without an answer are those that wait, and those whose answer the other end has not read.
      guard state.incoming.count < Self.openingLimit, parts.control.unsentCount < 2 * Self.openingLimit else {
        return .failure(.protocolViolation("more than \(Self.openingLimit) channels asked for without an answer"))
      }
      guard state.end == nil, !state.isReleased, state.channels.count < Self.channelLimit else {
        return .success(false)
      }
      return .success(state.incoming.deliver(opening))
    }
    switch verdict {
    case .failure(let end): finish(end)
    case .success(true): break
    case .success(false):
      parts.control.send(.channelRefused(lane: opening.lane, message: "as many channels wait, or are open, as may"))
    }
  }

  /// The channels of the given root type that the other end opens, in the order of their opening.
  func incoming(rootTypeID: UInt64) -> IncomingChannels.Queue {
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
    parts.control.send(.channelOpened(lane: opening.lane))
    return core
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

  func sendHandles(_ handles: [Handle], ticket: UInt32) -> OneShot<Bool>? {
    parts.control.sendUnlessBusy(.handles(ticket: ticket), handles: handles)
  }

  func withdrawHandles(ticket: UInt32) {
    parts.control.send(.withdrawHandles(ticket: ticket))
  }

  func channelClosed(_ lane: UInt32) {
    laneForgotten(lane)
  }

  private func laneForgotten(_ lane: UInt32) {
    let isUnused = state.withLock { state in
      state.channels[lane] = nil
      return state.isReleased && state.channels.isEmpty && state.opening.isEmpty
    }
    if isUnused { close("") }
  }

  // MARK: What the link says

  func receiveStray(_ frame: RawSpan, on lane: UInt32) -> LaneDelivery {
    guard state.withLock({ $0.lanes.wasOpened(lane) }) else {
      return .violation("a message on lane \(lane), which was never opened")
    }
    return parts.carrier.drop(frame)
  }

  func linkEnded(_ end: LinkEnd) {
    if case .violation(let what) = end { return finish(.protocolViolation(what)) }
    let goodbye = state.withLock { state in
      state.linkHasEnded = true
      return state.goodbye
    }
    if let goodbye { finish(.closedByPeer(goodbye)) } else { beginPatience() }
  }

  // MARK: The end

  /// The other process is dead: what it sent before still counts.
  private func peerDied() {
    parts.carrier.link.drainRest { [self] in
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
      return ended
    }
    guard let ended else { return }
    ended.patience?.cancel()
    for watch in ended.watches { watch.cancel() }
    for pending in ended.opening.values {
      pending.opening.fulfill(.failure(.sessionEnded(end)))
      pending.core.sessionEnded(end)
    }
    for channel in ended.channels.values { channel.sessionEnded(end) }
    for waiter in ended.openingWaiters { waiter.fulfill(true) }  // they try again, and learn of the end
    parts.carrier.link.end()
    parts.control.close()
    parts.carrier.borrower.end()
    state.withLock { $0.incoming.finish(end.isOrderly ? nil : .sessionEnded(end)) }
    RetiredLoans.retire(parts)
    parts.logger.debug("session ended", metadata: ["session": "\(parts.name)", "end": "\(end)"])
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

  /// Nobody holds the ``Session`` any more. Its channels may go on; without any, it ends.
  func released() {
    let (isUnused, waiting) = state.withLock { state in
      state.isReleased = true
      return (state.channels.isEmpty && state.opening.isEmpty, state.incoming.removeAll())
    }
    for opening in waiting {
      parts.control.send(.channelRefused(lane: opening.lane, message: "the session takes no channels any more"))
    }
    if isUnused { close("") }
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
