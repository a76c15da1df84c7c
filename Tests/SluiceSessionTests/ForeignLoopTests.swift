import Foundation
import Sluice
import Synchronization
import SystemPackage
import TestSchema
import Testing

/// A session whose client lives in a loop of its program's own.
@Suite(.timeLimit(.minutes(2))) struct ForeignLoopTests {
  /// What the loop and those outside of it know.
  private final class Loop: Sendable {
    let reactor: Reactor
    private let isDone = Atomic<Bool>(false)

    init() throws { reactor = try Reactor.driven() }

    func end() {
      isDone.store(true, ordering: .sequentiallyConsistent)
      // So that the loop looks.
      reactor.perform {}
    }

    /// What such a loop does: polls one descriptor, among its others, and processes.
    func run() throws {
      while !isDone.load(ordering: .sequentiallyConsistent) {
        let events = try Poll.wait(for: reactor.descriptor, .readable, deadline: .now.advanced(by: .seconds(30)))
        try #require(!events.isEmpty, "nothing made the descriptor readable")
        reactor.process()
      }
      reactor.shutdown()
    }
  }

  private func run(_ loop: Loop, _ body: @escaping @Sendable () async throws -> Void) async throws {
    let work = Task(executorPreference: loop.reactor) {
      defer { loop.end() }
      try await body()
    }
    do {
      try await withCheckedThrowingContinuation { (ended: CheckedContinuation<Void, any Error>) in
        Thread.detachNewThread { ended.resume(with: Result { try loop.run() }) }
      }
    } catch {
      loop.reactor.shutdown()
      throw error
    }
    try await work.value
  }

  @Test("is served by polling one descriptor and processing", arguments: LinkTests.kinds)
  func exchange(link: LinkChoice) async throws {
    try await withRuntimeDirectory { directory in
      let app = ServerApp(
        directory.lastComponent?.string ?? "", allowing: ["test-client"], runtimeDirectory: directory)
      let server = try SessionServer(app)
      let serving = Task {
        for try await session in server.sessions {
          for try await channel in session.channels(of: Exchange.self) {
            for try await request in channel.requests {
              var answer = try channel.makeMessage()
              answer.root.number = try request.message.read { $0.number } + 1
              try await request.reply(answer)
            }
          }
        }
      }
      let loop = try Loop()
      try await run(loop) {
        var options = SessionOptions()
        options.reactor = loop.reactor
        options.link = link
        let session = try await ClientSession.connect(ClientApp("test-client"), to: app, options: options)
        let channel = try await session.openChannel(Exchange.self)
        for number in 0..<UInt64(500) {
          #expect(loop.reactor.isCurrentThread)
          var message = try channel.makeMessage()
          message.root.number = number
          let answer = try await channel.request(message, timeout: .seconds(30))
          #expect(try answer.read { $0.number } == number + 1)
        }
        // A deadline passes in the loop, too: nobody takes this notification's channel at the other end.
        await #expect(throws: (any Error).self) {
          _ = try await session.openChannel(Exchange.self, timeout: .milliseconds(20))
        }
        session.close()
      }
      serving.cancel()
      server.shutdown()
    }
  }

  @Test("runs deadlines, and work from other threads, when it is processed and not before")
  func work() throws {
    let reactor = try Reactor.driven()
    let order = Mutex<[String]>([])
    reactor.process()
    #expect(try !Poll.isReady(reactor.descriptor, .readable))
    reactor.schedule(at: .now) { order.withLock { $0.append("due") } }
    #expect(try Poll.isReady(reactor.descriptor, .readable))
    reactor.process()
    #expect(order.withLock { $0 } == ["due"])
    reactor.schedule(at: .now.advanced(by: .milliseconds(5))) { order.withLock { $0.append("later") } }
    reactor.process()
    while order.withLock({ $0.count }) < 2 {
      try #require(!Poll.wait(for: reactor.descriptor, .readable, deadline: .now.advanced(by: .seconds(30))).isEmpty)
      reactor.process()
    }
    reactor.perform { order.withLock { $0.append("work") } }
    #expect(order.withLock { $0.count } == 2)
    #expect(try Poll.isReady(reactor.descriptor, .readable))
    reactor.shutdown()
    #expect(order.withLock { $0 } == ["due", "later", "work"])
  }
}
