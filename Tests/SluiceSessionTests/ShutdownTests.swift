import Foundation
import Sluice
import SystemPackage
import TestSchema
import Testing

/// How servers end, start again, and are waited for.
@Suite(.timeLimit(.minutes(2))) struct ShutdownTests {
  @Test func `a draining server finishes what runs and refuses what is new`() async throws {
    try await withEnds { ends in
      let channels = try await ends.channel()
      let asking = Task {
        let request = try channels.client.makeMessage()
        return try await channels.client.request(request)
      }
      var requests = channels.server.requests.makeAsyncIterator()
      let request = try #require(try await requests.next())

      let draining = Task { await ends.server.drain() }
      // The server has left its place: no new session, and no new channel.
      var sessions = ends.server.sessions.makeAsyncIterator()
      #expect(try await sessions.next() == nil)
      await expectSessionError("serverNotRunning") { error in
        if case .serverNotRunning = error { true } else { false }
      } _: {
        try await ClientSession.connect(testClient, to: ends.app)
      }
      await expectSessionError("ending") { error in
        if case .channelRefused(.ending, _) = error { true } else { false }
      } _: {
        // What waits is refused when the drain begins, what comes later at once.
        try await ends.client.openChannel(Exchange.self, timeout: nil)
      }
      // A new request on a channel that is open is refused.
      await #expect {
        let request = try channels.client.makeMessage()
        return try await channels.client.request(request)
      } throws: { error in
        if case ChannelError.failed(code: ChannelFailureCode.ending, _, _) = error { true } else { false }
      }
      var reply = try channels.server.makeMessage()
      reply.root.number = 5
      try await request.reply(reply)
      let answer = try await asking.value
      #expect(try answer.read { $0.number } == 5)
      // With its last request answered, the channel is closed, and with the last channel the session ends.
      #expect(await draining.value)
      #expect(await ends.accepted.end() == .closed)
      #expect(await ends.client.end() == .closedByPeer("the server is shutting down"))
    }
  }

  /// A request that is under way.
  private func hangingRequest(_ ends: Ends) async throws -> (Task<Message<Exchange>, any Error>, Request<Exchange>) {
    let channels = try await ends.channel()
    let asking = Task {
      let request = try channels.client.makeMessage()
      return try await channels.client.request(request)
    }
    var requests = channels.server.requests.makeAsyncIterator()
    return (asking, try #require(try await requests.next()))
  }

  @Test func `a drain that takes too long, or is cancelled, closes the rest`() async throws {
    try await withEnds { ends in
      let (asking, request) = try await hangingRequest(ends)
      #expect(await ends.server.drain(timeout: .milliseconds(20)) == false)
      #expect(await ends.client.end() == .closedByPeer("the server is shutting down"))
      await #expect(throws: ChannelError.self) { try await asking.value }
      #expect(request.isCancelled)
    }
    try await withEnds { ends in
      let (asking, request) = try await hangingRequest(ends)
      let draining = Task { await ends.server.drain() }
      draining.cancel()
      #expect(await draining.value == false)
      #expect(await ends.client.end() == .closedByPeer("the server is shutting down"))
      await #expect(throws: ChannelError.self) { try await asking.value }
      #expect(request.isCancelled)
    }
    try await withEnds { ends in
      let (asking, request) = try await hangingRequest(ends)
      let drained = try await onThreadReturning { ends.server.drainSync(timeout: .milliseconds(20)) }
      #expect(!drained)
      await #expect(throws: ChannelError.self) { try await asking.value }
      #expect(request.isCancelled)
    }
  }

  @Test func `an immediate shutdown ends all sessions in order`() async throws {
    try await withEnds { ends in
      let channels = try await ends.channel()
      let asking = Task {
        let request = try channels.client.makeMessage()
        return try await channels.client.request(request)
      }
      var requests = channels.server.requests.makeAsyncIterator()
      let request = try #require(try await requests.next())
      ends.server.shutdown()
      await #expect { try await asking.value } throws: { error in
        if case ChannelError.sessionEnded(.closedByPeer("the server is shutting down")) = error { true } else { false }
      }
      #expect(await ends.accepted.end() == .closed)
      #expect(ends.server.sessionCount == 0)
      _ = request
    }
  }

  @Test func `another server starts at the same place while clients of the first hold on`() async throws {
    try await withEnds { ends in
      let channels = try await ends.channel()
      ends.server.stopListening()
      let second = try SessionServer(ends.app)
      let client = try await ClientSession.connect(testClient, to: ends.app)
      var sessions = second.sessions.makeAsyncIterator()
      _ = try #require(try await sessions.next())
      // The first one's session goes on.
      var note = try channels.client.makeMessage()
      note.root.number = 9
      try await channels.client.notify(note)
      var notes = channels.server.notifications.makeAsyncIterator()
      let arrived = try await notes.next()
      #expect(try arrived?.read { $0.number } == 9)
      client.close()
      second.shutdown()
    }
  }

  @Test func `a server starts again after SIGKILL while its clients still hold on`() async throws {
    try await withRuntimeDirectory { directory in
      try await withPeer("serve", directory, "test-client") { peer in
        try await peer.line("ready")
        let app = testApp(directory)
        let old = try await ClientSession.connect(testClient, to: app)
        let channel = try await old.openChannel(Exchange.self)
        var question = try channel.makeMessage()
        question.root.text = "payload"
        question.root.number = 100_000
        let held = try await channel.request(question)
        peer.kill()
        #expect(await old.end() == .peerDied(pid: peer.processID))
        try await withPeer("serve", directory, "test-client") { next in
          try await next.line("ready")
          let new = try await ClientSession.connect(testClient, to: app)
          _ = try await new.openChannel(Exchange.self)
          #expect(try held.read { try $0.chunks.count } == 1)
        }
      }
    }
  }

  // MARK: Waiting for a server

  @Test(arguments: [false, true]) func `a client that waits connects once the server is up`(blocking: Bool) async throws
  {
    try await withRuntimeDirectory { directory in
      let app = testApp(directory)
      let connecting = Task {
        blocking
          ? try await onThreadReturning { try ClientSession.connectSync(testClient, to: app, waiting: .seconds(60)) }
          : try await ClientSession.connect(testClient, to: app, waiting: .seconds(60))
      }
      // Whatever stands there before the server does must not mislead the client.
      try FileManager.default.createDirectory(
        atPath: directory.appending(app.name).string, withIntermediateDirectories: true,
        attributes: [.posixPermissions: 0o700])
      let server = try SessionServer(app)
      var sessions = server.sessions.makeAsyncIterator()
      _ = try #require(try await sessions.next())
      let session = try await connecting.value
      session.close()
      server.shutdown()
    }
  }

  @Test func `many clients that wait meet a server that comes after a killed one`() async throws {
    try await withRuntimeDirectory { directory in
      let app = testApp(directory)
      try await withPeer("serve", directory, "test-client") { peer in
        try await peer.line("ready")
        peer.kill()
      }
      try await withThrowingTaskGroup(of: Session.self) { group in
        for _ in 0..<8 {
          group.addTask { try await ClientSession.connect(testClient, to: app, waiting: .seconds(60)) }
        }
        let server = try SessionServer(app)
        var sessions: [Session] = []
        for try await session in group { sessions.append(session) }
        #expect(sessions.count == 8)
        server.shutdown()
      }
    }
  }

  @Test func `a client does not wait longer than it wants, nor when it is cancelled`() async throws {
    try await withRuntimeDirectory { directory in
      let app = testApp(directory)
      func expectAbsence(_ body: () async throws -> Session) async {
        await expectSessionError("serverNotRunning") { error in
          if case .serverNotRunning = error { true } else { false }
        } _: {
          try await body()
        }
      }
      await expectAbsence { try await ClientSession.connect(testClient, to: app, waiting: .milliseconds(20)) }
      await expectAbsence {
        try await onThreadReturning {
          try ClientSession.connectSync(testClient, to: app, waiting: .milliseconds(20))
        }
      }
      let waiting = Task { try await ClientSession.connect(testClient, to: app, waiting: .seconds(3600)) }
      waiting.cancel()
      await expectSessionError("cancelled") { error in
        if case .cancelled = error { true } else { false }
      } _: {
        try await waiting.value
      }
    }
  }

  @Test func `a peer that forked before it was killed ends its session in time, and its lock is free`() async throws {
    try await withRuntimeDirectory { directory in
      let app = testApp(directory)
      try await withPeer("serve", directory, "test-client", "fork") { peer in
        let line = try await peer.line("child")
        let child = try #require(line.split(separator: " ").last.flatMap { Int32($0) })
        defer { kill(child, SIGKILL) }
        try await peer.line("ready")
        let session = try await ClientSession.connect(testClient, to: app)
        let channel = try await session.openChannel(Exchange.self)
        peer.kill()
        // The child still holds the socket of the session open, if it was forked with it, and the listening one.
        #expect(await session.end() == .peerDied(pid: peer.processID))
        _ = channel
        let next = try SessionServer(app)
        _ = try await ClientSession.connect(testClient, to: app)
        next.shutdown()
      }
    }
  }
}
