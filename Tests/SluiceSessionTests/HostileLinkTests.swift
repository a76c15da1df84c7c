import SluiceSystem
import SystemPackage
import TestSchema
import Testing

@testable import SluiceChannel
@testable import SluiceSession
@testable import SluiceTransport

/// Ends that lie about the links of single channels. Only their own session may suffer.
@Suite(.timeLimit(.minutes(2))) struct HostileLinkTests {
  private static let frame = UInt32(Envelope.largestFrameByteCount)
  private static let ring = Control.LinkHalf.ring(.init(capacity: 1 << 17, largestFrame: frame))

  /// What is said of a half, and what comes along instead of it.
  struct Lie: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let half: Control.LinkHalf
    let handles: @Sendable () throws -> [Handle]

    init(_ what: String, _ half: Control.LinkHalf, _ handles: @escaping @Sendable () throws -> [Handle]) {
      testDescription = what
      self.half = half
      self.handles = handles
    }
  }

  private static func null() throws -> Handle { try Handle.open("/dev/null", .readWrite) }

  static let lies: [Lie] = [
    Lie("a device as a socket", .socket) { [try null()] },
    Lie("a bell as a queue", .queue(largestFrame: frame)) {
      let bell = try Doorbell()
      return [bell.handle, bell.handle, bell.handle]
    },
    Lie("devices as a queue", .queue(largestFrame: frame)) { [try null(), try null(), try null()] },
    Lie("a queue that can only be received from", .queue(largestFrame: frame)) {
      let name = MessageQueue.unguessableName()
      let queue = try MessageQueue.create(name, capacity: 1, maxMessageByteCount: 64, access: .receiving)
      try MessageQueue.unlink(name)
      return [queue.handle, try null(), try null()]
    },
    Lie("a queue for frames that are too small", .queue(largestFrame: 1)) {
      let honest = try QueueTransport.prepare()
      return honest.handles
    },
    Lie("devices as a ring", ring) { [try null(), try null()] },
    Lie("a ring of another size than its segment", ring) {
      [try Segment.create(name: "forged", byteCount: 1 << 16).handle, try null()]
    },
    Lie("a ring of no power of two", .ring(.init(capacity: 100_000, largestFrame: frame))) {
      [try null(), try null()]
    },
    Lie("a ring without end", .ring(.init(capacity: .max, largestFrame: frame))) { [try null(), try null()] },
    Lie("a ring for frames that are too small", .ring(.init(capacity: 1 << 17, largestFrame: 8))) {
      let honest = try RingTransport.prepare(name: "forged", capacity: 1 << 17, maxBlobSize: 1024)
      return honest.handles
    },
  ]

  /// A session with a liar, and one beside it that goes on.
  private func withVictim(_ body: (_ liar: Session, _ victim: Session) async throws -> Void) async throws {
    try await withRuntimeDirectory { directory in
      let app = testApp(directory)
      do {
        let server = try SessionServer(app)
        var sessions = server.sessions.makeAsyncIterator()
        let bystander = try await ClientSession.connect(testClient, to: app)
        let beside = try #require(try await sessions.next())
        let client = try await ClientSession.connect(testClient, to: app)
        try await body(client, try #require(try await sessions.next()))
        async let opened = bystander.openChannel(Exchange.self, link: .own())
        var channels = beside.channels(of: Exchange.self).makeAsyncIterator()
        _ = try #require(try await channels.next())
        _ = try await opened
        server.shutdown()
        bystander.close()
      }
      try await Resources.expectNone(of: app.name)
    }
  }

  private func expectViolation(_ session: Session, _ hint: String = "") async {
    let end = await session.end()
    guard case .protocolViolation(let what) = end else { return _ = Issue.record("ended otherwise: \(end as Any)") }
    #expect(hint.isEmpty || what.contains(hint), "\(what)")
  }

  @Test(arguments: lies) func `an opener that lies about its half`(lie: Lie) async throws {
    try await withVictim { liar, victim in
      let opening = Control.ChannelOpening(
        lane: 2, rootTypeID: Exchange.typeID, rootTypeName: "", metadata: .none, dedicated: lie.half)
      liar.core.parts.control.send(.openChannel(opening), handles: try lie.handles())
      // It is looked at when it is taken.
      var incoming = victim.incomingChannels(of: Exchange.self).makeAsyncIterator()
      let offer = try #require(try await incoming.next())
      await expectSessionError("the end") {
        if case .sessionEnded = $0 { true } else { false }
      } _: {
        try offer.accept()
      }
      await expectViolation(victim)
      #expect(victim.statistics.ownLinks == 0)
    }
  }

  @Test(arguments: lies) func `an acceptor that lies about its half`(lie: Lie) async throws {
    // A socket has no second half: said of one, it is no answer.
    try await withVictim { victim, liar in
      let kind: LinkChoice = lie.half.kind == .socket ? .ring : lie.half.kind
      async let opened: Void = expectSessionError("the end") { error in
        if case .sessionEnded(.protocolViolation) = error { true } else { false }
      } _: {
        try await victim.openChannel(Exchange.self, link: .own(kind))
      }
      var incoming = liar.incomingChannels(of: Exchange.self).makeAsyncIterator()
      let offer = try #require(try await incoming.next())
      let handles = lie.half == .socket ? [] : try lie.handles()
      liar.core.parts.control.send(.channelOpened(lane: 2, link: lie.half), handles: handles)
      await opened
      await expectViolation(victim)
      withExtendedLifetime(offer) {}
    }
  }

  @Test func `an answer with a link where none was asked for, and one of another kind`() async throws {
    for link in [ChannelLink.shared, .own(.socket), .own(.queue)] {
      try await withVictim { victim, liar in
        async let opened: Void = expectSessionError("the end") { error in
          if case .sessionEnded(.protocolViolation) = error { true } else { false }
        } _: {
          try await victim.openChannel(Exchange.self, link: link)
        }
        var incoming = liar.incomingChannels(of: Exchange.self).makeAsyncIterator()
        let offer = try #require(try await incoming.next())
        let half = try RingTransport.prepare(
          name: "forged", capacity: 1 << 17, maxBlobSize: Envelope.largestFrameByteCount)
        liar.core.parts.control.send(.channelOpened(lane: 2, link: Self.ring), handles: half.handles)
        await opened
        await expectViolation(victim)
        withExtendedLifetime(offer) {}
      }
    }
  }

  @Test(arguments: LinkTests.kinds) func `a message of another channel, and credits that were never owed`(
    link: LinkChoice
  ) async throws {
    // A message on lane 4242; and a grant of 7 credits on lane 2.
    let frames: [(bytes: [UInt8], hint: String)] = [
      ([0x92, 0x10, 0, 0, 1, 0, 0, 0] + [UInt8](repeating: 0, count: 24), "on the link of lane 2"),
      ([2, 0, 0, 0, 3, 0, 0, 0, 7, 0, 0, 0], "not owed"),
    ]
    for (bytes, hint) in frames {
      try await withVictim { liar, victim in
        async let opened = liar.openChannel(Exchange.self, link: .own(link))
        var channels = victim.channels(of: Exchange.self).makeAsyncIterator()
        let taken = try #require(try await channels.next())
        let channel = try await opened
        // As if a task waited for something: the victim sees each frame at once.
        taken.core.link.beginSuspension()
        try await channel.core.link.transport.send(bytes.span.bytes, deadline: .now + .seconds(30))
        await expectViolation(victim, hint)
      }
    }
  }
}
