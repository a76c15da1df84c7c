import SluiceChannel
import SluiceSystem
import SluiceTransport
import SluiceWaiting
import SystemPackage

/// What a client says to a server.
struct ClientIntroduction: Sendable {
  let client: ClientApp
  let server: ServerApp
  let metadata: Metadata
  let channels: [InitialChannel]

  func check() throws(SessionError) {
    try AppName.check(client.name)
    try AppName.check(server)
    try metadata.checkLength()
    for channel in channels { try channel.metadata.checkLength() }
    guard channels.count <= Control.initialChannelLimit else {
      throw .tooManyInitialChannels(channels.count, limit: Control.initialChannelLimit)
    }
  }

  /// The channels, as the protocol numbers them.
  var openings: [Control.ChannelOpening] {
    channels.enumerated().map { index, channel in
      Control.ChannelOpening(
        lane: UInt32(2 * (index + 1)), rootTypeID: channel.type.rootTypeID, rootTypeName: channel.type.rootTypeName,
        metadata: channel.metadata)
    }
  }

  /// The channels, with this end's halves of the links of those that ask for one of their own.
  func offers(_ assembly: SessionAssembly) throws(SessionError) -> [OwnChannelOffer] {
    var offers: [OwnChannelOffer] = []
    for (opening, channel) in zip(openings, channels) {
      var (opening, link) = (opening, nil as LinkOffer?)
      if case .own(let kind) = channel.link {
        let limit = assembly.options.ownLinkLimit
        guard offers.count(where: { $0.link != nil }) < limit else { throw .tooManyOwnLinks(limit: limit) }
        var names = assembly.linkNames
        names.lane = opening.lane
        link = try LinkOffer(kind ?? assembly.options.link, names, assembly.options)
        opening.dedicated = link?.half
      }
      offers.append(OwnChannelOffer(opening: opening, link: link))
    }
    return offers
  }
}

/// A client's half of the handshake: one message there, one back. The caller moves them, blocking or suspended.
struct ClientHandshake {
  let transport: any Transport
  /// The introduction, to be sent with ``handles``.
  let hello: [UInt8]
  let handles: [Handle]
  let deadline: ContinuousClock.Instant
  private let introduction: ClientIntroduction
  private let peer: PeerIdentity
  private let assembly: SessionAssembly
  private let link: LinkOffer?
  private let channels: [OwnChannelOffer]
  private let options: SessionOptions

  /// Checks whose the socket is that was connected to, and prepares the introduction, which was checked.
  init(
    _ introduction: ClientIntroduction, over socket: Handle, deadline: ContinuousClock.Instant,
    options: SessionOptions
  ) throws(SessionError) {
    self.introduction = introduction
    self.options = options
    self.deadline = deadline
    let server = introduction.server
    peer = try Self.identify(socket, as: server)
    assembly = try SessionAssembly(
      server: server.name, session: SessionName.make(), role: .client, options: options)
    link = options.link == .socket ? nil : try LinkOffer(options.link, assembly.linkNames, options)
    channels = try introduction.offers(assembly)
    let message = Control.Hello(
      versions: options.versions, serverApp: server.name, clientApp: introduction.client.name,
      session: assembly.session, metadata: introduction.metadata, returnTable: assembly.returnTableSize,
      link: link?.half, channels: channels.map(\.opening), namedSegments: options.segmentBacking != .sealedMemory,
      readWriteArenas: options.readWriteArenas)
    handles =
      [assembly.returnTable.segment.handle] + (link?.handles ?? []) + channels.flatMap { $0.link?.handles ?? [] }
    do {
      hello = try Control.hello(message).encoded()
    } catch {
      throw .protocolViolation("an introduction that cannot be encoded: \(error)")
    }
    guard hello.count <= Control.largestByteCount else {
      throw .introductionTooLong(byteCount: hello.count, limit: Control.largestByteCount)
    }
    do {
      transport = options.tapped(
        try SocketTransport(socket: socket, maxBlobSize: Control.largestByteCount), as: .control)
    } catch {
      throw .transport(error)
    }
  }

  /// Connects to the server's socket; blocks while the kernel holds as many connections for it as may wait.
  static func connect(
    to server: ServerApp, deadline: ContinuousClock.Instant
  ) throws(SessionError) -> Handle {
    do {
      return try UnixSocket.connect(to: path(of: server), deadline: deadline)
    } catch {
      throw failed(error, server)
    }
  }

  /// As ``connect(to:deadline:)``, but suspends. The kernel tells of room only to who blocks, and a thread of tasks must not:
  /// so it is asked again, first soon, then less often.
  static func connect(
    to server: ServerApp, deadline: ContinuousClock.Instant, on reactor: Reactor
  ) async throws(SessionError) -> Handle {
    var pause = Duration.milliseconds(1)
    while true {
      do {
        return try UnixSocket.connect(to: path(of: server), deadline: .now)
      } catch {
        guard error.errno == .resourceTemporarilyUnavailable, .now < deadline else { throw failed(error, server) }
      }
      let signal = OneShot<Bool>()
      let timer = reactor.schedule(at: min(.now.advanced(by: pause), deadline)) { signal.fulfill(true) }
      let isTime = await signal.wait(onCancel: false)
      timer.cancel()
      guard isTime else { throw .cancelled }
      pause = min(pause * 2, .milliseconds(50))
    }
  }

  fileprivate static func path(of server: ServerApp) -> FilePath {
    Rendezvous.socket(in: RuntimeDirectory(for: server).folder(of: server))
  }

  private static func failed(_ error: SystemError, _ server: ServerApp) -> SessionError {
    switch error.errno {
    case .noSuchFileOrDirectory, .notDirectory: return .notRunning(server)
    case .connectionRefused:
      // The socket of a dead server: what it left goes.
      Rendezvous.removeLeftovers(of: server)
      return .notRunning(server)
    case .resourceTemporarilyUnavailable: return .timedOut
    default: return .system(error)
    }
  }

