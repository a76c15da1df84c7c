import CapnProto
import Logging
import SluiceChannel
import SluiceMemory
import SluiceSystem
import SluiceTransport
import SluiceWaiting
import Synchronization
import SystemPackage

/// Accepts the sessions of one server app.
///
/// One process serves an app at a time. Thread-safe. The server stops when it is shut down or released; sessions that were
/// taken go on.
public final class SessionServer: Sendable {
  private struct State: ~Copyable {
    var rendezvous: Rendezvous?
    var registration: Registration?
    var connections: [ObjectIdentifier: IncomingConnection] = [:]
    var sessionNames: [String: WeakSession] = [:]
    var isShutDown = false
  }

  private struct WeakSession {
    weak var core: SessionCore?
  }

  /// Most connections that may be in the middle of their handshake.
  private static let connectionLimit = 1024
  /// How long to wait when the process has no descriptor left for a connection.
  private static let breather = Duration.milliseconds(100)

  /// The app that is served.
  public let app: ServerApp
  private let options: SessionOptions
  private let listener: SocketListener
  private let arena: Arena
  private let upkeep = Mutex<ArenaUpkeep?>(nil)
  private let waiting: Mailbox<SessionCore, SessionError>
  private let state: Mutex<State>

  /// Takes the app's place and begins to listen.
  ///
  /// - Throws: ``SessionError``, among them ``SessionError/serverAlreadyRunning(app:pid:)``.
  public init(_ app: ServerApp, options: SessionOptions = SessionOptions()) throws(SessionError) {
    self.app = app
    self.options = options
    let rendezvous = try Rendezvous(of: app)
    waiting = Mailbox(capacity: options.waitingSessionLimit)
    // This process has the app's place: of what stands under its name, it is the owner, or the owner is dead.
    NamedSegments.removeLeftovers(of: "sluice.\(app.name)")
    let name = SessionAssembly.segmentName(app.name, "all", "server")
    let place = try SessionAssembly.place(options.segmentBacking.access, prefix: name)
    do {
      arena = try Arena(
        name: name, scope: .serverWide, byteLimit: options.serverWideByteLimit ?? Arena.defaultByteLimit, in: place,
        options: options.segmentOptions)
    } catch {
      throw .arena(error)
    }
    do {
      listener = try SocketListener(at: Rendezvous.socket(in: rendezvous.folder))
    } catch {
      throw .listener(error)
    }
    try rendezvous.describe(
      "app \(app.name)\npid \(UserIdentity.processID)\nprotocol \(options.versions)\n")
    state = Mutex(State(rendezvous: rendezvous))
    do throws(SystemError) {
      let registration = try options.reactor.register(listener.descriptor, for: .readable) { [weak self] _ in
        self?.acceptAll()
      }
      state.withLock { $0.registration = registration }
    } catch {
      throw .system(error)
    }
    let upkeep = ArenaUpkeep(of: arena, reactor: options.reactor, interval: options.decayInterval) {
      [weak self] segments in
      for core in self?.liveSessions ?? [] { core.parts.carrier.retire(segments) }
    }
    self.upkeep.withLock { $0 = upkeep }
  }

  deinit {
    shutdown()
  }

  /// The sessions that clients open. Several tasks may iterate; each session goes to one of them. Ends with the shutdown.
  public var sessions: Sessions { Sessions(server: self) }

  /// The next session; blocks the thread for it. Nil after the shutdown.
  public func nextSessionSync(timeout: Duration? = nil) throws(SessionError) -> Session? {
    let deadline = timeout.map { ContinuousClock.Instant.now.advanced(by: $0) }
    return try take(waiting.nextBlocking(deadline: deadline), gaveUp: .timedOut)
  }

  fileprivate func nextSession() async throws(SessionError) -> Session? {
    let item = await waiting.next()
    if case .gaveUp = item { return nil }
    return try take(item, gaveUp: .cancelled)
  }

  private func take(
    _ item: MailboxItem<SessionCore, SessionError>, gaveUp: SessionError
  ) throws(SessionError) -> Session? {
    switch item {
    case .element(let core): Session(core)
    case .finished: nil
    case .failed(let error): throw error
    case .gaveUp: throw gaveUp
    }
  }

  /// A new message in memory that every session of this server may read: build it once, send it to many. For whom it is
  /// secret, it must not be built here.
  public func makeMessage<Root: StructSchema>(_ root: Root.Type) throws(ChannelError) -> MessageBuilder<Root> {
    let memory = ArenaSegmentAllocator(in: arena) { [weak self] in self?.drainReturns() }
    do {
      return try MessageBuilder(root, allocator: memory)
    } catch {
      throw .invalidMessage(error)
    }
  }

