import SluiceChannel
import SluiceSystem
import SluiceTransport
import SystemPackage

/// A client's half of the handshake: one message there, one back. The caller moves them, blocking or suspended.
struct ClientHandshake {
  let transport: SocketTransport
  /// The introduction, to be sent with ``handles``.
  let hello: [UInt8]
  let handles: [Handle]
  let deadline: ContinuousClock.Instant
  private let server: ServerApp
  private let peer: PeerIdentity
  private let assembly: SessionAssembly
  private let ring: RingOffer?
  private let options: SessionOptions

  /// Connects to the server's socket, checks whose it is, and prepares the introduction.
  init(
    _ client: ClientApp, _ server: ServerApp, metadata: [UInt8], timeout: Duration, options: SessionOptions
  ) throws(SessionError) {
    try AppName.check(client.name)
    try AppName.check(server.name)
    guard metadata.count <= Session.metadataLimit else {
      throw .metadataTooLong(byteCount: metadata.count, limit: Session.metadataLimit)
    }
    self.server = server
    self.options = options
    deadline = .now.advanced(by: timeout)
    let socket = try Self.connect(to: server, deadline: deadline)
    peer = try Self.identify(socket, as: server)
    assembly = try SessionAssembly(
      server: server.name, session: SessionName.make(), role: .client, options: options)
    ring = options.link == .ring ? try assembly.makeRingOffer() : nil
    let introduction = Control.Hello(
      versions: options.versions, serverApp: server.name, clientApp: client.name, session: assembly.session,
      metadata: metadata, returnTable: assembly.returnTableSize, ring: ring?.size,
      namedSegments: options.segmentBacking != .sealedMemory)
    handles = [assembly.returnTable.segment.handle] + (ring?.handles ?? [])
    do {
      hello = try Control.hello(introduction).encoded()
    } catch {
      throw .protocolViolation("an introduction that cannot be encoded: \(error)")
    }
    do {
      transport = try SocketTransport(socket: socket, maxBlobSize: Control.largestByteCount)
    } catch {
      throw .transport(error)
    }
  }

  private static func connect(
    to server: ServerApp, deadline: ContinuousClock.Instant
  ) throws(SessionError) -> Handle {
    let path = Rendezvous.socket(in: RuntimeDirectory(for: server).folder(of: server))
    do {
      return try UnixSocket.connect(to: path, deadline: deadline)
    } catch {
      switch error.errno {
      case .noSuchFileOrDirectory, .notDirectory: throw .serverNotRunning(app: server.name)
      case .connectionRefused:
        // The socket of a dead server: what it left goes.
        Rendezvous.removeLeftovers(of: server)
        throw .serverNotRunning(app: server.name)
      case .resourceTemporarilyUnavailable: throw .timedOut
      default: throw .system(error)
      }
    }
  }

  /// Who listens, on the kernel's word. Somebody else than the app's user could have put a socket there.
  private static func identify(_ socket: Handle, as server: ServerApp) throws(SessionError) -> PeerIdentity {
    do {
      let credentials = try UnixSocket.peerCredentials(of: socket)
      let expected = server.uid ?? UserIdentity.effectiveUID
      guard credentials.uid == expected else {
        throw SessionError.wrongServerIdentity(expectedUID: expected, foundUID: credentials.uid)
      }
      return PeerIdentity(credentials: credentials, process: try UnixSocket.peerProcess(of: socket))
    } catch let error as SystemError {
      // The server died between the connection and the question.
      throw error.errno == .noSuchProcess ? .serverNotRunning(app: server.name) : .system(error)
    } catch let error as SessionError {
      throw error
    } catch {
      throw .protocolViolation("\(error)")
    }
  }

  /// Makes the session of the server's answer, and starts it.
  func finish(with answer: ReceivedFrame?) throws(SessionError) -> Session {
    guard let answer else { throw .protocolViolation("the server closed the connection without an answer") }
    let control: Control
    do {
      control = try Control(decoding: answer.bytes, handleCount: answer.handles.count)
    } catch {
      throw .protocolViolation("\(error)")
    }
    switch control {
    case .welcome(let welcome): return try begin(welcome, answer.handles)
    case .refusal(let refusal):
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
    guard let returnTable = handles.first else { throw .protocolViolation("a welcome without descriptors") }
    let link = try makeLink(welcome, Array(handles.dropFirst()))
    let core = try assembly.assemble(
      peerApp: server.name, peerMetadata: [], peer: peer,
      control: ControlConnection(over: transport, reactor: options.reactor), link: link.transport,
      linkSegments: link.segments, laneWindow: welcome.laneWindow, peerReturns: welcome.returnTable,
      peerReturnsHandle: returnTable,
      serverWideArena: nil, namedSegments: welcome.namedSegments,
      tidyAfterPeer: { [server] in Rendezvous.removeLeftovers(of: server) })
    do {
      try core.start()
    } catch {
      throw .system(error)
    }
    return Session(core)
  }

  private func makeLink(
    _ welcome: Control.Welcome, _ handles: [Handle]
  ) throws(SessionError) -> (transport: any Transport, segments: [SegmentInfo]) {
    switch welcome.linkKind {
    case .socket:
      guard handles.count == 1 else { throw .protocolViolation("a socket with \(handles.count) descriptors") }
      do {
        return (try SocketTransport(socket: handles[0], maxBlobSize: Envelope.largestFrameByteCount), [])
      } catch {
        throw .transport(error)
      }
    case .ring:
      guard let ring, let size = welcome.ring else { throw .protocolViolation("a ring that was not offered") }
      return try assembly.complete(ring, size, handles, peer: peer)
    case .unknown(let kind): throw .protocolViolation("a link of the unknown kind \(kind)")
    }
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
