import Foundation
import Sluice
import Synchronization
import SystemPackage
import TestSchema
import Testing

/// Threads that block for a session's messages fetch them themselves, whatever carries them.
@Suite(.timeLimit(.minutes(5))) struct NoHopTests {
  /// A reactor whose thread can be held up.
  private final class HeldReactor: Sendable {
    let reactor: Reactor
    private let isHeld = DispatchSemaphore(value: 0)
    private let gate = DispatchSemaphore(value: 0)

    init() throws { reactor = try Reactor(name: "held") }

    func hold() {
      reactor.perform { [self] in
        isHeld.signal()
        gate.wait()
      }
      isHeld.wait()
    }

    func letGo() { gate.signal() }
  }

  private static func message(
    _ channel: Channel<Exchange>, _ number: UInt64
  ) throws -> MessageBuilder<Exchange> {
    var message = try channel.makeMessage()
    message.root.number = number
    return message
  }

  /// Answers so many requests.
  private static func answer(_ channel: Channel<Exchange>, _ count: Int) throws {
    for _ in 0..<count {
      let request = try #require(try channel.nextRequestSync(timeout: .seconds(60)))
      let number = try request.message.read { $0.number }
      try request.replySync(try message(channel, number + 1))
    }
  }

  private static func ask(_ channel: Channel<Exchange>, _ count: Int) throws {
    for number in 0..<UInt64(count) {
      let answer = try channel.requestSync(try message(channel, number), timeout: .seconds(60))
      try #require(try answer.read { $0.number } == number + 1)
    }
  }

  @Test("Nobody hops: both reactors are held up meanwhile", arguments: LinkTests.kinds)
  func withoutReactors(link: LinkChoice) async throws {
    try await withRuntimeDirectory { directory in
      let (left, right) = (try HeldReactor(), try HeldReactor())
      var (options, serverOptions) = (SessionOptions().over(link), SessionOptions().over(link))
      options.reactor = left.reactor
      serverOptions.reactor = right.reactor
      let server = try SessionServer(testApp(directory), options: serverOptions)
      async let connected = ClientSession.connect(testClient, to: testApp(directory), options: options)
      var sessions = server.sessions.makeAsyncIterator()
      let accepted = try #require(try await sessions.next())
      let client = try await connected
      var channels = accepted.channels(of: Exchange.self).makeAsyncIterator()
      var pairs: [(Channel<Exchange>, Channel<Exchange>)] = []
      // As many as never fill the link: of room, a reactor tells.
      for _ in 0..<(link == .queue ? 1 : 3) {
        async let opened = client.openChannel(Exchange.self)
        let taken = try #require(try await channels.next())
        pairs.append((try await opened, taken))
      }
      left.hold()
      right.hold()
      defer {
        left.letGo()
        right.letGo()
      }
      // Several threads at each end: one of them drains for the others, and hands its turn on.
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (asking, answering) in pairs {
          group.addTask { try await onThread { try Self.answer(answering, 300) } }
          group.addTask { try await onThread { try Self.ask(asking, 300) } }
        }
        try await group.waitForAll()
      }
    }
    // Both sessions end with their objects, once the reactors go on.
  }

  @Test("What threads have left is delivered to tasks", arguments: LinkTests.kinds)
  func leftOvers(link: LinkChoice) async throws {
    try await withEnds(SessionOptions().over(link)) { ends in
      let (asking, answering) = try await ends.channel()
      for round in 0..<200 {
        // A request and notifications, all at once: the thread stops at the request, the rest is for a task.
        for number in 0..<3 { try await asking.notify(try Self.message(asking, UInt64(number))) }
        async let answered: Void = onThread { try Self.answer(answering, 1) }
        let asked = try Self.message(asking, UInt64(round))
        async let answer = asking.request(asked, timeout: .seconds(60))
        for number in 3..<6 { try await asking.notify(try Self.message(asking, UInt64(number))) }
        var notes = answering.notifications.makeAsyncIterator()
        for number in 0..<UInt64(6) {
          let note = try #require(try await notes.next())
          try #require(try note.read { $0.number } == number)
        }
        try await answered
        #expect(try await answer.read { $0.number } == UInt64(round) + 1)
      }
    }
  }
}
