import CapnProto
import SluiceChannel
import SluiceSystem
import SluiceTransport

/// A channel that a client asks for as it opens a session, in the same round trip: see
/// ``Session/initialChannel(_:of:timeout:)``.
public struct InitialChannel: Sendable, Hashable {
  /// What it carries.
  public let type: ChannelType
  /// The application's own, for the server.
  public let metadata: Metadata

  /// What is to carry it. ``ChannelLink/own(_:)`` without a kind is of the kind that the client's options choose.
  public let link: ChannelLink

  /// A channel for messages with the root type `root`.
  public init<Root: StructSchema>(_ root: Root.Type, metadata: Metadata = .none, link: ChannelLink = .shared) {
    type = ChannelType(root)
    self.metadata = metadata
    self.link = link
  }
}

/// Opens sessions with servers.
public enum ClientSession {
  /// Opens a session with the server of `server`, as `client`.
  ///
  /// - Parameters:
  ///   - metadata: The application's own, for the server.
  ///   - channels: Channels that are opened along with the session, at most 64; see
  ///     ``Session/initialChannel(_:of:timeout:)``.
  ///   - waiting: How long to wait for a server that does not run yet; nil to fail at once. It costs no polling, but one of
  ///     the user's inotify instances (`fs.inotify.max_user_instances`) while it waits.
  ///   - timeout: How long the server, once it runs, may take to answer.
  /// - Throws: ``SessionError``: ``SessionError/serverNotRunning(app:path:)`` without a server,
  ///   ``SessionError/refused(_:message:)``, ``SessionError/versionMismatch(ours:theirs:)``,
  ///   ``SessionError/timedOut``, and others.
  public static func connect(
    _ client: ClientApp, to server: ServerApp, metadata: Metadata = .none, channels: [InitialChannel] = [],
    waiting: Duration? = nil, timeout: Duration = .seconds(5), options: SessionOptions = SessionOptions()
  ) async throws(SessionError) -> Session {
    let introduction = ClientIntroduction(client: client, server: server, metadata: metadata, channels: channels)
    let limit = waiting.map { ContinuousClock.Instant.now.advanced(by: $0) }
    while true {
      // Watched first, so that no server appears between the attempt and the watch.
      let watch = try watch(for: server, limit)
      let absence: SessionError
      do throws(SessionError) {
        return try await attempt(introduction, timeout, options)
      } catch {
        absence = error
      }
      guard let watch, absence.isAbsence else { throw absence }
      // The watch is kept: its descriptor must stay open until nobody waits for it.
      let outcome = await options.reactor.wait(for: watch.descriptor, .readable, deadline: limit)
      withExtendedLifetime(watch) {}
      switch outcome {
      case .ready: break
      case .timedOut: throw absence
      case .cancelled: throw .cancelled
      case .failed(let error): throw .system(error)
      }
    }
  }

  /// As ``connect(_:to:metadata:channels:waiting:timeout:options:)``, but blocks the thread.
  public static func connectSync(
    _ client: ClientApp, to server: ServerApp, metadata: Metadata = .none, channels: [InitialChannel] = [],
    waiting: Duration? = nil, timeout: Duration = .seconds(5), options: SessionOptions = SessionOptions()
  ) throws(SessionError) -> Session {
    let introduction = ClientIntroduction(client: client, server: server, metadata: metadata, channels: channels)
    let limit = waiting.map { ContinuousClock.Instant.now.advanced(by: $0) }
    while true {
      let watch = try watch(for: server, limit)
      let absence: SessionError
      do throws(SessionError) {
        return try attemptSync(introduction, timeout, options)
      } catch {
        absence = error
      }
      guard let watch, absence.isAbsence else { throw absence }
      let events: IOEvents
      do {
        events = try Poll.wait(for: watch.descriptor, .readable, deadline: limit)
      } catch {
        throw .system(error)
      }
      withExtendedLifetime(watch) {}
      guard !events.isEmpty else { throw absence }
    }
  }

  private static func attempt(
    _ introduction: ClientIntroduction, _ timeout: Duration, _ options: SessionOptions
  ) async throws(SessionError) -> Session {
    try introduction.check()
    let deadline = ContinuousClock.Instant.now.advanced(by: timeout)
    let socket = try await ClientHandshake.connect(to: introduction.server, deadline: deadline, on: options.reactor)
    let handshake = try ClientHandshake(introduction, over: socket, deadline: deadline, options: options)
    do {
      let transport = handshake.transport
      // Sound: bytes have no padding.
      unsafe try await transport.send(
        handshake.hello.span.bytes, handles: handshake.handles, deadline: handshake.deadline, on: options.reactor)
      let answer = try await transport.receive(deadline: handshake.deadline, on: options.reactor)
      guard let answer else { throw TransportError.peerClosed }
      return try handshake.finish(with: answer)
    } catch TransportError.peerClosed {
      guard let process = handshake.serverProcess else { throw handshake.unanswered(isServerDead: false) }
      let outcome = await options.reactor.wait(
        for: process.descriptor, .readable, deadline: .now.advanced(by: ClientHandshake.patience))
      withExtendedLifetime(process) {}
      if case .ready = outcome { throw handshake.unanswered(isServerDead: true) }
      throw handshake.unanswered(isServerDead: false)
    } catch {
      throw handshake.failed(error)
    }
  }

  private static func attemptSync(
    _ introduction: ClientIntroduction, _ timeout: Duration, _ options: SessionOptions
  ) throws(SessionError) -> Session {
    try introduction.check()
    let deadline = ContinuousClock.Instant.now.advanced(by: timeout)
    let socket = try ClientHandshake.connect(to: introduction.server, deadline: deadline)
    let handshake = try ClientHandshake(introduction, over: socket, deadline: deadline, options: options)
    do {
      let transport = handshake.transport
      // Sound: bytes have no padding.
      unsafe try transport.send(handshake.hello.span.bytes, handles: handshake.handles, deadline: handshake.deadline)
      guard let answer = try transport.receive(deadline: handshake.deadline) else { throw TransportError.peerClosed }
      return try handshake.finish(with: answer)
    } catch TransportError.peerClosed {
      let isDead = try? handshake.serverProcess.map {
        try !Poll.wait(for: $0.descriptor, .readable, deadline: .now.advanced(by: ClientHandshake.patience)).isEmpty
      }
      throw handshake.unanswered(isServerDead: isDead == true)
    } catch {
      throw handshake.failed(error)
    }
  }

  /// A watch for the server's socket, if somebody wants to wait for it.
  private static func watch(
    for server: ServerApp, _ limit: ContinuousClock.Instant?
  ) throws(SessionError) -> PathWatch? {
    guard limit != nil else { return nil }
    do {
      return try PathWatch(for: Rendezvous.socket(in: RuntimeDirectory(for: server).folder(of: server)))
    } catch {
      throw .system(error)
    }
  }
}

extension SessionError {
  /// Whether there is no server yet, or no more.
  fileprivate var isAbsence: Bool {
    switch self {
    case .serverNotRunning, .refused(.shuttingDown, message: _): true
    default: false
    }
  }
}
