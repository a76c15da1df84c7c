import CapnProto
import SluiceChannel
import SluiceTransport

/// The authenticated conversation of one client process with one server process. Either end opens channels in it.
///
/// It owns every resource made for it (segments, sockets, mappings), names them, and lets go of them when it ends: when
/// either end closes it, or the other process dies, also by SIGKILL. Whatever is pending fails then, each exactly once,
/// before the end is reported. A received message that is still held stays readable.
///
/// Thread-safe. A session ends when it is closed, or when it and all of its channels are released.
public final class Session: Sendable {
  let core: SessionCore

  init(_ core: SessionCore) {
    self.core = core
  }

  deinit {
    core.released()
  }

  /// Names the session: the client's process id and a random number.
  public var name: String { core.parts.name }
  /// What carries the session's channels: what both ends chose, or a socket. Channels may have a link of their own.
  public var linkKind: TransportKind { core.parts.carrier.link.kind }
  /// Which end this is.
  public var role: SessionRole { core.parts.role }
  /// The other end's app, as it names itself.
  public var peerApp: String { core.parts.peerApp }
  /// What the client said about itself when it connected. At the client's end, nothing.
  public var peerMetadata: Metadata { core.parts.peerMetadata }
  /// Who the other end is, on the kernel's word.
  public var peer: PeerIdentity { core.parts.peer }

  /// Opens a channel for messages with the root type `root`. Suspends until the other end takes it.
  ///
  /// - Parameters:
  ///   - metadata: The application's own, for the other end.
  ///   - link: What is to carry it.
  ///   - timeout: How long to wait; nil for ever.
  /// - Throws: ``SessionError``, among them ``SessionError/channelRefused(_:message:)`` and ``SessionError/timedOut``; for a
  ///   link of its own also ``SessionError/tooManyOwnLinks(limit:)``, and what is missing here for one.
  public func openChannel<Root: StructSchema>(
    _ root: Root.Type, metadata: Metadata = .none, link: ChannelLink = .shared, timeout: Duration? = .seconds(5)
  ) async throws(SessionError) -> Channel<Root> {
    let core = try await core.open(
      opening(root, metadata), over: link, deadline: timeout.map { .now.advanced(by: $0) })
    return Channel(core, metadata: metadata)
  }

  /// As ``openChannel(_:metadata:link:timeout:)``, but blocks the thread.
  public func openChannelSync<Root: StructSchema>(
    _ root: Root.Type, metadata: Metadata = .none, link: ChannelLink = .shared, timeout: Duration? = .seconds(5)
  ) throws(SessionError) -> Channel<Root> {
    let core = try core.openSync(
      opening(root, metadata), over: link, deadline: timeout.map { .now.advanced(by: $0) })
    return Channel(core, metadata: metadata)
  }

  private func opening<Root: StructSchema>(_: Root.Type, _ metadata: Metadata) -> Control.ChannelOpening {
    Control.ChannelOpening(lane: 0, rootTypeID: Root.typeID, rootTypeName: Root.typeName, metadata: metadata)
  }

  /// A channel that was asked for as the session was opened: see `connect`. Suspends until the other end takes it.
  ///
  /// - Parameters:
  ///   - index: Its place among those that were asked for.
  ///   - root: Its root type, as it was asked for.
  /// - Throws: ``SessionError/noSuchInitialChannel(_:)``, also when it was taken before, and what
  ///   ``openChannel(_:metadata:link:timeout:)`` throws.
  public func initialChannel<Root: StructSchema>(
    _ index: Int = 0, of root: Root.Type, timeout: Duration? = .seconds(5)
  ) async throws(SessionError) -> Channel<Root> {
    let pending = try core.takeInitialChannel(at: index, rootTypeID: Root.typeID)
    return Channel(
      try await core.answer(to: pending, deadline: timeout.map { .now.advanced(by: $0) }), metadata: pending.metadata)
  }

  /// As ``initialChannel(_:of:timeout:)``, but blocks the thread.
  public func initialChannelSync<Root: StructSchema>(
    _ index: Int = 0, of root: Root.Type, timeout: Duration? = .seconds(5)
  ) throws(SessionError) -> Channel<Root> {
    let pending = try core.takeInitialChannel(at: index, rootTypeID: Root.typeID)
    return Channel(
      try core.answerSync(to: pending, deadline: timeout.map { .now.advanced(by: $0) }), metadata: pending.metadata)
  }

  /// The channels for messages with the root type `root` that the other end opens. Each is accepted when it is taken; until
  /// then it waits, as long as its opener does. Several tasks may iterate.
  ///
  /// Ends with the session: in order, or by throwing ``SessionError/sessionEnded(_:)``.
  public func channels<Root: StructSchema>(of root: Root.Type) -> Channels<Root> {
    Channels(session: self, queue: core.incoming(rootTypeID: Root.typeID))
  }

  /// As ``channels(of:)``, but each is to be accepted or refused by who takes it, who sees its metadata first.
  public func incomingChannels<Root: StructSchema>(of root: Root.Type) -> IncomingChannels<Root> {
    IncomingChannels(session: self, queue: core.incoming(rootTypeID: Root.typeID))
  }

  /// The next channel that the other end opens, to be accepted or refused; blocks the thread for it. Nil when the session
  /// has ended in order.
  public func nextIncomingChannelSync<Root: StructSchema>(
    of root: Root.Type, timeout: Duration? = nil
  ) throws(SessionError) -> IncomingChannel<Root>? {
    let queue = core.incoming(rootTypeID: Root.typeID)
    let deadline = timeout.map { ContinuousClock.Instant.now.advanced(by: $0) }
    return try offer(queue.nextBlocking(deadline: deadline), gaveUp: .timedOut).map { IncomingChannel($0, self) }
  }

