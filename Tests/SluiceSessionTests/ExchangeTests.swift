import Foundation
import Sluice
import SluiceWaiting
import SystemPackage
import TestSchema
import Testing

@testable import SluiceChannel

/// Cancellation, half-closing, sorting by kind, and small messages. Both ends in this process.
@Suite(.timeLimit(.minutes(2))) struct ExchangeTests {
  typealias Pair = (client: Channel<Exchange>, server: Channel<Exchange>)

  func request(_ channel: Channel<Exchange>, _ text: String = "") throws -> MessageBuilder<Exchange> {
    var message = try channel.makeMessage()
    message.root.text = text
    return message
  }

  func notify(_ channel: Channel<Exchange>, _ number: UInt64, _ text: String = "") async throws {
    var message = try channel.makeMessage()
    message.root.number = number
    message.root.text = text
    try await channel.notify(message, timeout: .seconds(30))
  }

  func send(_ request: Request<Exchange>, _ number: UInt64, on channel: Channel<Exchange>) async throws {
    var message = try channel.makeMessage()
    message.root.number = number
    try await request.send(message)
  }

  func number(_ message: Message<Exchange>?) throws -> UInt64? { try message?.read { $0.number } }

  func openStream(
    _ pair: Pair, timeout: Duration? = nil
  ) async throws -> (ResponseStream<Exchange>, Request<Exchange>) {
    let question = try request(pair.client)
    let stream = try await pair.client.requestStream(question, timeout: timeout)
    var requests = pair.server.requests.makeAsyncIterator()
    return (stream, try #require(try await requests.next()))
  }

  // MARK: Cancellation

  @Test(arguments: ["cancelled", "deadline", "released", "blocking"], LinkTests.kinds)
  func `a withdrawn request stops its handler`(how: String, link: LinkChoice) async throws {
    try await withEnds(SessionOptions().over(link)) { ends in
      let pair = try await ends.channel()
      let isTaken = AsyncStream.makeStream(of: Void.self)
      let wasTaken = OneShot<Void>()
      // A deadline that passes before anybody has taken the request says nothing: again, with a later one.
      func patiently(_ ask: (Duration) async throws -> Void) async throws {
        var timeout = Duration.milliseconds(100)
        while true {
          do {
            try await ask(timeout)
          } catch {
            if wasTaken.isFulfilled { throw error }
            timeout *= 8
          }
        }
      }
      let asking = Task { () -> Void in
        let question = try request(pair.client)
        switch how {
        case "cancelled": _ = try await pair.client.request(question)
        case "deadline":
          try await patiently { timeout in
            _ = try await pair.client.request(request(pair.client), timeout: timeout)
          }
        case "released":
          let stream = try await pair.client.requestStream(question)
          for await _ in isTaken.stream {}
          withExtendedLifetime(stream) {}
        default:
          try await patiently { timeout in
            try await onThread { _ = try pair.client.requestSync(request(pair.client), timeout: timeout) }
          }
        }
      }
      var requests = pair.server.requests.makeAsyncIterator()
      let incoming = try #require(try await requests.next())
      wasTaken.fulfill(())
      isTaken.continuation.finish()
      if how == "cancelled" { asking.cancel() }
      await #expect(throws: CancellationError.self) {
        try await incoming.cancellable { try await Task.sleep(for: .seconds(3600)) }
      }
      #expect(incoming.isCancelled)
      await #expect { try await reply(to: incoming, on: pair.server) } throws: { error in
        if case ChannelError.withdrawn = error { true } else { false }
      }
      _ = try? await asking.value
      #expect((incoming.deadline != nil) == (how == "deadline" || how == "blocking"))
      #expect(pair.server.statistics.requestsUnanswered == 0 && pair.client.statistics.requestsPending == 0)
      #expect(pair.client.statistics.lateResponses == 0)
    }
  }

  private func reply(to incoming: Request<Exchange>, on channel: Channel<Exchange>) async throws {
    let message = try channel.makeMessage()
    try await incoming.reply(message)
  }

  @Test(arguments: LinkTests.kinds) func `a consumer that cancels its stream stops its sender, which waits for credit`(
    link: LinkChoice
  ) async throws {
    var options = SessionOptions()
    options.laneWindow = 1
    try await withEnds(options.over(link)) { ends in
      let pair = try await ends.channel()
      let (stream, incoming) = try await openStream(pair)
      let sending = Task {
        while true { try await send(incoming, 1, on: pair.server) }
      }
      #expect(try number(try await stream.next()) == 1)
      stream.cancel()
      await #expect { try await sending.value } throws: { error in
        if case ChannelError.withdrawn = error { true } else { false }
      }
      await #expect(throws: ChannelError.self) { try await stream.next() }
      #expect(ends.accepted.statistics.leasesOut == 0)
    }
  }

  @Test(arguments: LinkTests.kinds) func `a request that is withdrawn before anybody takes it is never seen`(
    link: LinkChoice
  ) async throws {
    try await withEnds(SessionOptions().over(link)) { ends in
      let pair = try await ends.channel()
      let asking = Task {
        let question = try request(pair.client, "withdrawn")
        return try await pair.client.request(question)
      }
      while pair.server.statistics.requestsQueued == 0 { await Task.yield() }
      asking.cancel()
      _ = try? await asking.value
      // Behind the withdrawal on its lane, so that this has arrived when that has.
      try await pair.client.notify(try request(pair.client, "behind"))
      var notes = pair.server.notifications.makeAsyncIterator()
      _ = try #require(try await notes.next())
      let second = Task {
        let question = try request(pair.client, "seen")
        return try await pair.client.request(question)
      }
      var requests = pair.server.requests.makeAsyncIterator()
      let incoming = try #require(try await requests.next())
      #expect(try incoming.message.read { try $0.text } == "seen")
      try await reply(to: incoming, on: pair.server)
      _ = try await second.value
    }
  }

  @Test(arguments: LinkTests.kinds) func `a late answer is dropped, counted, and reported to who sent it`(
    link: LinkChoice
  ) async throws {
    try await withEnds(SessionOptions().over(link)) { ends in
      let pair = try await ends.channel()
      // An answer that was never asked for, as one that crosses a cancellation.
      for kind in [Envelope.Kind.response, .failure] {
        var envelope = Envelope(kind: kind, correlation: 77)
        if kind == .failure {
          envelope.failure = .init(code: 1, text: "")
        } else {
          envelope.inlineByteCount = 16
        }
        try pair.server.sendForged(envelope)
      }
      try await notify(pair.server, 1)
      var notes = pair.client.notifications.makeAsyncIterator()
      _ = try await notes.next()
      #expect(pair.client.statistics.lateResponses == 2)
      #expect(pair.client.statistics.traffic.messagesDropped == 2)
      try await notify(pair.client, 1)
      var others = pair.server.notifications.makeAsyncIterator()
      _ = try await others.next()
      #expect(pair.server.statistics.unwantedAnswers == 2)
    }
  }

  // MARK: Half-closing

  @Test(arguments: LinkTests.kinds) func `an end that has finished sending still answers and is answered`(
    link: LinkChoice
  ) async throws {
    try await withEnds(SessionOptions().over(link)) { ends in
      let pair = try await ends.channel()
      let asking = Task {
        let question = try request(pair.client)
        return try await pair.client.request(question)
      }
      var requests = pair.server.requests.makeAsyncIterator()
      let incoming = try #require(try await requests.next())
      try await notify(pair.client, 1)
      pair.client.finishSending()
      pair.client.finishSending()
      await #expect { try await notify(pair.client, 2) } throws: { error in
        if case ChannelError.closed = error { true } else { false }
      }
      // What was sent before arrives before the end.
      var count = 0
      for try await note in pair.server.notifications {
        #expect(try number(note) == 1)
        count += 1
      }
      #expect(count == 1)
      #expect(try await requests.next() == nil)
      // The other direction, and answers in both, go on.
      try await reply(to: incoming, on: pair.server)
      _ = try await asking.value
      let back = Task {
        let question = try request(pair.server)
        return try await pair.server.request(question)
      }
      var others = pair.client.requests.makeAsyncIterator()
      try await reply(to: try #require(try await others.next()), on: pair.client)
      _ = try await back.value
      pair.server.finishSending()
      #expect(try await others.next() == nil)
    }
  }

  // MARK: Sorting

  @Test(arguments: LinkTests.kinds) func `messages are sorted by their kind, and wait for whoever asks for it`(
    link: LinkChoice
  ) async throws {
    try await withEnds(SessionOptions().over(link)) { ends in
      let pair = try await ends.channel()
      for (number, text) in [(1, "red"), (2, "blue"), (3, "red"), (4, "")] as [(UInt64, String)] {
        try await notify(pair.client, number, text)
      }
      while pair.server.statistics.notificationsQueued < 4 { await Task.yield() }
      // What has arrived before is sorted, too.
      let dispatcher = pair.server.dispatch { root in
        let text = try root.text
        return text.isEmpty ? nil : text
      }
      try await notify(pair.client, 5, "blue")
      let asking = Task {
        let question = try request(pair.client, "red")
        return try await pair.client.request(question)
      }
      var blue = dispatcher.notifications("blue").makeAsyncIterator()
      #expect(try number(try await blue.next()) == 2)
      #expect(try number(try await blue.next()) == 5)
      let red = try await onThreadReturning {
        try [
          dispatcher.nextNotificationSync("red", timeout: .seconds(30)),
          dispatcher.nextNotificationSync("red", timeout: .seconds(30)),
        ].map { try $0?.read { $0.number } }
      }
      #expect(red == [1, 3])
      var unsorted = pair.server.notifications.makeAsyncIterator()
      #expect(try number(try await unsorted.next()) == 4)
      var requests = dispatcher.requests("red").makeAsyncIterator()
      let incoming = try #require(try await requests.next())
      try await reply(to: incoming, on: pair.server)
      _ = try await asking.value
      pair.client.close()
      #expect(try await blue.next() == nil)
      #expect(try await requests.next() == nil)
      #expect(try await onThreadReturning { try dispatcher.nextRequestSync("never seen") == nil })
    }
  }

  @Test(arguments: LinkTests.kinds) func `kinds that nobody asks for are bounded by the window`(link: LinkChoice)
    async throws
  {
    var options = SessionOptions()
    options.laneWindow = 4
    try await withEnds(options.over(link)) { ends in
      let pair = try await ends.channel()
      let dispatcher = pair.server.dispatch { try $0.text }
      for number in 0..<4 as Range<UInt64> { try await notify(pair.client, number, "kind \(number)") }
      let stuck = try request(pair.client)
      await #expect { try await pair.client.notifyExpecting(stuck) } throws: { error in
        if case ChannelError.timedOut = error { true } else { false }
      }
      var queue = dispatcher.notifications("kind 2").makeAsyncIterator()
      #expect(try number(try await queue.next()) == 2)
      var other = dispatcher.notifications("kind 0").makeAsyncIterator()
      #expect(try number(try await other.next()) == 0)
      try await notify(pair.client, 9, "kind 9")
    }
  }

  // MARK: Small messages

  @Test(arguments: LinkTests.kinds)
  func `small messages go in their frames, larger ones in shared memory, and both are counted`(link: LinkChoice)
    async throws
  {
    try await withEnds(SessionOptions().over(link)) { ends in
      let pair = try await ends.channel()
      var notes = pair.server.notifications.makeAsyncIterator()
      try await notify(pair.client, 7, "small")
      let small = try #require(try await notes.next())
      #expect(small.placement.isEmpty)
      #expect(try small.read { try $0.text } == "small")
      #expect(ends.client.statistics.leasesOut == 0)
      try await notify(pair.client, 8, String(repeating: "x", count: 600))
      let large = try #require(try await notes.next())
      #expect(large.placement.count == 1)
      #expect(ends.client.statistics.leasesOut == 1)

      var heap = try pair.client.makePrivateMessage()
      heap.root.text = String(repeating: "h", count: 20_000)
      try await pair.client.notify(heap)
      let private_ = try #require(try await notes.next())
      #expect(private_.placement.isEmpty)
      #expect(try private_.read { try $0.text.utf8.count } == 20_000)

      let sent = pair.client.statistics.traffic
      #expect(sent.messagesSent == 3 && sent.bytesSent > 20_600 && sent.bytesSent < 21_500)
      let received = pair.server.statistics.traffic
      #expect(received.messagesReceived == 3 && received.bytesReceived == sent.bytesSent)
      #expect(ends.client.statistics.traffic == sent)
      pair.client.close()
      #expect(ends.client.statistics.traffic == sent)  // also when the channel is closed
      #expect(ends.client.statistics.channelsOpen == 0)
    }
  }
}

extension Channel where Root == Exchange {
  fileprivate func notifyExpecting(_ message: borrowing MessageBuilder<Exchange>) async throws {
    try await notify(message, timeout: .milliseconds(20))
  }
}

extension Channel {
  /// Sends an envelope as it is.
  fileprivate func sendForged(_ envelope: Envelope) throws {
    var bytes = [UInt8](repeating: 0, count: envelope.frameByteCount)
    var span = bytes.mutableSpan
    var frame = span.mutableBytes
    envelope.encode(into: &frame)
    _ = try core.carrier.link.trySend(&frame, on: core.lane, charged: envelope.kind.isCharged)
  }
}
