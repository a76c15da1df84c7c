import Foundation
import Sluice
import Synchronization
import SystemPackage
import TestSchema
import Testing

/// Blocking and suspended waiters at both ends of one session: whoever drains its link delivers to all of them.
@Suite(.timeLimit(.minutes(10))) struct MixedWaitersTests {
  /// How many requests each waiter makes: as asked by the environment, for long runs.
  private static let count =
    ProcessInfo.processInfo.environment["SLUICE_MIXED_EXCHANGES"].flatMap { Int($0) } ?? 2000

  /// Lets some time pass, most often none, so that the other side is met awake, falling asleep and asleep.
  private static func dawdle(_ random: inout SystemRandomNumberGenerator) {
    switch Int.random(in: 0..<64, using: &random) {
    case 0: sched_yield()
    case 1: usleep(1)
    case 2...8: for _ in 0..<Int.random(in: 0..<2000, using: &random) { _ = random.next() }
    default: break
    }
  }

  private static func ask(_ channel: Channel<Exchange>, _ number: UInt64) throws -> MessageBuilder<Exchange> {
    var message = try channel.makeMessage()
    message.root.number = number
    return message
  }

  private static func askAll(_ channel: Channel<Exchange>) throws {
    var random = SystemRandomNumberGenerator()
    for number in 0..<UInt64(count) {
      let answer = try channel.requestSync(try ask(channel, number), timeout: .seconds(60))
      try #require(try answer.read { $0.number } == number + 1)
      dawdle(&random)
    }
  }

  private static func askAll(_ channel: Channel<Exchange>) async throws {
    for number in 0..<UInt64(count) {
      let message = try ask(channel, number)
      let answer = try await channel.request(message, timeout: .seconds(60))
      try #require(try answer.read { $0.number } == number + 1)
      if number % 16 == 0 { await Task.yield() }
    }
  }

  private static func answer(_ request: Request<Exchange>, on channel: Channel<Exchange>) throws
    -> MessageBuilder<Exchange>
  {
    try ask(channel, try request.message.read { $0.number } + 1)
  }

  @Test("no wake-up is lost among them", arguments: LinkTests.kinds, [RingSpinning.off, .default])
  func mixed(link: LinkChoice, spinning: RingSpinning) async throws {
    try await withRuntimeDirectory { directory in
      var options = SessionOptions().over(link)
      options.spinning = spinning
      let app = ServerApp(
        directory.lastComponent?.string ?? "", allowing: ["test-client"], runtimeDirectory: directory)
      let server = try SessionServer(app, options: options)
      async let connected = ClientSession.connect(ClientApp("test-client"), to: app, options: options)
      var sessions = server.sessions.makeAsyncIterator()
      let accepted = try #require(try await sessions.next())
      let client = try await connected
      var channels = accepted.channels(of: Exchange.self).makeAsyncIterator()
      var pairs: [(Channel<Exchange>, Channel<Exchange>)] = []
      for _ in 0..<4 {
        async let opened = client.openChannel(Exchange.self)
        let taken = try #require(try await channels.next())
        pairs.append((try await opened, taken))
      }
      try await withThrowingTaskGroup(of: Void.self) { group in
        for (index, (asking, answering)) in pairs.enumerated() {
          group.addTask {
            if index < 2 {
              try await onThread {
                while let request = try answering.nextRequestSync() {
                  try request.replySync(try Self.answer(request, on: answering))
                }
              }
            } else {
              for try await request in answering.requests {
                let answer = try Self.answer(request, on: answering)
                try await request.reply(answer)
              }
            }
          }
          group.addTask {
            // Each kind asks each kind.
            if index % 2 == 0 {
              try await onThread { try Self.askAll(asking) }
            } else {
              try await Self.askAll(asking)
            }
            asking.close()
          }
        }
        try await group.waitForAll()
      }
      client.close()
      accepted.close()
      server.shutdown()
    }
  }
}
