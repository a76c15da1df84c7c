import Foundation
import Sluice
import Synchronization
import SystemPackage
import TestSchema
import Testing

@testable import SluiceSession

/// Limits, the rate, and the hook that judges clients.
@Suite(.timeLimit(.minutes(2))) struct AdmissionTests {
  // MARK: The pure cores

  @Test func `a pace allows a burst, and then its rate`() {
    var pace = Pace(rate: SessionRate(perSecond: 10, burst: 3))
    let start = ContinuousClock.now
    let burst = (0..<4).map { _ in pace.take(1, now: start) }
    #expect(burst == [true, true, true, false])
    let other = pace.take(2, now: start)
    #expect(other)
    let soon = pace.take(1, now: start + .milliseconds(99))
    let later = [pace.take(1, now: start + .milliseconds(100)), pace.take(1, now: start + .milliseconds(101))]
    #expect(!soon && later == [true, false])
    let rested = (0..<4).map { _ in pace.take(1, now: start + .seconds(10)) }
    #expect(rested == [true, true, true, false])
  }

  @Test func `a pace remembers a bounded number of users, and forgets those it no longer needs`() {
    var pace = Pace(rate: SessionRate(perSecond: 1, burst: 1))
    let start = ContinuousClock.now
    for uid in 0..<UInt32(Pace.userLimit) { _ = pace.take(uid, now: start) }
    let full = pace.take(.max, now: start)
    let afterwards = pace.take(.max, now: start + .seconds(2))
    #expect(!full && afterwards)
  }

  private func book(_ register: inout SessionRegister, _ name: String, uid: UInt32 = 1) -> RefusalReason? {
    do throws(AdmissionPolicy.Refusal) {
      try register.book(name, uid: uid, now: .now)
      return nil
    } catch {
      return error.reason
    }
  }

  @Test func `a register holds as many sessions as may be, in all and of one user, each name once`() {
    var limits = SessionLimits()
    limits.sessions = 3
    limits.sessionsPerUser = 2
    var register = SessionRegister(limits: limits)
    let first = [book(&register, "a"), book(&register, "a"), book(&register, "b"), book(&register, "c")]
    #expect(first == [nil, .malformedHello, nil, .sessionLimit])
    let others = [book(&register, "d", uid: 2), book(&register, "e", uid: 2)]
    #expect(others == [nil, .sessionLimit])
    register.release("a")
    register.release("a")
    let again = [book(&register, "c"), book(&register, "f", uid: 2)]
    #expect(again == [nil, .sessionLimit])
    #expect(register.count == 3)
  }

  // MARK: A server

  private func expectRefusal(_ reason: RefusalReason, _ app: ServerApp, _ hint: String) async {
    await expectSessionError("\(reason)") { error in
      if case .refused(reason, let message) = error { message.contains(hint) } else { false }
    } _: {
      try await ClientSession.connect(testClient, to: app)
    }
  }

  @Test func `a server with as many sessions as may be refuses more, until one ends`() async throws {
    try await withRuntimeDirectory { directory in
      var options = SessionOptions()
      options.limits.sessions = 2
      let app = testApp(directory)
      let server = try SessionServer(app, options: options)
      let first = try await ClientSession.connect(testClient, to: app)
      let second = try await ClientSession.connect(testClient, to: app)
      await expectRefusal(.sessionLimit, app, "2 sessions")
      var sessions = server.sessions.makeAsyncIterator()
      let accepted = try #require(try await sessions.next())
      first.close()
      _ = await accepted.end()
      let third = try await ClientSession.connect(testClient, to: app)
      #expect(server.sessionCount == 2)
      server.shutdown()
      for session in [second, third] {
        #expect(await session.end() == .closedByPeer("the server is shutting down"))
      }
    }
  }

  @Test func `a user that opens sessions too fast is refused with that reason`() async throws {
    try await withRuntimeDirectory { directory in
      var options = SessionOptions()
      options.limits.rate = SessionRate(perSecond: 0.01, burst: 2)
      let app = testApp(directory)
      let server = try SessionServer(app, options: options)
      for _ in 0..<2 { _ = try await ClientSession.connect(testClient, to: app) }
      await expectRefusal(.rateLimit, app, "user \(geteuid())")
      server.shutdown()
    }
  }

  @Test func `a hook sees who the client is and what it says, and may refuse with a reason`() async throws {
    try await withRuntimeDirectory { directory in
      let app = testApp(directory)
      let server = try SessionServer(app) { applicant in
        guard applicant.peer.credentials.pid == getpid(), applicant.app == "test-client",
          let said = try? applicant.metadata.message(as: Exchange.self), let name = try? said.root.text
        else { return .refuse("nonsense") }
        return name == "open sesame" ? .accept : .refuse("“\(name)” is not the word")
      }
      func metadata(_ word: String) throws -> Metadata {
        var message = try MessageBuilder(Exchange.self)
        message.root.text = word
        return try Metadata(message)
      }
      let wrong = try metadata("please")
      await expectSessionError("rejected") { error in
        if case .refused(.rejected, "“please” is not the word") = error { true } else { false }
      } _: {
        try await ClientSession.connect(testClient, to: app, metadata: wrong)
      }
      await expectRefusal(.rejected, app, "nonsense")
      let session = try await ClientSession.connect(testClient, to: app, metadata: try metadata("open sesame"))
      var sessions = server.sessions.makeAsyncIterator()
      let accepted = try #require(try await sessions.next())
      let said = try accepted.peerMetadata.message(as: Exchange.self)
      #expect(try said.root.text == "open sesame")
      session.close()
      server.shutdown()
    }
  }

  @Test func `while a hook takes its time over a client, others are served`() async throws {
    try await withRuntimeDirectory { directory in
      let app = testApp(directory)
      let asked = AsyncStream.makeStream(of: Void.self)
      let told = AsyncStream.makeStream(of: Void.self)
      let server = try SessionServer(app) { applicant in
        guard applicant.metadata != .none else { return .accept }
        asked.continuation.yield()
        for await _ in told.stream { break }
        return .accept
      }
      async let waiting = ClientSession.connect(testClient, to: app, metadata: Metadata([1]), timeout: .seconds(60))
      for await _ in asked.stream { break }
      let other = try await ClientSession.connect(testClient, to: app)
      told.continuation.yield()
      let session = try await waiting
      session.close()
      other.close()
      server.shutdown()
    }
  }

  @Test func `a hook that does not decide is overruled at its deadline, and cancelled`() async throws {
    try await withRuntimeDirectory { directory in
      var options = SessionOptions()
      options.handshakeTimeout = .milliseconds(100)
      let app = testApp(directory)
      let cancelled = AsyncStream.makeStream(of: Bool.self)
      let server = try SessionServer(app, options: options) { _ in
        try? await Task.sleep(for: .seconds(3600))  // until it is cancelled
        cancelled.continuation.yield(Task.isCancelled)
        return .accept
      }
      var refusal: (reason: RefusalReason, message: String)?
      repeat {
        do {
          _ = try await ClientSession.connect(testClient, to: app)
        } catch SessionError.refused(let reason, let message) {
          refusal = (reason, message)
        }
        // On a busy machine, its introduction may have come too late.
      } while refusal?.reason == .malformedHello
      #expect(refusal?.reason == .rejected && refusal?.message.contains("in time") == true)
      var ends = cancelled.stream.makeAsyncIterator()
      #expect(await ends.next() == true)
      server.shutdown()
    }
  }

  @Test func `in normal operation nothing is logged above debug, and a refused client is one line at each end`()
    async throws
  {
    let (serverLog, clientLog) = (LogRecorder(), LogRecorder())
    try await withRuntimeDirectory { directory in
      let app = testApp(directory)
      let server = try SessionServer(app, options: serverLog.options)
      let session = try await ClientSession.connect(testClient, to: app, options: clientLog.options)
      var sessions = server.sessions.makeAsyncIterator()
      let accepted = try #require(try await sessions.next())
      let channel = Task { try await session.openChannel(Exchange.self) }
      var channels = accepted.channels(of: Exchange.self).makeAsyncIterator()
      _ = try await channels.next()
      _ = try await channel.value
      session.close()
      _ = await accepted.end()
      #expect(serverLog.heard.isEmpty && clientLog.heard.isEmpty)
      #expect(serverLog.recorded.contains { $0.hasPrefix("debug session ended") })
      await expectSessionError("clientNotAllowed") { error in
        if case .refused(.clientNotAllowed, _) = error { true } else { false }
      } _: {
        try await ClientSession.connect("somebody-else", to: app, options: clientLog.options)
      }
      for log in [serverLog, clientLog] {
        #expect(log.heard.count == 1)
        #expect(log.heard[0].hasPrefix("notice refused") && log.heard[0].contains("reason=clientNotAllowed"))
        #expect(log.heard[0].contains("server=\(app.name)"))
      }
      server.shutdown()
    }
  }
}
