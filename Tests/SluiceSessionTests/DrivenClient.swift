import Sluice
import SluiceWaiting
import SystemPackage
import TestSchema
import Testing

/// A session with both ends in this process, whose client looks at what arrives only when the test lets it; and a channel.
struct DrivenClient: Sendable {
  private let reactor: Reactor
  let server: Session
  let client: Session
  let pair: (client: Channel<Exchange>, server: Channel<Exchange>)

  fileprivate init(
    _ reactor: Reactor, _ server: Session, _ client: Session,
    _ pair: (client: Channel<Exchange>, server: Channel<Exchange>)
  ) {
    (self.reactor, self.server, self.client, self.pair) = (reactor, server, client, pair)
  }

  /// Runs `body` while the client's reactor runs.
  func whileDriven<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) async throws -> Value {
    try await drive(reactor, body)
  }
}

/// Runs a reactor without a thread until `body` is done.
private func drive<Value: Sendable>(
  _ reactor: Reactor, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
  let isDone = OneShot<Bool>()
  let task = Task {
    defer { isDone.fulfill(true) }
    return try await body()
  }
  while !isDone.isFulfilled {
    reactor.process()
    await Task.yield()
  }
  return try await task.value
}

/// A session that has far more credit than room.
func withDrivenClient(
  over link: LinkChoice, own: ChannelLink = .shared, policy: StallPolicy = .suspend,
  _ body: (DrivenClient) async throws -> Void
) async throws {
  let reactor = try Reactor.driven()
  try await withRuntimeDirectory { directory in
    let app = testApp(directory)
    var options = SessionOptions().over(link)
    options.stallPolicy = policy
    options.laneWindow = 65_536
    options.ringByteCount = 1 << 16
    let server = try SessionServer(app, options: options)
    options.reactor = reactor
    let ours = options
    async let connected = onThreadReturning { try ClientSession.connectSync(testClient, to: app, options: ours) }
    var sessions = server.sessions.makeAsyncIterator()
    let accepted = try #require(try await sessions.next())
    let client = try await connected
    let pair = try await drive(reactor) {
      async let opened = client.openChannel(Exchange.self, link: own)
      var channels = accepted.channels(of: Exchange.self).makeAsyncIterator()
      let taken = try #require(try await channels.next())
      return (client: try await opened, server: taken)
    }
    try await body(DrivenClient(reactor, accepted, client, pair))
    client.close()
    accepted.close()
    server.shutdown()
    reactor.shutdown()
  }
}
