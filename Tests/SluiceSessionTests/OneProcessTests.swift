import Foundation
import Sluice
import SystemPackage
import TestSchema
import Testing

/// Both ends of a session in this process.
@Suite(.timeLimit(.minutes(2))) struct OneProcessTests {
  private struct Ends {
    let server: SessionServer
    let accepted: Session
    let client: Session
  }

  private func withSession(
    _ options: SessionOptions = SessionOptions(), over link: LinkChoice, _ body: (Ends) async throws -> Void
  ) async throws {
    // Small messages are lent, too.
    var options = options.over(link)
    options.inlineByteCount = 0
    try await withRuntimeDirectory { directory in
      let name = directory.lastComponent?.string ?? ""
      let app = ServerApp(name, allowing: ["test-client"], runtimeDirectory: directory)
      do {
        let server = try SessionServer(app, options: options)
        var sessions = server.sessions.makeAsyncIterator()
        let client = try await ClientSession.connect(ClientApp("test-client"), to: app, options: options)
        let accepted = try #require(try await sessions.next())
        try await body(Ends(server: server, accepted: accepted, client: client))
        client.close()
        accepted.close()
        server.shutdown()
      }
      try await Resources.expectNone(of: name)
    }
  }

  private func channel(_ ends: Ends) async throws -> (client: Channel<Exchange>, server: Channel<Exchange>) {
    async let opened = ends.client.openChannel(Exchange.self)
    var channels = ends.accepted.channels(of: Exchange.self).makeAsyncIterator()
    let taken = try #require(try await channels.next())
    return (try await opened, taken)
  }

  /// Sends a notification with a number. What ends in a closure of the testing macros cannot be a message being built.
  private func notify(_ channel: Channel<Exchange>, _ number: UInt64, timeout: Duration? = nil) async throws {
    var note = try channel.makeMessage()
    note.root.number = number
    try await channel.notify(note, timeout: timeout)
  }

  private func number(_ message: Message<Exchange>?) throws -> UInt64? {
    try message?.read { $0.number }
  }

  @Test(arguments: LinkTests.kinds) func `a session names its segments, own and borrowed`(link: LinkChoice) async throws
  {
    try await withSession(over: link) { ends in
      let channels = try await channel(ends)
      try await notify(channels.client, 5)
      var notes = channels.server.notifications.makeAsyncIterator()
      #expect(try number(try await notes.next()) == 5)

      let prefix = "sluice.\(ends.server.app.name).\(ends.client.name)."
      let own = ends.client.segments.filter { !$0.isBorrowed }
      #expect(own.contains { $0.name.hasPrefix(prefix + "client.") && $0.scope == .session && $0.byteCount > 0 })
      #expect(own.contains { $0.name.hasPrefix(prefix + "client-returns") })
      let borrowed = ends.accepted.segments.filter(\.isBorrowed)
      let lent = own.filter { $0.name.hasPrefix(prefix + "client.") || $0.name == prefix + "client-\(link)" }
      #expect(Set(borrowed.map(\.name)) == Set(lent.map(\.name)) && lent.count == (link == .socket ? 1 : 2))
      #expect(ends.client.name == ends.accepted.name)
    }
  }

  @Test(arguments: LinkTests.kinds)
  func `one message goes many times and on many channels, and is freed after the last return`(link: LinkChoice)
    async throws
  {
    try await withSession(over: link) { ends in
      let first = try await channel(ends)
      let second = try await channel(ends)
      var held: [Message<Exchange>] = []
      do {
        var note = try first.client.makeMessage()
        note.root.text = String(repeating: "y", count: 100_000)
        for _ in 0..<3 {
          try await first.client.notify(note)
          try await second.client.notify(note)
        }
        var (one, two) = (
          first.server.notifications.makeAsyncIterator(), second.server.notifications.makeAsyncIterator()
        )
        for _ in 0..<3 {
          held.append(try #require(try await one.next()))
          held.append(try #require(try await two.next()))
        }
      }
      #expect(Set(held.map(\.placement)).count == 1)
      #expect(ends.client.statistics.messagesCopied == 0)
      while !held.isEmpty {
        // Who delivered the last one may still hold it for an instant.
        while ends.client.statistics.leasesOut > held.count { await Task.yield() }
        #expect(ends.client.statistics.leasesOut == held.count)
        #expect(ends.client.statistics.bytesInUse >= 100_000)
        let last = held.removeLast()
        #expect(try last.read { root in try root.text.utf8.count } == 100_000)
      }
      while ends.client.statistics.leasesOut > 0 { await Task.yield() }
      #expect(ends.client.statistics.bytesInUse == 0)
    }
  }

  @Test(arguments: LinkTests.kinds)
  func `a server-wide message is read in place by every client, private memory is copied and counted`(link: LinkChoice)
    async throws
  {
    try await withSession(over: link) { ends in
      let channels = try await channel(ends)
      var shared = try ends.server.makeMessage(Exchange.self)
      shared.root.number = 7
      try await channels.server.notify(shared)
      #expect(ends.accepted.statistics.messagesCopied == 0)
      var notes = channels.client.notifications.makeAsyncIterator()
      let arrived = try #require(try await notes.next())
      #expect(try number(arrived) == 7)
      #expect(arrived.placement == channels.server.placement(of: shared))
      #expect(ends.accepted.segments.contains { $0.scope == .serverWide && $0.name.contains(".all.server.") })

      var inHeap = try MessageBuilder(Exchange.self)
      inHeap.root.number = 8
      try await channels.server.notify(inHeap)
      #expect(try number(try await notes.next()) == 8)
      #expect(ends.accepted.statistics.messagesCopied == 0)  // it went in its frame

      inHeap.root.text = String(repeating: "h", count: Channel<Exchange>.largestInlineByteCount)
      try await channels.server.notify(inHeap)
      #expect(try number(try await notes.next()) == 8)
      #expect(ends.accepted.statistics.messagesCopied == 1)
    }
  }

  @Test(arguments: LinkTests.kinds) func `a receiver that stops taking makes its sender wait, and other channels go on`(
    link: LinkChoice
  ) async throws {
    var options = SessionOptions()
    options.laneWindow = 4
    try await withSession(options, over: link) { ends in
      let stuck = try await channel(ends)
      let lively = try await channel(ends)
      for _ in 0..<4 { try await notify(stuck.client, 1) }
      await #expect { try await notify(stuck.client, 1, timeout: .milliseconds(20)) } throws: { error in
        if case ChannelError.timedOut = error { true } else { false }
      }
      #expect(throws: ChannelError.self) {
        let note = try stuck.client.makeMessage()
        try stuck.client.notifySync(note, timeout: .milliseconds(20))
      }
      // All four are under way, whether they have arrived yet or not.
      #expect(ends.client.statistics.leasesOut == 4)

      let echo = Task {
        for try await request in lively.server.requests {
          var reply = try lively.server.makeMessage()
          reply.root.number = try request.message.root.number + 1
          try await request.reply(reply)
        }
      }
      var request = try lively.client.makeMessage()
      for asked in 0..<20 as Range<UInt64> {
        request.root.number = asked
        let response = try await lively.client.request(request, timeout: .seconds(10))
        #expect(try number(response) == asked + 1)
      }
      echo.cancel()
      // Taking one lets the sender go on.
      let waiting = Task { try await notify(stuck.client, 2, timeout: .seconds(10)) }
      var notes = stuck.server.notifications.makeAsyncIterator()
      for _ in 0..<4 { #expect(try number(try await notes.next()) == 1) }
      try await waiting.value
      #expect(try number(try await notes.next()) == 2)
    }
  }

  @Test(arguments: LinkTests.kinds) func `a closed channel fails what is pending, and the session goes on`(
    link: LinkChoice
  ) async throws {
    try await withSession(over: link) { ends in
      let channels = try await channel(ends)
      let asking = Task {
        let request = try channels.client.makeMessage()
        return try await channels.client.request(request)
      }
      var requests = channels.server.requests.makeAsyncIterator()
      let request = try #require(try await requests.next())
      channels.server.close()
      await #expect { try await asking.value } throws: { error in
        if case ChannelError.closed = error { true } else { false }
      }
      await #expect(throws: ChannelError.self) {
        let reply = try channels.server.makeMessage()
        try await request.reply(reply)
      }
      #expect(try await requests.next() == nil)

      let again = try await channel(ends)
      try await again.client.notify(try again.client.makeMessage())
    }
  }

  @Test(arguments: LinkTests.kinds) func `what was sent before a close arrives before its end`(link: LinkChoice)
    async throws
  {
    try await withSession(over: link) { ends in
      let channels = try await channel(ends)
      for number in 0..<50 as Range<UInt64> {
        try await notify(channels.client, number)
      }
      ends.client.close(reason: "enough")
      var count: UInt64 = 0
      for try await note in channels.server.notifications {
        #expect(try number(note) == count)
        count += 1
      }
      #expect(count == 50)
      #expect(await ends.accepted.end() == .closedByPeer("enough"))
    }
  }

  @Test(arguments: LinkTests.kinds) func `a message outlives its session`(link: LinkChoice) async throws {
    var held: Message<Exchange>?
    try await withRuntimeDirectory { directory in
      let name = directory.lastComponent?.string ?? ""
      let app = ServerApp(name, allowing: ["test-client"], runtimeDirectory: directory)
      do {
        var options = SessionOptions().over(link)
        options.inlineByteCount = 0
        let server = try SessionServer(app, options: options)
        var sessions = server.sessions.makeAsyncIterator()
        let client = try await ClientSession.connect(ClientApp("test-client"), to: app, options: options)
        let accepted = try #require(try await sessions.next())
        async let opened = client.openChannel(Exchange.self)
        var channels = accepted.channels(of: Exchange.self).makeAsyncIterator()
        let taken = try #require(try await channels.next())
        let channel = try await opened
        var note = try channel.makeMessage()
        note.root.text = "still here"
        try await channel.notify(note)
        var notes = taken.notifications.makeAsyncIterator()
        held = try await notes.next()
        client.close()
        #expect(await accepted.end() == .closedByPeer(""))
        server.shutdown()
      }
      #expect(try Resources(of: name).segmentMappings > 0)
      #expect(try held?.read { try $0.text } == "still here")
      held = nil
      try await Resources.expectNone(of: name)
    }
  }

  @Test(arguments: LinkTests.kinds) func `an arena at its limit says so, and goes on after room returned`(
    link: LinkChoice
  ) async throws {
    var options = SessionOptions()
    options.arenaByteLimit = 8 << 20
    try await withSession(options, over: link) { ends in
      let channels = try await channel(ends)
      var notes = channels.server.notifications.makeAsyncIterator()
      var held: [Message<Exchange>] = []
      var failure: ChannelError?
      while failure == nil, held.count < 32 {
        do throws(ChannelError) {
          var note = try channels.client.makeMessage()
          note.root.text = String(repeating: "z", count: 1 << 20)
          try await channels.client.notify(note)
        } catch {
          failure = error
          continue
        }
        held.append(try #require(try await notes.next()))
      }
      guard case .outOfMemory(.limitReached(8 << 20, _, let requested)) = failure, requested >= 1 << 20 else {
        return #expect(Bool(false), "\(String(describing: failure))")
      }
      #expect((2...8).contains(held.count))
      held.removeAll()
      var note = try channels.client.makeMessage()
      note.root.text = String(repeating: "z", count: 1 << 20)
      try await channels.client.notify(note)
    }
  }
}
