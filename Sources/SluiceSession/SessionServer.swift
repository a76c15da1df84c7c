import CapnProto
import Logging
import SluiceChannel
import SluiceMemory
import SluiceSystem
import SluiceTransport
import SluiceWaiting
import Synchronization

/// Accepts the sessions of one server app.
///
/// One process serves an app at a time. Thread-safe. The server stops listening when it is released; sessions that were
/// taken go on.
public final class SessionServer: Sendable {
  /// Judges a client that the app's own policy lets pass. It may suspend, for as long as the handshake may take
  /// (``SessionOptions/handshakeTimeout``); then the client is refused, and the hook's task cancelled.
  public typealias AdmissionHook = @Sendable (Applicant) async -> Admission

  struct State: ~Copyable {
    var rendezvous: Rendezvous?
    var registration: Registration?
    var connections: [ObjectIdentifier: IncomingConnection] = [:]
    var register: SessionRegister
    var sessions: [String: WeakSession] = [:]
    /// Who waits for the end of all sessions.
    var emptyWaiters: [OneShot<Bool>] = []
    var hasLeft = false
  }

  struct WeakSession {
    weak var core: SessionCore?
  }

  static let goingDown = "the server is shutting down"

  /// The app that is served.
  public let app: ServerApp
  let options: SessionOptions
  let hook: AdmissionHook?
  let listener: SocketListener
  let arena: Arena
  private let upkeep = Mutex<ArenaUpkeep?>(nil)
  let waiting: Mailbox<SessionCore, SessionError>
  let state: Mutex<State>

  /// Takes the app's place and begins to listen.
  ///
  /// - Parameter hook: Judges each client that the app's own policy lets pass; nil to accept them all.
  /// - Throws: ``SessionError``, among them ``SessionError/serverAlreadyRunning(app:pid:)``, and
  ///   ``SessionError/wrongServerIdentity(_:)`` when this process is not what the app says of its server.
  public init(
    _ app: ServerApp, options: SessionOptions = SessionOptions(), admitting hook: AdmissionHook? = nil
  ) throws(SessionError) {
    self.app = app
    self.options = options
    self.hook = hook
    if let problem = app.mismatchOfThisProcess { throw .wrongServerIdentity(problem) }
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
    listener = try rendezvous.listen(for: app)
    try rendezvous.describe("app \(app.name)\npid \(UserIdentity.processID)\nprotocol \(options.versions)\n")
    state = Mutex(State(rendezvous: rendezvous, register: SessionRegister(limits: options.limits)))
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
    stopListening()
  }

  /// The sessions that clients open. Several tasks may iterate; each session goes to one of them. Ends when the server stops
  /// listening.
  public var sessions: Sessions { Sessions(server: self) }

  /// The next session; blocks the thread for it. Nil when the server has stopped listening.
  public func nextSessionSync(timeout: Duration? = nil) throws(SessionError) -> Session? {
    let deadline = timeout.map { ContinuousClock.Instant.now.advanced(by: $0) }
    return try take(waiting.nextBlocking(deadline: deadline), gaveUp: .timedOut)
  }

  func nextSession() async throws(SessionError) -> Session? {
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
  ///
  /// - Throws: ``ChannelError/outOfMemory(_:)`` when the server-wide arena is at its limit.
  public func makeMessage<Root: StructSchema>(_ root: Root.Type) throws(ChannelError) -> MessageBuilder<Root> {
    let memory = ArenaSegmentAllocator(in: arena) { [weak self] in self?.drainReturns() }
    do {
      return try MessageBuilder(root, allocator: memory)
    } catch {
      throw ChannelError(error)
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

  /// How many sessions the server has, those included that are being admitted.
  public var sessionCount: Int { state.withLock { $0.register.count } }

  private var liveSessions: [SessionCore] { state.withLock { $0.sessions.values.compactMap(\.core) } }

  // MARK: The end

  /// Leaves the app's place to another server, which may start at once. Sessions that were taken go on; those that wait to be
  /// taken end, and clients in their handshake are refused with ``RefusalReason/shuttingDown``.
  public func stopListening() {
    let (registration, connections) = state.withLock { state -> (Registration?, [IncomingConnection]) in
      state.hasLeft = true
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
    for connection in connections { connection.refuse(.shuttingDown, Self.goingDown) }
    waiting.finish()
    for core in waiting.removeAll() { core.close(Self.goingDown) }
  }

  /// Stops listening, and ends all sessions at once, in order: what is pending in them fails.
  public func shutdown() {
    stopListening()
    for core in liveSessions { core.close(Self.goingDown) }
  }

  /// Stops listening, lets what runs finish, and refuses what is new: see ``Session/drain(reason:)``. Suspends until all
  /// sessions have ended; those that have not when the time has passed, or the task is cancelled, are closed.
  ///
  /// - Returns: Whether all ended by themselves.
  @discardableResult public func drain(timeout: Duration? = nil) async -> Bool {
    let signal = beginDrain()
    let timer = timeout.map { options.reactor.schedule(at: .now.advanced(by: $0)) { signal.fulfill(false) } }
    let isEmpty = await signal.wait(onCancel: false)
    timer?.cancel()
    if !isEmpty { shutdown() }
    return isEmpty
  }

  /// As ``drain(timeout:)``, but blocks the thread.
  @discardableResult public func drainSync(timeout: Duration? = nil) -> Bool {
    let deadline = timeout.map { ContinuousClock.Instant.now.advanced(by: $0) }
    let isEmpty = beginDrain().waitBlocking(deadline: deadline, onTimeout: false)
    if !isEmpty { shutdown() }
    return isEmpty
  }

  private func beginDrain() -> OneShot<Bool> {
    stopListening()
    for core in liveSessions { core.drain(Self.goingDown) }
    let signal = OneShot<Bool>()
    let isEmpty = state.withLock { state in
      if state.register.count > 0 { state.emptyWaiters.append(signal) }
      return state.register.count == 0
    }
    if isEmpty { signal.fulfill(true) }
    return signal
  }

  /// A session has ended, or was not admitted after all.
  func release(_ session: String) {
    let waiters = state.withLock { state -> [OneShot<Bool>] in
      state.register.release(session)
      state.sessions[session] = nil
      guard state.register.count == 0 else { return [] }
      defer { state.emptyWaiters = [] }
      return state.emptyWaiters
    }
    for waiter in waiters { waiter.fulfill(true) }
  }
}

extension ServerApp {
  /// Why this process is not the one that the app says its server is; nil if it is.
  fileprivate var mismatchOfThisProcess: String? {
    if let uid, uid != UserIdentity.effectiveUID {
      return "“\(name)” is of user \(uid), this process of user \(UserIdentity.effectiveUID)"
    }
    // With access for a group, the group says who its clients are; the kernel says whether this process may set it.
    if let gid, access != .group, gid != UserIdentity.effectiveGID {
      return "“\(name)” is of group \(gid), this process of group \(UserIdentity.effectiveGID)"
    }
    return nil
  }
}
