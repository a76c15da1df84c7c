import Logging
import SluiceChannel
import SluiceSystem
import SluiceTransport
import SluiceWaiting

// How a server gets from a connection to a session. All on the reactor's thread.
extension SessionServer {
  /// Most connections that may be in the middle of their handshake.
  private static let connectionLimit = 1024
  /// Most of these of one user, unless it is the server's own.
  private static let connectionLimitPerUser = 256
  /// How long to wait when the process has no descriptor left for a connection.
  private static let breather = Duration.milliseconds(100)

  func acceptAll() {
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
      connection = try IncomingConnection(socket, options: options) { [weak self] connection, outcome in
        self?.introduced(connection, outcome)
      }
    } catch {
      return options.logger.debug("a connection was lost at once", metadata: ["error": "\(error)"])
    }
    let uid = connection.peer.credentials.uid
    let limit = uid == UserIdentity.effectiveUID ? Self.connectionLimit : Self.connectionLimitPerUser
    let isRoom = state.withLock { state in
      guard !state.hasLeft, state.connections.count < Self.connectionLimit,
        state.connections.values.count(where: { $0.peer.credentials.uid == uid }) < limit
      else { return false }
      state.connections[ObjectIdentifier(connection)] = connection
      return true
    }
    guard isRoom else {
      return refuse(connection, .serverBusy, "\(limit) connections are in their handshake, as many as may")
    }
    connection.start(timeout: options.handshakeTimeout)
  }

  private func introduced(_ connection: IncomingConnection, _ outcome: IncomingConnection.Outcome) {
    switch outcome {
    case .hello(let hello, let handles):
      do throws(AdmissionPolicy.Refusal) {
        try admit(connection, hello, handles)
      } catch {
        refuse(connection, error.reason, error.message)
      }
    case .failed(let problem): refuse(connection, .malformedHello, problem)
    }
  }

  /// Says no, in one line here, and to the client.
  private func refuse(_ connection: IncomingConnection, _ reason: RefusalReason, _ message: String) {
    forget(connection)
    options.logger.notice(
      "refused a client",
      metadata: [
        "server": "\(app.name)", "reason": "\(reason)", "message": "\(message)",
        "peer": "\(connection.peer.credentials)",
      ])
    connection.refuse(reason, message.prefix(utf8: 1024), versions: options.versions)
  }

  private func forget(_ connection: IncomingConnection) {
    _ = state.withLock { $0.connections.removeValue(forKey: ObjectIdentifier(connection)) }
  }

  private func admit(
    _ connection: IncomingConnection, _ hello: Control.Hello, _ handles: [Handle]
  ) throws(AdmissionPolicy.Refusal) {
    let policy = AdmissionPolicy(
      app: app, uid: UserIdentity.effectiveUID, gid: Rendezvous.group(of: app), versions: options.versions)
    let version = try policy.check(hello, connection.peer)
    try state.withLock { state throws(AdmissionPolicy.Refusal) in
      try state.register.book(hello.session, uid: connection.peer.credentials.uid, now: .now)
    }
    guard let hook else { return try establish(connection, hello, handles, version) }
    let applicant = Applicant(app: hello.clientApp, peer: connection.peer, metadata: hello.metadata)
    let verdict = OneShot<Admission?>()
    let judging = Task { _ = verdict.fulfill(await hook(applicant)) }
    let timer = options.reactor.schedule(at: .now.advanced(by: options.handshakeTimeout)) {
      if verdict.fulfill(nil) { judging.cancel() }
    }
    let reactor = options.reactor
    Task { [weak self] in
      let admission = await verdict.wait(onCancel: nil)
      timer.cancel()
      reactor.perform { [weak self] in
        self?.decided(admission, connection, hello, handles, version)
      }
    }
  }

  /// The hook has spoken, or not in time.
  private func decided(
    _ admission: Admission?, _ connection: IncomingConnection, _ hello: Control.Hello, _ handles: [Handle],
    _ version: UInt32
  ) {
    do throws(AdmissionPolicy.Refusal) {
      switch admission {
      case .accept: try establish(connection, hello, handles, version)
      case .refuse(let message):
        release(hello.session)
        throw AdmissionPolicy.Refusal(reason: .rejected, message: message)
      case nil:
        release(hello.session)
        throw AdmissionPolicy.Refusal(reason: .rejected, message: "the server did not decide in time")
      }
    } catch {
      refuse(connection, error.reason, error.message)
    }
  }

  /// The session of a client that is admitted.
  private func establish(
    _ connection: IncomingConnection, _ hello: Control.Hello, _ handles: [Handle], _ version: UInt32
  ) throws(AdmissionPolicy.Refusal) {
    do throws(SessionError) {
      if let problem = connection.problem { throw .protocolViolation(problem) }
      let core = try makeSession(connection, hello, handles, version: version)
      forget(connection)
      if !waiting.deliver(core) { core.close("as many sessions wait for the server as may") }
    } catch {
      release(hello.session)
      if case .protocolViolation(let what) = error { throw .init(reason: .malformedHello, message: what) }
      throw .init(reason: .serverBusy, message: "\(error)")
    }
  }

  private func makeSession(
    _ connection: IncomingConnection, _ hello: Control.Hello, _ handles: [Handle], version: UInt32
  ) throws(SessionError) -> SessionCore {
    guard let returnTable = handles.first else { throw .protocolViolation("an introduction without descriptors") }
    let assembly = try SessionAssembly(server: app.name, session: hello.session, role: .server, options: options)
    let linkHandles = Array(handles[..<min(hello.ownHandleCount, handles.count)].dropFirst())
    let link = try makeLink(assembly.linkNames, connection.peer, hello.link, linkHandles)
    let access = hello.namedSegments ? options.segmentBacking.access : nil
    let laneWindow = min(max(1, options.laneWindow), 65_536)
    let control = ControlConnection(over: try connection.handOver(), reactor: options.reactor)
    let name = hello.session
    let core = try assembly.assemble(
      peerApp: hello.clientApp, peerMetadata: hello.metadata, peer: connection.peer, control: control,
      link: link, laneWindow: laneWindow, peerReturns: hello.returnTable,
      peerReturnsHandle: returnTable, initialChannels: ChannelOffer.all(of: hello, handles),
      // A client that did not ask for named segments is not shown any: it gets copies.
      serverWideArena: access == options.segmentBacking.access ? arena : nil, namedSegments: access,
      readWriteArenas: hello.readWriteArenas && options.readWriteArenas, tidyAfterPeer: nil,
      whenEnded: { [weak self] in self?.release(name) })
    let welcome = Control.Welcome(
      version: version, link: link.answer ?? .socket, laneWindow: laneWindow,
      returnTable: assembly.returnTableSize, namedSegments: access,
      readWriteArenas: core.parts.readWriteArenas)
    control.send(.welcome(welcome), handles: [assembly.returnTable.segment.handle] + link.handles)
    state.withLock { $0.sessions[name] = WeakSession(core: core) }
    do {
      try core.start()
    } catch {
      throw .system(error)
    }
    return core
  }
}