  /// What the server-wide arena takes and holds at this moment.
  public var memory: ArenaStatistics { arena.statistics }

  /// What the clients hold of the messages of this end, the server-wide ones included; a report for each session that
  /// has not ended. For the others: ``LeaseReport/ofEndedSessions``.
  public var leaseReports: [LeaseReport] { liveSessions.map { LeaseReport($0.parts, hasEnded: false) } }

  /// Gives the server-wide memory that is free back to the kernel now, and not after a while; see ``Arena/trim()``.
  public func trimMemory() {
    drainReturns()
    arena.trim()
  }

  /// Suspends until `byteCount` bytes of server-wide memory can be had in one piece: after something was returned, or
  /// released here. They are not kept for the caller.
  ///
  /// - Parameter timeout: How long to wait; nil for ever.
  /// - Throws: ``SessionError/timedOut``, ``SessionError/cancelled``; ``SessionError/arena(_:)`` when the limit is too low.
  public func waitForRoom(byteCount: Int, timeout: Duration? = nil) async throws(SessionError) {
    let room = try room(byteCount: byteCount)
    try room.check(await room.wait(deadline: timeout.map { .now.advanced(by: $0) }, reactor: options.reactor))
  }

  /// As ``waitForRoom(byteCount:timeout:)``, but blocks the thread. Not for the reactor's thread.
  public func waitForRoomSync(byteCount: Int, timeout: Duration? = nil) throws(SessionError) {
    let room = try room(byteCount: byteCount)
    try room.check(room.waitBlocking(deadline: timeout.map { .now.advanced(by: $0) }))
  }

  private func room(byteCount: Int) throws(SessionError) -> RoomRequest {
    try RoomRequest.checked(in: arena, byteCount: byteCount, borrower: nil) { [weak self] in
      self?.liveSessions.map(\.parts.carrier.lender) ?? []
    } hasEnded: {
      nil
    }
  }

  private func drainReturns() {
    for core in liveSessions { core.parts.carrier.lender.drain() }
  }

  private var liveSessions: [SessionCore] { state.withLock { $0.sessionNames.values.compactMap { $0.core } } }

  /// Stops listening and leaves the app's place to another server. Sessions that were taken go on; those that wait to be
  /// taken end.
  public func shutdown() {
    let (registration, connections) = state.withLock { state -> (Registration?, [IncomingConnection]) in
      state.isShutDown = true
      // First the folder: from here on, another server may start.
      state.rendezvous = nil
      defer {
        state.registration = nil
        state.connections = [:]
      }
      return (state.registration, Array(state.connections.values))
    }
    registration?.cancel()
    listener.close()
    for connection in connections { connection.refuse(.shuttingDown, "the server is shutting down") }
    waiting.finish()
    for core in waiting.removeAll() { core.close("the server is shutting down") }
  }

  // MARK: Accepting

  private func acceptAll() {
    do {
      while let socket = try listener.tryAccept() { begin(socket) }
    } catch {
      options.logger.error("cannot accept connections for a moment", metadata: ["error": "\(error)"])
      let registration = state.withLock { $0.registration }
      // If it cannot be paused, it is asked again at once: no harm but work.
      try? registration?.update([])
      _ = options.reactor.schedule(at: .now.advanced(by: Self.breather)) { try? registration?.update(.readable) }
    }
  }

  private func begin(_ socket: Handle) {
    let connection: IncomingConnection
    do {
      connection = try IncomingConnection(socket, reactor: options.reactor) { [weak self] connection, outcome in
        self?.introduced(connection, outcome)
      }
    } catch {
      return options.logger.notice("a connection was lost at once", metadata: ["error": "\(error)"])
    }
    let isRoom = state.withLock { state in
      guard !state.isShutDown, state.connections.count < Self.connectionLimit else { return false }
      state.connections[ObjectIdentifier(connection)] = connection
      return true
    }
    guard isRoom else {
      return connection.refuse(.serverBusy, "\(Self.connectionLimit) connections are in their handshake")
    }
    connection.start(timeout: options.handshakeTimeout)
  }

  private func introduced(_ connection: IncomingConnection, _ outcome: IncomingConnection.Outcome) {
    _ = state.withLock { $0.connections.removeValue(forKey: ObjectIdentifier(connection)) }
    switch outcome {
    case .hello(let hello, let handles):
      do throws(Rejection) {
        try admit(connection, hello, handles)
      } catch {
        report(connection, error.message)
        connection.refuse(error.reason, error.message, versions: options.versions)
      }
    case .failed(let problem):
      report(connection, problem)
      connection.refuse(.malformedHello, problem, versions: options.versions)
    }
  }

  private func report(_ connection: IncomingConnection, _ problem: String) {
    options.logger.notice(
      "refused a client", metadata: ["reason": "\(problem)", "peer": "\(connection.peer.credentials)"])
  }