  /// Who listens, on the kernel's word. Somebody else could have put a socket there.
  private static func identify(_ socket: Handle, as server: ServerApp) throws(SessionError) -> PeerIdentity {
    let peer: PeerIdentity
    do {
      peer = try PeerIdentity(of: socket)
    } catch {
      // The server died between the connection and the question.
      throw error.errno == .noSuchProcess ? .notRunning(server) : .system(error)
    }
    if let problem = server.mismatch(with: peer) { throw .wrongServerIdentity(problem) }
    return peer
  }

  /// How long a server that has closed the connection without an answer may take to be known as dead.
  static let patience = Duration.seconds(1)

  /// The server, if the kernel gives a grip on it.
  var serverProcess: ProcessHandle? { peer.process }

  /// What it means that the server has closed the connection without an answer. What a dead one left goes.
  func unanswered(isServerDead: Bool) -> SessionError {
    transport.close()
    guard isServerDead else { return .protocolViolation("the server closed the connection without an answer") }
    Rendezvous.removeLeftovers(of: introduction.server)
    return .notRunning(introduction.server)
  }

  /// Makes the session of the server's answer, and starts it.
  func finish(with answer: ReceivedFrame) throws(SessionError) -> Session {
    let control: Control
    do {
      control = try Control(decoding: answer.bytes, handleCount: answer.handles.count)
    } catch {
      throw .protocolViolation("\(error)")
    }
    switch control {
    case .welcome(let welcome): return try begin(welcome, answer.handles)
    case .refusal(let refusal):
      options.logger.notice(
        "refused by the server",
        metadata: [
          "server": "\(introduction.server.name)", "reason": "\(refusal.reason)", "message": "\(refusal.message)",
          "peer": "\(peer.credentials)",
        ])
      guard refusal.reason != .versionMismatch else {
        throw .versionMismatch(ours: options.versions, theirs: refusal.versions)
      }
      throw .refused(refusal.reason, message: refusal.message)
    default: throw .protocolViolation("the server answered with something else than a welcome or a refusal")
    }
  }

  private func begin(_ welcome: Control.Welcome, _ handles: [Handle]) throws(SessionError) -> Session {
    guard (1...65_536).contains(welcome.laneWindow) else {
      throw .protocolViolation("a lane window of \(welcome.laneWindow)")
    }
    guard options.versions.lowest <= welcome.version, welcome.version <= options.versions.highest else {
      throw .protocolViolation("a session on version \(welcome.version), which was not offered")
    }
    guard welcome.namedSegments == nil || options.segmentBacking != .sealedMemory else {
      throw .protocolViolation("named segments, which nobody asked for")
    }
    guard !welcome.readWriteArenas || options.readWriteArenas else {
      throw .protocolViolation("read-write arenas, which nobody asked for")
    }
    guard let returnTable = handles.first else { throw .protocolViolation("a welcome without descriptors") }
    let link = try makeLink(welcome, Array(handles.dropFirst()))
    let core = try assembly.assemble(
      peerApp: introduction.server.name, peerMetadata: .none, peer: peer,
      control: ControlConnection(over: transport, reactor: options.reactor), link: link,
      laneWindow: welcome.laneWindow, peerReturns: welcome.returnTable,
      peerReturnsHandle: returnTable, initialChannels: [], serverWideArena: nil,
      namedSegments: welcome.namedSegments, readWriteArenas: welcome.readWriteArenas,
      tidyAfterPeer: { [server = introduction.server] in Rendezvous.removeLeftovers(of: server) }, whenEnded: nil)
    core.bookInitialChannels(channels)
    do {
      try core.start()
    } catch {
      throw .system(error)
    }
    return Session(core)
  }

  private func makeLink(_ welcome: Control.Welcome, _ handles: [Handle]) throws(SessionError) -> MadeLink {
    guard welcome.link != .socket else {
      return try LinkOffer.join(.socket, handles, assembly.linkNames, options, peer: peer)
    }
    guard let link, link.half.kind == welcome.link.kind else {
      throw .protocolViolation("a link of a kind that was not offered")
    }
    return try link.complete(welcome.link, handles, peer: peer)
  }

  /// What a failure of the exchange means; the connection is closed.
  func failed(_ error: any Error) -> SessionError {
    transport.close()
    switch error {
    case let error as SessionError: return error
    case TransportError.timedOut: return .timedOut
    case TransportError.cancelled: return .cancelled
    case let error as TransportError: return .transport(error)
    default: return .protocolViolation("\(error)")
    }
  }
}

extension ServerApp {
  /// Why a process is not the one that the app says its server is; nil if it is.
  func mismatch(with peer: PeerIdentity) -> String? {
    let found = peer.credentials.uid
    if let uid {
      if found != uid { return "the server is of user \(found), not of user \(uid)" }
    } else if found != UserIdentity.effectiveUID, access == .user || found != 0 {
      return "the server is of user \(found), not of user \(UserIdentity.effectiveUID); name its user if it may be"
    }
    // With access for a group, the group says who may connect, not who serves.
    if let gid, access != .group, !peer.belongs(toGroup: gid) {
      return "the server is of group \(peer.credentials.gid), not of group \(gid)"
    }
    if let executable, let problem = peer.mismatch(with: executable) {
      return "the server is the program \(executable); \(problem)"
    }
    return nil
  }
}

extension SessionError {
  /// Nobody listens where the server should.
  fileprivate static func notRunning(_ server: ServerApp) -> SessionError {
    .serverNotRunning(app: server.name, path: ClientHandshake.path(of: server).string)
  }
}