  /// The next channel that the other end opens; blocks the thread for it. Nil when the session has ended in order.
  public func nextChannelSync<Root: StructSchema>(
    of root: Root.Type, timeout: Duration? = nil
  ) throws(SessionError) -> Channel<Root>? {
    let queue = core.incoming(rootTypeID: Root.typeID)
    let deadline = timeout.map { ContinuousClock.Instant.now.advanced(by: $0) }
    while true {
      switch try accept(root, queue.nextBlocking(deadline: deadline), gaveUp: .timedOut) {
      case .accepted(let channel): return channel
      case .finished: return nil
      case .refused: continue
      }
    }
  }

  /// What became of a channel that was to be accepted.
  enum Acceptance<Root: StructSchema> {
    case accepted(Channel<Root>)
    /// This end could not make its half of a link of the channel's own; the opener knows.
    case refused
    /// The session has ended in order.
    case finished
  }

  func accept<Root: StructSchema>(
    _: Root.Type, _ item: WaitingChannels.Queue.Item, gaveUp: SessionError
  ) throws(SessionError) -> Acceptance<Root> {
    guard let offer = try offer(item, gaveUp: gaveUp) else { return .finished }
    do throws(SessionError) {
      guard let core = try core.accept(offer) else {
        if let end = core.end, !end.isOrderly { throw .sessionEnded(end) }
        return .finished
      }
      return .accepted(Channel(core, metadata: offer.opening.metadata))
    } catch {
      if case .sessionEnded = error { throw error }
      core.parts.logger.notice("refused a channel", metadata: ["session": "\(name)", "reason": "\(error)"])
      return .refused
    }
  }

  func offer(_ item: WaitingChannels.Queue.Item, gaveUp: SessionError) throws(SessionError) -> ChannelOffer? {
    switch item {
    case .element(let offer): offer
    case .finished: nil
    case .failed(let error): throw error
    case .gaveUp: throw gaveUp
    }
  }

  /// The segments of this session: its own, the server-wide ones, and those that the other end lends from.
  public var segments: [SegmentInfo] { core.segments }

  /// What the session has done so far.
  public var statistics: SessionStatistics { SessionStatistics(core) }

  /// What the other end holds of this end's messages, and how long already. For finding leaks.
  public var leaseReport: LeaseReport { LeaseReport(core.parts, hasEnded: core.hasEnded) }

  /// Gives memory of this session that is free back to the kernel now, and not after a while; see ``Arena/trim()``. The
  /// other end unmaps it.
  public func trimMemory() {
    core.parts.carrier.lender.drain()
    core.parts.carrier.arena.trim()
  }

  /// Suspends until a message can be sent, and `byteCount` bytes of the session's memory can be had in one piece: after
  /// the other end has released something, or this end. They are not kept for the caller.
  ///
  /// - Parameters:
  ///   - byteCount: What is wanted; 0 for a lease only.
  ///   - timeout: How long to wait; nil for ever.
  /// - Throws: ``SessionError/timedOut``, ``SessionError/cancelled``, ``SessionError/sessionEnded(_:)``;
  ///   ``SessionError/arena(_:)`` when the limit is too low for that at any time.
  public func waitForRoom(byteCount: Int = 0, timeout: Duration? = nil) async throws(SessionError) {
    let room = try room(byteCount)
    let deadline = timeout.map { ContinuousClock.Instant.now.advanced(by: $0) }
    try room.check(await room.wait(deadline: deadline, reactor: core.parts.reactor), end: core.end)
  }

  /// As ``waitForRoom(byteCount:timeout:)``, but blocks the thread. Not for the reactor's thread, which hears of returns.
  public func waitForRoomSync(byteCount: Int = 0, timeout: Duration? = nil) throws(SessionError) {
    let room = try room(byteCount)
    let deadline = timeout.map { ContinuousClock.Instant.now.advanced(by: $0) }
    try room.check(room.waitBlocking(deadline: deadline), end: core.end)
  }

  private func room(_ byteCount: Int) throws(SessionError) -> RoomRequest {
    let carrier = core.parts.carrier
    return try RoomRequest.checked(in: carrier.arena, byteCount: byteCount, borrower: carrier.lender) {
      [carrier.lender]
    } hasEnded: { [core] in
      core.end
    }
  }

  /// Takes no channels of the other end any more; those that are open go on, and when the last of them is closed, the
  /// session ends in order. Does not wait for that: ``end()`` does.
  ///
  /// - Parameter reason: For people at the other end.
  public func drain(reason: String = "") {
    core.drain(reason)
  }

  /// Ends the session in order, once: what is pending fails, here with ``SessionEnd/closed``, at the other end with
  /// ``SessionEnd/closedByPeer(_:)``. Does not block.
  ///
  /// - Parameter reason: For people at the other end.
  public func close(reason: String = "") {
    core.close(reason)
  }

  /// Suspends until the session has ended, and says why. When the task is cancelled first: nil.
  public func end() async -> SessionEnd? {
    await core.endSignal().wait(onCancel: nil)
  }

  /// Why the session has ended; blocks the thread for it. Nil when the timeout passed first.
  public func endSync(timeout: Duration? = nil) -> SessionEnd? {
    let deadline = timeout.map { ContinuousClock.Instant.now.advanced(by: $0) }
    return core.endSignal().waitBlocking(deadline: deadline, onTimeout: nil)
  }
}
