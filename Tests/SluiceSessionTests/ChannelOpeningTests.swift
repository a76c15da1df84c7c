import Foundation
import Sluice
import SystemPackage
import TestSchema
import Testing

/// How channels come to be: metadata, refusals, types, and channels that are opened along with the session.
@Suite(.timeLimit(.minutes(2))) struct ChannelOpeningTests {
  private func metadata(_ word: String) throws -> Metadata {
    var message = try MessageBuilder(Exchange.self)
    message.root.text = word
    return try Metadata(message)
  }

  @Test func `an acceptor sees typed metadata, and its refusal comes back with its reason`() async throws {
    try await withEnds { ends in
      let (good, bad) = (try metadata("good"), try metadata("bad"))
      async let refused: Void = expectSessionError("declined") { error in
        if case .channelRefused(.declined, "“bad” is not wanted") = error { true } else { false }
      } _: {
        try await ends.client.openChannel(Exchange.self, metadata: bad)
      }
      var incoming = ends.accepted.incomingChannels(of: Exchange.self).makeAsyncIterator()
      let first = try #require(try await incoming.next())
      let said = try first.metadata.message(as: Exchange.self)
      let word = try said.root.text
      try first.refuse("“\(word)” is not wanted")
      #expect(throws: SessionError.self) { try first.accept() }
      await refused

      async let opened = ends.client.openChannel(Exchange.self, metadata: good)
      let second = try #require(try await incoming.next())
      #expect(second.metadata == good)
      let taken = try second.accept()
      #expect(throws: SessionError.self) { try second.refuse("too late") }
      #expect(try await opened.metadata == good)
      #expect(taken.metadata == good)
      // Asked for as another type, metadata says what it is.
      #expect(throws: MetadataError.self) { _ = try Metadata([1, 2]).message(as: Exchange.self) }
    }
  }

  @Test func `either end may refuse, and a channel that nobody answers is refused when it is released`() async throws {
    try await withEnds { ends in
      async let refused: Void = expectSessionError("declined") { error in
        if case .channelRefused(.declined, "not today") = error { true } else { false }
      } _: {
        try await ends.accepted.openChannel(Exchange.self)
      }
      let incoming = try await onThreadReturning { try ends.client.nextIncomingChannelSync(of: Exchange.self) }
      try #require(incoming).refuse("not today")
      await refused
      async let ignored: Void = expectSessionError("declined") { error in
        if case .channelRefused(.declined, let message) = error { message.contains("without an answer") } else { false }
      } _: {
        try await ends.accepted.openChannel(Exchange.self)
      }
      _ = try await onThreadReturning { try ends.client.nextIncomingChannelSync(of: Exchange.self) }
      await ignored
    }
  }

  @Test func `a channel of a type that is not taken is refused at once, by its schema id`() async throws {
    var options = SessionOptions()
    options.channelTypes = [ChannelType(Exchange.self)]
    try await withEnds(options) { ends in
      await expectSessionError("unknownType") { error in
        if case .channelRefused(.unknownType, let message) = error {
          message.contains("Remark") && message.contains(String(Remark.typeID, radix: 16))
        } else {
          false
        }
      } _: {
        try await ends.client.openChannel(Remark.self, timeout: nil)
      }
      _ = try await ends.channel()
    }
  }

  @Test(arguments: [false, true]) func `channels open along with the session, in its handshake`(blocking: Bool)
    async throws
  {
    try await withRuntimeDirectory { directory in
      let app = testApp(directory)
      let server = try SessionServer(app)
      let wanted = [
        InitialChannel(Exchange.self, metadata: Metadata([1])), InitialChannel(Remark.self),
        InitialChannel(Exchange.self, metadata: Metadata([3])),
      ]
      let session =
        blocking
        ? try await onThreadReturning { try ClientSession.connectSync(testClient, to: app, channels: wanted) }
        : try await ClientSession.connect(testClient, to: app, channels: wanted)
      var sessions = server.sessions.makeAsyncIterator()
      let accepted = try #require(try await sessions.next())
      // They are there with the session: no suspension could have brought them.
      let first = try #require(try accepted.nextChannelSync(of: Exchange.self, timeout: .zero))
      let third = try #require(try accepted.nextChannelSync(of: Exchange.self, timeout: .zero))
      _ = try #require(try accepted.nextChannelSync(of: Remark.self, timeout: .zero))
      #expect(first.metadata == Metadata([1]) && third.metadata == Metadata([3]))
      let opened = try await session.initialChannel(2, of: Exchange.self)
      var note = try opened.makeMessage()
      note.root.number = 3
      try await opened.notify(note)
      let arrived = try await onThreadReturning { try third.nextNotificationSync(timeout: .seconds(10)) }
      #expect(try arrived?.read { $0.number } == 3)
      // Each is taken once, and as what it was asked for.
      for (index, isWrong) in [(2, true), (7, true), (1, true), (0, false)] {
        do {
          _ = try await onThreadReturning { try session.initialChannelSync(index, of: Exchange.self) }
          #expect(!isWrong)
        } catch SessionError.noSuchInitialChannel(index) {
          #expect(isWrong)
        }
      }
      // Later ones are numbered after them.
      async let later = session.openChannel(Exchange.self)
      var channels = accepted.channels(of: Exchange.self).makeAsyncIterator()
      _ = try #require(try await channels.next())
      _ = try await later
      session.close()
      server.shutdown()
    }
  }

  @Test func `an initial channel can be refused, and what is too much for a handshake is named`() async throws {
    try await withRuntimeDirectory { directory in
      let app = testApp(directory)
      let server = try SessionServer(app)
      let session = try await ClientSession.connect(testClient, to: app, channels: [InitialChannel(Exchange.self)])
      var sessions = server.sessions.makeAsyncIterator()
      let accepted = try #require(try await sessions.next())
      var incoming = accepted.incomingChannels(of: Exchange.self).makeAsyncIterator()
      try #require(try await incoming.next()).refuse("no")
      await expectSessionError("declined") { error in
        if case .channelRefused(.declined, "no") = error { true } else { false }
      } _: {
        try await session.initialChannel(of: Exchange.self)
      }
      await expectSessionError("tooManyInitialChannels") { error in
        if case .tooManyInitialChannels(65, limit: 64) = error { true } else { false }
      } _: {
        try await ClientSession.connect(
          testClient, to: app, channels: Array(repeating: InitialChannel(Exchange.self), count: 65))
      }
      let long = InitialChannel(Exchange.self, metadata: Metadata([UInt8](repeating: 1, count: 16_384)))
      await expectSessionError("introductionTooLong") { error in
        if case .introductionTooLong(_, limit: 65_536) = error { true } else { false }
      } _: {
        try await ClientSession.connect(testClient, to: app, channels: [long, long, long, long])
      }
      await expectSessionError("metadataTooLong") { error in
        if case .metadataTooLong(16_385, limit: 16_384) = error { true } else { false }
      } _: {
        try await ClientSession.connect(testClient, to: app, metadata: Metadata([UInt8](repeating: 1, count: 16_385)))
      }
      server.shutdown()
    }
  }
}
