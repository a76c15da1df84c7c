import Sluice
import SystemPackage
import TestSchema
import Testing

/// What a session does whose other end does not receive: its process is stopped. Under each policy, over each kind of link,
/// the session's and a channel's own.
@Suite(.timeLimit(.minutes(2))) struct StallTests {
  /// How requests ended, of which there are more than a channel has credit for.
  private struct Tally: Equatable {
    var answered = 0
    var foundNoRoom = 0
    var ended = 0
  }

  private static let count = 300

  /// Asks more than finds credit of a stopped peer; `then` is called when all have been asked or have failed.
  private func ask(
    _ link: LinkChoice, own: Bool, _ policy: StallPolicy, then: @escaping @Sendable (Peer, Session) async throws -> Void
  ) async throws -> Tally {
    let tally = OneShotBox<Tally>()
    try await withRuntimeDirectory { directory in
      try await withPeer("serve", directory, "test-client", "link=\(link)") { peer in
        try await peer.line("ready")
        var options = SessionOptions().over(link)
        options.stallPolicy = policy
        let session = try await ClientSession.connect(testClient, to: testApp(directory), options: options)
        let channel = try await session.openChannel(Exchange.self, link: own ? .own() : .shared)
        #expect("\(channel.linkKind)" == "\(link)")
        try await peer.stopped()
        let result = try await withThrowingTaskGroup(of: Tally.self) { group in
          for _ in 0..<Self.count { group.addTask { try await Self.ask(channel) } }
          let (pending, unsent) = (Self.count, UInt64(Self.count))
          switch policy {
          case .suspend:
            // All are asked, and those for which there is no credit wait: nobody grants any.
            while channel.statistics.requestsPending < pending { await Task.yield() }
            #expect(channel.statistics.traffic.messagesSent < unsent)
          case .fail:
            // Those that did not fail were sent.
            while UInt64(channel.statistics.requestsPending) != channel.statistics.traffic.messagesSent
              || channel.statistics.requestsPending == 0
            { await Task.yield() }
          case .disconnect: break
          }
          try await then(peer, session)
          var sum = Tally()
          for try await one in group {
            sum.answered += one.answered
            sum.foundNoRoom += one.foundNoRoom
            sum.ended += one.ended
          }
          return sum
        }
        tally.set(result)
        if case .disconnect = policy { return }
        // The channel works on.
        #expect(try await Self.ask(channel) == Tally(answered: 1))
      }
    }
    return try #require(tally.value)
  }

  private static func ask(_ channel: Channel<Exchange>) async throws -> Tally {
    do {
      try await echo(channel)
      return Tally(answered: 1)
    } catch ChannelError.transport(.noRoom) {
      return Tally(foundNoRoom: 1)
    } catch ChannelError.sessionEnded(.failed(let why)) where why.contains("no room") {
      return Tally(ended: 1)
    }
  }

  private static func echo(_ channel: Channel<Exchange>) async throws {
    var request = try channel.makeMessage()
    request.root.text = "echo"
    _ = try await channel.request(request)
  }

  @Test(arguments: LinkTests.kinds, [false, true])
  func `senders are suspended, and go on when the other end does`(link: LinkChoice, own: Bool) async throws {
    let tally = try await ask(link, own: own, .suspend) { peer, _ in peer.goOn() }
    #expect(tally == Tally(answered: Self.count))
  }

  @Test(arguments: LinkTests.kinds, [false, true])
  func `senders fail, and the channel works on when the other end does`(link: LinkChoice, own: Bool) async throws {
    let tally = try await ask(link, own: own, .fail) { peer, _ in peer.goOn() }
    #expect(tally.answered + tally.foundNoRoom == Self.count)
    #expect(tally.answered > 0 && tally.foundNoRoom > 0)
  }

  @Test(arguments: LinkTests.kinds, [false, true])
  func `the session ends when the other end does not receive for too long`(link: LinkChoice, own: Bool) async throws {
    let tally = try await ask(link, own: own, .disconnect(after: .milliseconds(50))) { peer, session in
      let end = await session.end()
      guard case .failed(let why) = end else { return _ = Issue.record("ended otherwise: \(end as Any)") }
      #expect(why.contains("no room"))
      peer.goOn()
    }
    #expect(tally == Tally(ended: Self.count))
  }
}