  /// Why a client is not admitted.
  private struct Rejection: Error {
    let reason: RefusalReason
    let message: String
  }

  private func admit(
    _ connection: IncomingConnection, _ hello: Control.Hello, _ handles: [Handle]
  ) throws(Rejection) {
    let policy = AdmissionPolicy(app: app, uid: app.uid ?? UserIdentity.effectiveUID, versions: options.versions)
    let version: UInt32
    do {
      version = try policy.check(hello, credentials: connection.peer.credentials)
    } catch {
      throw Rejection(reason: error.reason, message: error.message)
    }
    // Connections are admitted on one thread, the reactor's: nobody takes the name in between.
    let isNew = state.withLock { state in
      state.sessionNames = state.sessionNames.filter { $0.value.core != nil }
      return state.sessionNames[hello.session] == nil
    }
    guard isNew else { throw Rejection(reason: .malformedHello, message: "the session \(hello.session) exists") }
    let core: SessionCore
    do {
      core = try makeSession(connection, hello, handles, version: version)
    } catch {
      if case .protocolViolation(let what) = error { throw Rejection(reason: .malformedHello, message: what) }
      throw Rejection(reason: .serverBusy, message: "\(error)")
    }
    state.withLock { $0.sessionNames[hello.session] = WeakSession(core: core) }
    if !waiting.deliver(core) { core.close("as many sessions wait for the server as may") }
  }

  private func makeSession(
    _ connection: IncomingConnection, _ hello: Control.Hello, _ handles: [Handle], version: UInt32
  ) throws(SessionError) -> SessionCore {
    guard let returnTable = handles.first else { throw .protocolViolation("an introduction without descriptors") }
    let assembly = try SessionAssembly(server: app.name, session: hello.session, role: .server, options: options)
    let link = try makeLink(assembly, connection.peer, hello.ring, Array(handles.dropFirst()))
    let access = hello.namedSegments ? options.segmentBacking.access : nil
    let laneWindow = min(max(1, options.laneWindow), 65_536)
    let control = ControlConnection(over: try connection.handOver(), reactor: options.reactor)
    let core = try assembly.assemble(
      peerApp: hello.clientApp, peerMetadata: hello.metadata, peer: connection.peer, control: control,
      link: link.transport, linkSegments: link.segments, laneWindow: laneWindow, peerReturns: hello.returnTable,
      peerReturnsHandle: returnTable,
      // A client that did not ask for named segments is not shown any: it gets copies.
      serverWideArena: access == options.segmentBacking.access ? arena : nil, namedSegments: access, tidyAfterPeer: nil)
    let welcome = Control.Welcome(
      version: version, linkKind: link.ring == nil ? .socket : .ring, laneWindow: laneWindow,
      returnTable: assembly.returnTableSize, ring: link.ring, namedSegments: access)
    control.send(.welcome(welcome), handles: [assembly.returnTable.segment.handle] + link.handles)
    do {
      try core.start()
    } catch {
      throw .system(error)
    }
    return core
  }

  /// A link, and what the client is told of it.
  private struct MadeLink {
    let transport: any Transport
    var segments: [SegmentInfo] = []
    var ring: Control.RingSize?
    let handles: [Handle]
  }

  /// A ring, if both ends choose one; else a socket.
  private func makeLink(
    _ assembly: SessionAssembly, _ peer: PeerIdentity, _ ring: Control.RingSize?, _ ringHandles: [Handle]
  ) throws(SessionError) -> MadeLink {
    if let ring, options.link == .ring {
      let offer = try assembly.makeRingOffer()
      let made = try assembly.complete(offer, ring, ringHandles, peer: peer)
      return MadeLink(transport: made.transport, segments: made.segments, ring: offer.size, handles: offer.handles)
    }
    let sockets: (ours: Handle, theirs: Handle)
    do {
      sockets = try UnixSocket.pair()
    } catch {
      throw .system(error)
    }
    do {
      let socket = try SocketTransport(socket: sockets.ours, maxBlobSize: Envelope.largestFrameByteCount)
      return MadeLink(transport: socket, handles: [sockets.theirs])
    } catch {
      throw .transport(error)
    }
  }
}

/// The sessions that clients open with a server.
public struct Sessions: AsyncSequence, Sendable {
  /// Kept, so that the server does not stop under the loop.
  let server: SessionServer

  /// Takes one session after the other.
  public struct AsyncIterator: AsyncIteratorProtocol {
    let server: SessionServer

    /// The next session; nil after the server's shutdown, or when the task was cancelled.
    public mutating func next() async throws(SessionError) -> Session? { try await server.nextSession() }
  }

  /// Another iterator: each session goes to one of them.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(server: server) }
}
