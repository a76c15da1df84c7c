import Foundation
import Sluice
import SluiceWaiting
import TestSchema
import Testing

@testable import SluiceChannel

/// Requests that end at bad moments: nothing of them is left, and nobody waits in vain.
@Suite(.timeLimit(.minutes(1))) struct RarePathTests {
  private typealias Pair = (client: Channel<Exchange>, server: Channel<Exchange>)

  /// Begins a request, which the server has taken.
  private func hangingRequest(_ pair: Pair) async throws -> (Task<Message<Exchange>, any Error>, Request<Exchange>) {
    let asking = Task {
      let question = try pair.client.makeMessage()
      return try await pair.client.request(question)
    }
    var requests = pair.server.requests.makeAsyncIterator()
    return (asking, try #require(try await requests.next()))
  }

  private func expectFailure(_ code: UInt32, _ asking: Task<Message<Exchange>, any Error>) async {
    await #expect {
      try await asking.value
    } throws: { error in
      if case ChannelError.failed(code: code, _, _) = error { true } else { false }
    }
  }

  // MARK: Sending on

  @Test(arguments: [false, true]) func `a message sent on as a request that is given up leaves nothing`(
    isBlocking: Bool
  ) async throws {
    try await withEnds { ends in
      let pair = try await ends.channel()
      let note = try pair.server.makeMessage()
      try await pair.server.notify(note)
      var notes = pair.client.notifications.makeAsyncIterator()
      let message = try #require(try await notes.next())
      let asking = Task {
        if isBlocking {
          try await onThreadReturning { try pair.client.requestSync(forwarding: message, timeout: .milliseconds(1)) }
        } else {
          try await pair.client.request(forwarding: message)
        }
      }
      var requests = pair.server.requests.makeAsyncIterator()
      var request: Request<Exchange>?
      if !isBlocking {
        request = try await requests.next()
        asking.cancel()
      }
      await #expect(throws: ChannelError.self) { try await asking.value }
      try #require(pair.client.statistics.requestsPending == 0)
      // The other end is told, so that it can stop.
      if let request {
        await #expect(throws: (any Error).self) {
          try await request.cancellable { try await Task.sleep(for: .seconds(3600)) }
        }
      }
    }
  }

  // MARK: Draining

  @Test func `a failure that is the last answer of a channel that drains arrives`() async throws {
    try await withEnds { ends in
      let pair = try await ends.channel()
      let (asking, request) = try await hangingRequest(pair)
      pair.server.core.drain()
      try request.fail(code: 7, text: "no")
      await expectFailure(7, asking)
    }
  }

  @Test func `a request released unanswered as the last of a channel that drains is answered`() async throws {
    try await withEnds { ends in
      let pair = try await ends.channel()
      let asking: Task<Message<Exchange>, any Error>
      do {
        let hanging = try await hangingRequest(pair)
        asking = hanging.0
        pair.server.core.drain()
      }
      await expectFailure(ChannelFailureCode.unanswered, asking)
    }
  }

  @Test func `a channel that drains closes with the end of a stream, although that is kept`() async throws {
    try await withEnds { ends in
      let pair = try await ends.channel()
      let question = try pair.client.makeMessage()
      let stream = try await pair.client.requestStream(question)
      var requests = pair.server.requests.makeAsyncIterator()
      let request = try #require(try await requests.next())
      pair.client.core.drain()
      let last = try pair.server.makeMessage()
      try await request.reply(last)
      #expect(try await stream.next() != nil)
      #expect(try await stream.next() == nil)
      #expect(pair.client.core.endedWith != nil)
      withExtendedLifetime(stream) {}
    }
  }

  // MARK: Answers that cannot go

  @Test(arguments: [false, true]) func `who asked is told when the answer could not be sent`(isBlocking: Bool)
    async throws
  {
    // Nobody looks at the client's end until it is asked to.
    try await withDrivenClient(over: .ring, policy: .fail) { ends in
      let pair = ends.pair
      let (asking, request) = try await hangingRequest(pair)
      await #expect(throws: ChannelError.self) {
        while true {
          let note = try pair.server.makeMessage()
          try await pair.server.notify(note)
        }
      }
      await #expect(throws: ChannelError.self) {
        let answer = try pair.server.makeMessage()
        if isBlocking { try request.replySync(answer) } else { try await request.reply(answer) }
      }
      _ = try await ends.whileDriven { await asking.result }
      await expectFailure(ChannelFailureCode.unanswered, asking)
    }
  }
}

/// Where what suspends goes on: where its caller runs.
@Suite(.timeLimit(.minutes(1))) struct CallerExecutorTests {
  /// Both ends of a channel, with all that they do on one executor.
  private actor Both {
    private let executor: ReactorSerialExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    init(_ reactor: Reactor) { executor = reactor.serialExecutor }

    func serve(_ channel: Channel<Exchange>) async throws {
      for try await request in channel.requests {
        preconditionIsolated()
        var reply = try channel.makeMessage()
        reply.root.number = try request.message.root.number + 1
        try await request.reply(reply)
      }
    }

    func ask(_ channel: Channel<Exchange>, _ count: UInt64) async throws -> UInt64 {
      var last: UInt64 = 0
      while last < count {
        var question = try channel.makeMessage()
        question.root.number = last
        let answer = try await channel.request(question)
        preconditionIsolated()
        last = try answer.root.number
      }
      return last
    }
  }

  @Test func `both ends of a channel on the actor of one reactor answer each other`() async throws {
    let reactor = try Reactor(name: "both")
    defer { reactor.shutdown() }
    var options = SessionOptions()
    options.reactor = reactor
    try await withEnds(options) { ends in
      let pair = try await ends.channel()
      let both = Both(reactor)
      let serving = Task { try await both.serve(pair.server) }
      #expect(try await both.ask(pair.client, 200) == 200)
      pair.client.close()
      try await serving.value
    }
  }

  @Test func `both ends of a channel on the main actor answer each other`() async throws {
    try await withEnds { ends in
      let pair = try await ends.channel()
      try await Self.exchange(pair.client, pair.server)
    }
  }

  @MainActor private static func exchange(
    _ client: Channel<Exchange>, _ server: Channel<Exchange>
  ) async throws {
    let serving = Task { @MainActor in
      for try await request in server.requests {
        MainActor.preconditionIsolated()
        var reply = try server.makeMessage()
        reply.root.number = try request.message.root.number + 1
        try await request.reply(reply)
      }
    }
    var last: UInt64 = 0
    while last < 200 {
      var question = try client.makeMessage()
      question.root.number = last
      let answer = try await client.request(question)
      MainActor.preconditionIsolated()
      last = try answer.root.number
    }
    client.close()
    try await serving.value
  }
}
