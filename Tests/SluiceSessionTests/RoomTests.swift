import Foundation
import Logging
import Sluice
import Synchronization
import SystemPackage
import TestSchema
import Testing
import TestSupport

@testable import SluiceChannel
@testable import SluiceSession

/// Limits of a session's memory and leases, and what is said of what is out. Both ends in this process.
@Suite(.timeLimit(.minutes(2))) struct RoomTests {
  private struct Ends {
    let server: SessionServer
    let taken: Session
    let client: Session
    let sending: Channel<Exchange>
    let receiving: Channel<Exchange>
  }

  private func withEnds(_ options: SessionOptions, _ body: (Ends) async throws -> Void) async throws {
    try await withRuntimeDirectory { directory in
      let name = directory.lastComponent?.string ?? ""
      let app = ServerApp(name, allowing: ["test-client"], runtimeDirectory: directory)
      do {
        let server = try SessionServer(app, options: options)
        var sessions = server.sessions.makeAsyncIterator()
        let client = try await ClientSession.connect(ClientApp("test-client"), to: app, options: options)
        let taken = try #require(try await sessions.next())
        async let opened = client.openChannel(Exchange.self)
        var channels = taken.channels(of: Exchange.self).makeAsyncIterator()
        let receiving = try #require(try await channels.next())
        try await body(
          Ends(server: server, taken: taken, client: client, sending: try await opened, receiving: receiving))
        client.close()
        server.shutdown()
      }
      try await Resources.expectNone(of: name)
    }
  }

  /// A message too large to go in its frame.
  private func note(_ channel: Channel<Exchange>, byteCount: Int = 2000) throws -> MessageBuilder<Exchange> {
    var message = try channel.makeMessage()
    fillBytes(message.root, byteCount: byteCount, with: 1)
    return message
  }

  @Test func `who met the limit of leases waits, and goes on after the next return`() async throws {
    var options = SessionOptions()
    options.leaseCapacity = 4
    try await withEnds(options) { ends in
      var notes = ends.receiving.notifications.makeAsyncIterator()
      var held: [Message<Exchange>] = []
      for _ in 0..<4 {
        try await ends.sending.notify(try note(ends.sending))
        held.append(try #require(try await notes.next()))
      }
      await #expect { try await ends.sending.notify(try note(ends.sending)) } throws: { error in
        if case ChannelError.tooManyLeases(.limitReached(capacity: 4)) = error { true } else { false }
      }
      await #expect { try await ends.client.waitForRoom(timeout: .milliseconds(10)) } throws: { error in
        if case SessionError.timedOut = error { true } else { false }
      }
      #expect { try ends.client.waitForRoomSync(timeout: .milliseconds(10)) } throws: { error in
        if case SessionError.timedOut = error { true } else { false }
      }
      for round in 0..<20 {
        let client = ends.client
        let waiting = Task {
          if round % 2 == 0 {
            try await client.waitForRoom(timeout: .seconds(30))
          } else {
            try await onThread { try client.waitForRoomSync(timeout: .seconds(30)) }
          }
        }
        held.removeFirst()
        try await waiting.value
        try await ends.sending.notify(try note(ends.sending))
        held.append(try #require(try await notes.next()))
      }
      held = []
    }
  }

  @Test func `who met the limit of an arena waits for the size that is wanted`() async throws {
    var options = SessionOptions()
    options.arenaByteLimit = 8 << 20
    try await withEnds(options) { ends in
      var notes = ends.receiving.notifications.makeAsyncIterator()
      try await ends.sending.notify(try note(ends.sending, byteCount: 5 << 20))
      var held = try await notes.next()
      let client = ends.client
      await #expect { try await client.waitForRoom(byteCount: 4 << 20, timeout: .milliseconds(10)) } throws: { error in
        if case SessionError.timedOut = error { true } else { false }
      }
      await #expect { try await client.waitForRoom(byteCount: 9 << 20) } throws: { error in
        guard case SessionError.arena(.limitReached(8 << 20, _, 9 << 20)) = error else { return false }
        return true
      }
      let waiting = Task { try await client.waitForRoom(byteCount: 4 << 20, timeout: .seconds(30)) }
      withExtendedLifetime(held) {}
      held = nil
      try await waiting.value
      try await ends.sending.notify(try note(ends.sending, byteCount: 4 << 20))
      held = try await notes.next()
      // The end of the session ends a wait, too.
      let hopeless = Task { try await client.waitForRoom(byteCount: 6 << 20, timeout: .seconds(30)) }
      ends.taken.close()
      await #expect { try await hopeless.value } throws: { error in
        if case SessionError.sessionEnded = error { true } else { false }
      }
      withExtendedLifetime(held) {}
      held = nil
    }
  }

  @Test func `who met the limit of server-wide memory waits for a return of any session`() async throws {
    var options = SessionOptions()
    options.serverWideByteLimit = 8 << 20
    try await withEnds(options) { ends in
      var notes = ends.sending.notifications.makeAsyncIterator()
      do {
        var shared = try ends.server.makeMessage(Exchange.self)
        fillBytes(shared.root, byteCount: 5 << 20, with: 1)
        try await ends.receiving.notify(shared)
      }
      var held = try await notes.next()
      let server = ends.server
      await #expect { try await server.waitForRoom(byteCount: 4 << 20, timeout: .milliseconds(10)) } throws: { error in
        if case SessionError.timedOut = error { true } else { false }
      }
      let waiting = Task { try await server.waitForRoom(byteCount: 4 << 20, timeout: .seconds(30)) }
      withExtendedLifetime(held) {}
      held = nil
      try await waiting.value
      #expect(server.memory.byteLimit == 8 << 20)
    }
  }

  // MARK: Reports

  /// Keeps what is logged.
  private struct Recorder: LogHandler {
    let lines: Lines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.notice
    subscript(metadataKey key: String) -> Logger.MetadataValue? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }
    func log(event: LogEvent) {
      lines.add("\(event.message) \((event.metadata ?? [:]).map { "\($0)=\($1)" }.joined(separator: " "))")
    }
  }

  private final class Lines: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ line: String) { lines.withLock { $0.append(line) } }
    func contains(_ parts: [String]) -> Bool { lines.withLock { $0.contains { l in parts.allSatisfy(l.contains) } } }
  }

  @Test func `a leak is reported by session, age and size, also after the session's end`() async throws {
    let lines = Lines()
    var options = SessionOptions()
    options.logger = Logger(label: "test") { _ in Recorder(lines: lines) }
    try await withEnds(options) { ends in
      #expect(ends.client.leaseReport.leases.isEmpty)
      var notes = ends.receiving.notifications.makeAsyncIterator()
      let message = try note(ends.sending, byteCount: 100_000)
      try await ends.sending.notify(message)
      try await ends.sending.notify(message)
      var held = [try await notes.next(), try await notes.next()]
      let report = ends.client.leaseReport
      #expect(report.session == ends.client.name)
      #expect(report.peerApp == ends.client.peerApp)
      #expect(!report.hasEnded)
      #expect(report.leases.count == 2 && report.byteCount >= 100_000 && report.byteCount < 200_000)
      let age = try #require(report.oldestAge)
      #expect(age >= .zero)
      #expect(ends.client.statistics.bytesLent == report.byteCount)
      #expect(ends.server.leaseReports.map(\.session) == [ends.client.name])

      ends.client.close()
      _ = await ends.taken.end()
      func ended() -> LeaseReport? { LeaseReport.ofEndedSessions.first { $0.session == ends.client.name } }
      #expect(ended()?.leases.count == 2 && ended()?.hasEnded == true)
      // It is looked at again after a moment, and logged then.
      while !lines.contains(["messages are held", ends.client.name, "messages=2"]) { await Task.yield() }
      withExtendedLifetime(held) {}
      held = []
      while ended() != nil { await Task.yield() }
    }
  }

  @Test func `a held message keeps its own segment and nothing else after the session's end`() async throws {
    var options = SessionOptions()
    options.decayInterval = .seconds(3600)
    try await withEnds(options) { ends in
      let name = ends.client.name
      func mapped(_ segment: String) throws -> Int {
        try ProcessFile.text("/proc/self/maps").split(separator: "\n").count { $0.contains(".\(name).\(segment) ") }
      }
      var notes = ends.receiving.notifications.makeAsyncIterator()
      try await ends.sending.notify(try note(ends.sending, byteCount: 8 << 20))
      var held = try await notes.next()
      try await ends.sending.notify(try note(ends.sending, byteCount: 8 << 20))
      var released = try await notes.next()
      #expect(try mapped("client.0") == 2 && mapped("client.1") == 2 && mapped("client.2") == 2)
      #expect(Set(try #require(released).placement.map(\.segmentName)).count == 2)
      released = nil
      ends.client.close()
      _ = await ends.taken.end()
      // The owner keeps its arena, since something of it is held; the borrower only what is.
      #expect(try mapped("client.1") == 2 && mapped("client.2") == 1)
      let count = try #require(held).read { root in try root.chunks.count }
      #expect(count == 1)
      held = nil
      while try mapped("client.1") == 2 { await Task.yield() }
      _ = released
      _ = held
    }
  }

  @Test func `a message to several receivers is freed after the last return, and not before`() async throws {
    try await withEnds(SessionOptions()) { ends in
      let second = try await ClientSession.connect(ClientApp("test-client"), to: ends.server.app)
      var sessions = ends.server.sessions.makeAsyncIterator()
      let taken = try #require(try await sessions.next())
      async let opened = second.openChannel(Exchange.self)
      var channels = taken.channels(of: Exchange.self).makeAsyncIterator()
      let other = try #require(try await channels.next())
      let receiving = try await opened
      do {
        var shared = try ends.server.makeMessage(Exchange.self)
        fillBytes(shared.root, byteCount: 500_000, with: 8)
        try await ends.receiving.notify(shared)
        try await other.notify(shared)
      }
      var (one, two) = (ends.sending.notifications.makeAsyncIterator(), receiving.notifications.makeAsyncIterator())
      var first = try await one.next()
      var last = try await two.next()
      #expect(first?.placement == last?.placement)
      first = nil
      // Whoever delivered the message may let go of it a moment after it was taken.
      while ends.taken.statistics.leasesOut > 0 { await Task.yield() }
      #expect(taken.statistics.leasesOut == 1)
      #expect(ends.server.memory.inUseByteCount >= 500_000)
      // A session that ends without returning keeps the memory, too: its process lives.
      second.close()
      _ = await taken.end()
      #expect(ends.server.memory.inUseByteCount >= 500_000)
      _ = first
      let byteCount = try #require(last).read { root in try root.chunks[0].byteCount }
      #expect(byteCount == 500_000)
      last = nil
      while ends.server.memory.inUseByteCount > 0 { await Task.yield() }
      _ = last
    }
  }
}
