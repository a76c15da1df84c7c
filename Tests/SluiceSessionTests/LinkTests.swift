import Foundation
import Sluice
import SystemPackage
import TestSchema
import Testing

/// What carries a session, and what a channel asks for of its own.
@Suite(.timeLimit(.minutes(2))) struct LinkTests {
  static let kinds: [LinkChoice] = [.ring, .socket, .queue]

  private func kind(_ choice: LinkChoice) -> TransportKind {
    switch choice {
    case .ring: .ring
    case .socket: .socket
    case .queue: .queue
    }
  }

  private func options(_ link: LinkChoice) -> SessionOptions {
    SessionOptions().over(link)
  }

  /// A channel with a link of its own, opened by the client.
  private func ownChannel(
    _ ends: Ends, _ link: LinkChoice? = nil
  ) async throws -> (client: Channel<Exchange>, server: Channel<Exchange>) {
    async let opened = ends.client.openChannel(Exchange.self, link: .own(link))
    var channels = ends.accepted.channels(of: Exchange.self).makeAsyncIterator()
    let taken = try #require(try await channels.next())
    return (try await opened, taken)
  }

  private func notify(_ channel: Channel<Exchange>, _ number: UInt64, byteCount: Int = 0) async throws {
    var note = try channel.makeMessage()
    note.root.number = number
    note.root.text = String(repeating: "n", count: byteCount)
    try await channel.notify(note)
  }

  private func nextNumber(_ channel: Channel<Exchange>) async throws -> UInt64? {
    var notes = channel.notifications.makeAsyncIterator()
    return try await notes.next()?.read { $0.number }
  }

  // MARK: The session's link

  @Test(arguments: kinds, kinds) func `is what both ends choose, else a socket`(
    client: LinkChoice, server: LinkChoice
  ) async throws {
    try await withRuntimeDirectory { directory in
      let app = testApp(directory)
      let listening = try SessionServer(app, options: options(server))
      let session = try await ClientSession.connect(testClient, to: app, options: options(client))
      var sessions = listening.sessions.makeAsyncIterator()
      let accepted = try #require(try await sessions.next())
      #expect(session.linkKind == (client == server ? kind(client) : .socket))
      #expect(accepted.linkKind == session.linkKind)
      // Each end lists its own half and the other's.
      let halves = session.segments.filter { $0.name.contains("-ring") || $0.name.contains("-queue") }
      #expect(halves.count == (session.linkKind == .socket ? 0 : 2))
      session.close()
      listening.shutdown()
    }
  }

  @Test(arguments: kinds) func `carries frames of every size, and handles in order with their messages`(
    link: LinkChoice
  ) async throws {
    try await withEnds(options(link)) { ends in
      let channel = try await ends.channel()
      async let received = Self.receiveAll(channel.server)
      for index in 0..<60 {
        var note = try index % 3 == 0 ? channel.client.makePrivateMessage() : channel.client.makeMessage()
        note.root.number = UInt64(index)
        // Up to the largest that goes in its frame: many times what a queue's message holds.
        note.root.text = String(repeating: "x", count: index % 3 == 0 ? index * 390 : index * 20)
        let handles = try (0..<index % 4).map { _ in try Handle.open("/dev/null", .readOnly) }
        try await channel.client.notify(note, handles: handles)
      }
      channel.client.finishSending()
      let all = try await received
      #expect(all.count == 60)
      for (index, got) in all.enumerated() {
        #expect(got == Received(number: UInt64(index), byteCount: index % 3 == 0 ? index * 390 : index * 20, index % 4))
      }
    }
  }

  private struct Received: Equatable {
    let number: UInt64
    let byteCount: Int
    let handleCount: Int

    init(number: UInt64, byteCount: Int, _ handleCount: Int) {
      self.number = number
      self.byteCount = byteCount
      self.handleCount = handleCount
    }
  }

  private static func receiveAll(_ channel: Channel<Exchange>) async throws -> [Received] {
    var all: [Received] = []
    for try await note in channel.notifications {
      let (number, byteCount) = try note.read { root in (root.number, try root.text.utf8.count) }
      all.append(Received(number: number, byteCount: byteCount, note.takeHandles().count))
    }
    return all
  }

  @Test func `of queues fails with the limit that was met, and nothing else is tried`() async throws {
    try await withRuntimeDirectory { directory in
      let app = testApp(directory)
      let server = try SessionServer(app, options: options(.queue))
      var tooLarge = options(.queue)
      tooLarge.queueSize = QueueSize(capacity: 1 << 20, messageByteCount: 1 << 20)
      await expectSessionError("a limit of queues") { error in
        if case .queue(.queue) = error {
          "\(error)".contains("mqueue") || "\(error)".contains("RLIMIT_MSGQUEUE")
        } else {
          false
        }
      } _: {
        try await ClientSession.connect(testClient, to: app, options: tooLarge)
      }
      server.shutdown()
      // The server's own half cannot be made: the client is told which limit it met.
      let mean = try SessionServer(app, options: tooLarge)
      await expectSessionError("a limit of queues at the server") { error in
        guard case .refused(.serverBusy, let message) = error else { return false }
        return message.contains("mqueue") || message.contains("RLIMIT_MSGQUEUE")
      } _: {
        try await ClientSession.connect(testClient, to: app, options: options(.queue))
      }
      mean.shutdown()
    }
  }

  // MARK: A channel's own link

  @Test(arguments: kinds, [LinkChoice?.none, .ring, .socket, .queue]) func `a channel's own carries it alone`(
    link: LinkChoice, own: LinkChoice?
  ) async throws {
    try await withEnds(options(link)) { ends in
      let channel = try await ownChannel(ends, own)
      let shared = try await ends.channel()
      #expect(channel.client.hasOwnLink && channel.server.hasOwnLink && !shared.client.hasOwnLink)
      #expect(channel.client.linkKind == kind(own ?? link) && channel.server.linkKind == kind(own ?? link))
      #expect(ends.client.statistics.ownLinks == 1 && ends.accepted.statistics.ownLinks == 1)
      async let asked = Self.ask(channel.client, 30)
      try await Self.answerAll(channel.server, 30)
      #expect(try await asked == 30)
      // Handles, and memory that is announced, come over the control socket, to messages of either link.
      for index in 0..<10 as Range<UInt64> {
        let turn = index % 2 == 0 ? channel : shared
        var note = try turn.client.makeMessage()
        note.root.text = String(repeating: "l", count: 50_000 << (index % 4))
        note.root.number = index
        try await turn.client.notify(note, handles: [try Handle.open("/dev/null", .readOnly)])
        var notes = turn.server.notifications.makeAsyncIterator()
        let arrived = try #require(try await notes.next())
        #expect(try arrived.read { $0.number } == index)
        #expect(arrived.takeHandles().count == 1)
      }
      let before = ends.client.segments.count
      channel.client.close()
      #expect(try await nextNumber(channel.server) == nil)
      while ends.accepted.statistics.ownLinks > 0 { await Task.yield() }
      #expect(ends.client.statistics.ownLinks == 0)
      #expect(ends.client.segments.count == before - (kind(own ?? link) == .socket ? 0 : 2))
      // The others go on.
      try await notify(shared.client, 7)
      #expect(try await nextNumber(shared.server) == 7)
    }
  }

  private static func ask(_ channel: Channel<Exchange>, _ count: UInt64) async throws -> UInt64 {
    var sum: UInt64 = 0
    for number in 0..<count {
      var request = try channel.makeMessage()
      request.root.number = number
      let answer =
        number % 2 == 0
        ? try await channel.request(request)
        : try await onThreadReturning {
          var request = try channel.makeMessage()
          request.root.number = number
          return try channel.requestSync(request)
        }
      sum += try answer.read { $0.number } - number
    }
    return sum
  }

  private static func answerAll(_ channel: Channel<Exchange>, _ count: UInt64) async throws {
    var requests = channel.requests.makeAsyncIterator()
    for _ in 0..<count {
      let request = try #require(try await requests.next())
      var reply = try channel.makeMessage()
      reply.root.number = try request.message.read { $0.number } + 1
      try await request.reply(reply)
    }
  }

  @Test(arguments: kinds) func `what was sent before the close of a channel is delivered, then its end`(
    link: LinkChoice
  ) async throws {
    try await withEnds(options(link)) { ends in
      let channel = try await ownChannel(ends)
      for number in 0..<40 as Range<UInt64> { try await notify(channel.client, number, byteCount: 300) }
      channel.client.close()
      for number in 0..<40 as Range<UInt64> { #expect(try await nextNumber(channel.server) == number) }
      #expect(try await nextNumber(channel.server) == nil)
    }
  }

  @Test func `the server opens one, too, and each end closes what the other opened`() async throws {
    try await withEnds { ends in
      for closing in [SessionRole.client, .server] {
        async let opened = ends.accepted.openChannel(Exchange.self, link: .own(.queue))
        let offer = try #require(
          try await onThreadReturning { try ends.client.nextIncomingChannelSync(of: Exchange.self) })
        #expect(offer.wantsOwnLink)
        let (theirs, ours) = (try offer.accept(), try await opened)
        try await notify(ours, 3)
        #expect(try await nextNumber(theirs) == 3)
        (closing == .client ? theirs : ours).close()
        #expect(try await nextNumber(closing == .client ? ours : theirs) == nil)
      }
      while ends.client.statistics.ownLinks + ends.accepted.statistics.ownLinks > 0 { await Task.yield() }
    }
  }

  @Test func `channels with links of their own open along with the session`() async throws {
    try await withRuntimeDirectory { directory in
      let app = testApp(directory)
      do {
        let server = try SessionServer(app)
        let links: [ChannelLink] = [.own(), .shared, .own(.socket), .own(.queue)]
        let session = try await ClientSession.connect(
          testClient, to: app, channels: links.map { InitialChannel(Exchange.self, link: $0) })
        var sessions = server.sessions.makeAsyncIterator()
        let accepted = try #require(try await sessions.next())
        var channels = accepted.channels(of: Exchange.self).makeAsyncIterator()
        var held: [Channel<Exchange>] = []
        for (index, wanted) in [TransportKind.ring, .ring, .socket, .queue].enumerated() {
          let taken = try #require(try await channels.next())
          let opened = try await session.initialChannel(index, of: Exchange.self)
          #expect(opened.linkKind == wanted && taken.linkKind == wanted)
          #expect(opened.hasOwnLink == (links[index] != .shared))
          try await notify(taken, UInt64(index))
          #expect(try await nextNumber(opened) == UInt64(index))
          held += [opened, taken]
        }
        #expect(session.statistics.ownLinks == 3)
        session.close()
        _ = await accepted.end()
        withExtendedLifetime(held) {}
        server.shutdown()
      }
      try await Resources.expectNone(of: app.name)
    }
  }

  @Test func `more than a session may have are refused, here and there, until one is closed`() async throws {
    try await withRuntimeDirectory { directory in
      let app = testApp(directory)
      var (few, more) = (SessionOptions(), SessionOptions())
      few.ownLinkLimit = 1
      more.ownLinkLimit = 3
      let server = try SessionServer(app, options: few)
      let session = try await ClientSession.connect(testClient, to: app, options: more)
      var sessions = server.sessions.makeAsyncIterator()
      let accepted = try #require(try await sessions.next())
      let ends = Ends(app: app, server: server, accepted: accepted, client: session)
      let first = try await ownChannel(ends)
      await expectSessionError("noDedicatedLink") { error in
        if case .channelRefused(.noDedicatedLink, let message) = error { message.contains("at most 1") } else { false }
      } _: {
        try await session.openChannel(Exchange.self, link: .own())
      }
      await expectSessionError("tooManyOwnLinks") { error in
        if case .tooManyOwnLinks(limit: 1) = error { true } else { false }
      } _: {
        try await accepted.openChannel(Exchange.self, link: .own())
      }
      await expectSessionError("tooManyOwnLinks") { error in
        if case .tooManyOwnLinks(limit: 3) = error { true } else { false }
      } _: {
        try await ClientSession.connect(
          testClient, to: app, channels: Array(repeating: InitialChannel(Exchange.self, link: .own()), count: 4),
          options: more)
      }
      first.client.close()
      while accepted.statistics.ownLinks > 0 { await Task.yield() }
      _ = try await ownChannel(ends)
      server.shutdown()
    }
  }

  @Test func `a refused one, one that nobody waits for, and one whose half cannot be made leave nothing`() async throws
  {
    try await withRuntimeDirectory { directory in
      let app = testApp(directory)
      var tooLarge = SessionOptions()
      tooLarge.queueSize = QueueSize(capacity: 1 << 20, messageByteCount: 1 << 20)
      let server = try SessionServer(app, options: tooLarge)
      let session = try await ClientSession.connect(testClient, to: app)
      var sessions = server.sessions.makeAsyncIterator()
      let accepted = try #require(try await sessions.next())
      var incoming = accepted.incomingChannels(of: Exchange.self).makeAsyncIterator()

      async let declined: Void = expectSessionError("declined") { error in
        if case .channelRefused(.declined, _) = error { true } else { false }
      } _: {
        try await session.openChannel(Exchange.self, link: .own())
      }
      try #require(try await incoming.next()).refuse("no")
      await declined

      // Accepted, but the opener has gone meanwhile.
      let opening = Task { try await session.openChannel(Exchange.self, link: .own(.socket), timeout: nil) }
      let late = try #require(try await incoming.next())
      opening.cancel()
      await expectSessionError("cancelled") {
        if case .cancelled = $0 { true } else { false }
      } _: {
        try await opening.value
      }
      let orphan = try late.accept()
      #expect(try await nextNumber(orphan) == nil)

      async let unmade: Void = expectSessionError("a limit of the other end") { error in
        guard case .channelRefused(.noDedicatedLink, let message) = error else { return false }
        return message.contains("mqueue") || message.contains("RLIMIT_MSGQUEUE")
      } _: {
        try await session.openChannel(Exchange.self, link: .own(.queue))
      }
      let third = try #require(try await incoming.next())
      await expectSessionError("a limit of this end") {
        if case .queue(.queue) = $0 { true } else { false }
      } _: {
        try third.accept()
      }
      await unmade
      while session.statistics.ownLinks + accepted.statistics.ownLinks > 0 { await Task.yield() }
      // Nothing that is left counts: as many as may can be opened.
      let ends = Ends(app: app, server: server, accepted: accepted, client: session)
      var open: [Channel<Exchange>] = []
      for _ in 0..<SessionOptions().ownLinkLimit {
        async let opened = ends.client.openChannel(Exchange.self, link: .own(.socket))
        open.append(try #require(try await incoming.next()).accept())
        open.append(try await opened)
      }
      server.shutdown()
      session.close()
    }
  }

  // MARK: Between processes

  @Test(arguments: kinds) func `a killed peer's channels with links of their own fail once, and leave nothing`(
    link: LinkChoice
  ) async throws {
    try await withRuntimeDirectory { directory in
      try await withPeer("serve", directory, "test-client") { peer in
        try await peer.line("ready")
        let session = try await ClientSession.connect(testClient, to: testApp(directory))
        var channels: [Channel<Exchange>] = []
        for _ in 0..<3 { channels.append(try await session.openChannel(Exchange.self, link: .own(link))) }
        for channel in channels {
          var request = try channel.makeMessage()
          request.root.text = "echo"
          request.root.number = 4
          let answer = try await channel.request(request, timeout: .seconds(60))
          #expect(try answer.read { $0.number } == 5)
        }
        let failures = try await withThrowingTaskGroup(of: Bool.self) { group in
          for channel in channels {
            group.addTask {
              var request = try channel.makeMessage()
              request.root.text = "hang"
              do {
                _ = try await channel.request(request)
                return false
              } catch ChannelError.sessionEnded(.peerDied(pid: peer.processID)) {
                return true
              }
            }
          }
          for _ in channels { try await peer.line("hanging") }
          peer.kill()
          return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(failures == 3)
        #expect(await session.end() == .peerDied(pid: peer.processID))
        #expect(session.statistics.ownLinks == 0)
        #expect(entries(of: directory) == [])
      }
      try await Resources.expectNone(of: directory.lastComponent?.string ?? "")
    }
  }
}
