import Foundation
import Logging
import Sluice
import Synchronization
import SystemPackage
import TestSchema
import Testing

/// Whether this process may become another user.
let isRoot = geteuid() == 0
/// Somebody else.
let stranger: UInt32 = 65_534

/// The server app of a test: named like its runtime directory.
func testApp(
  _ directory: FilePath, allowing clients: [ClientApp] = ["test-client"], access: AccessLevel = .user,
  uid: UInt32? = nil, gid: UInt32? = nil, executable: FilePath? = nil
) -> ServerApp {
  ServerApp(
    directory.lastComponent?.string ?? "", allowing: clients, access: access, uid: uid, gid: gid,
    executable: executable, runtimeDirectory: directory)
}

let testClient = ClientApp("test-client")

/// Both ends of a session.
struct Ends {
  let app: ServerApp
  let server: SessionServer
  let accepted: Session
  let client: Session

  /// A channel, opened by the client.
  func channel() async throws -> (client: Channel<Exchange>, server: Channel<Exchange>) {
    async let opened = client.openChannel(Exchange.self)
    var channels = accepted.channels(of: Exchange.self).makeAsyncIterator()
    let taken = try #require(try await channels.next())
    return (try await opened, taken)
  }
}

extension SessionServer {
  /// The next session, and its first channel.
  func nextChannel() async throws -> (session: Session, channel: Channel<Exchange>) {
    var sessions = sessions.makeAsyncIterator()
    let session = try #require(try await sessions.next())
    var channels = session.channels(of: Exchange.self).makeAsyncIterator()
    return (session, try #require(try await channels.next()))
  }
}

/// Answers each request of each channel of a session with its number, plus one.
func echo(_ session: Session) async throws {
  for try await channel in session.channels(of: Exchange.self) {
    Task {
      for try await request in channel.requests {
        var reply = try channel.makeMessage()
        reply.root.number = try request.message.root.number + 1
        try await request.reply(reply)
      }
    }
  }
}

/// A session with both ends in this process; nothing of it is left in the end.
func withEnds(_ options: SessionOptions = SessionOptions(), _ body: (Ends) async throws -> Void) async throws {
  try await withRuntimeDirectory { directory in
    let app = testApp(directory)
    do {
      let server = try SessionServer(app, options: options)
      var sessions = server.sessions.makeAsyncIterator()
      let client = try await ClientSession.connect(testClient, to: app, options: options)
      let accepted = try #require(try await sessions.next())
      try await body(Ends(app: app, server: server, accepted: accepted, client: client))
      client.close()
      accepted.close()
      server.shutdown()
    }
    try await Resources.expectNone(of: app.name)
  }
}

/// Expects that `body` throws a session's error that `matches`.
func expectSessionError<T>(
  _ what: String, sourceLocation: SourceLocation = #_sourceLocation, _ matches: (SessionError) -> Bool,
  _ body: () async throws -> T
) async {
  do {
    _ = try await body()
    Issue.record("nothing was thrown; expected \(what)", sourceLocation: sourceLocation)
  } catch let error as SessionError {
    if !matches(error) { Issue.record("thrown: \(error); expected \(what)", sourceLocation: sourceLocation) }
  } catch {
    Issue.record("thrown: \(error); expected \(what)", sourceLocation: sourceLocation)
  }
}

/// Keeps what is logged.
final class LogRecorder: Sendable {
  private let lines = Mutex<[(Logger.Level, String)]>([])

  /// What was logged, `level message key=value…`, metadata by key.
  var recorded: [String] { lines.withLock { $0.map { "\($0) \($1)" } } }

  /// What was logged at the default level or above.
  var heard: [String] { lines.withLock { $0.filter { $0.0 >= .info }.map { "\($0) \($1)" } } }

  var options: SessionOptions {
    var options = SessionOptions()
    options.logger = Logger(label: "test") { [self] _ in Handler(recorder: self) }
    options.logger.logLevel = .trace
    return options
  }

  private struct Handler: LogHandler {
    let recorder: LogRecorder
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      let pairs = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
      let line = ([event.message.description] + pairs).joined(separator: " ")
      recorder.lines.withLock { $0.append((event.level, line)) }
    }
  }
}

extension SessionOptions {
  /// These over that kind of link. Queues are small, so that those of many tests at once fit into what a user may have.
  func over(_ link: LinkChoice) -> SessionOptions {
    var options = self
    options.link = link
    options.queueSize = QueueSize(capacity: 2, messageByteCount: 256)
    return options
  }
}
