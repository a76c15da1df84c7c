import Foundation
import Sluice
import SluiceWaiting
import TestSchema
import Testing

@testable import SluiceChannel

/// Requests that are answered by a stream of responses.
extension ExchangeTests {
  @Test(arguments: LinkTests.kinds) func `a stream of responses arrives in order and ends`(
    link: LinkChoice
  ) async throws {
    var options = SessionOptions()
    options.link = link
    options.laneWindow = 4
    try await withEnds(options.over(link)) { ends in
      let pair = try await ends.channel()
      let (stream, incoming) = try await openStream(pair)
      let sending = Task {
        for number in 0..<50 as Range<UInt64> { try await send(incoming, number, on: pair.server) }
        try incoming.finish()
      }
      var count: UInt64 = 0
      for try await response in stream {
        #expect(try number(response) == count)
        count += 1
      }
      #expect(count == 50)
      try await sending.value
      #expect(pair.client.statistics.requestsPending == 0 && pair.server.statistics.requestsUnanswered == 0)
    }
  }

  @Test(arguments: LinkTests.kinds) func `blocking threads stream, too`(link: LinkChoice) async throws {
    var options = SessionOptions()
    options.laneWindow = 2
    try await withEnds(options.over(link)) { ends in
      let pair = try await ends.channel()
      async let served: Void = onThread {
        let incoming = try #require(try pair.server.nextRequestSync(timeout: .seconds(30)))
        for number in 0..<20 as Range<UInt64> {
          var message = try pair.server.makeMessage()
          message.root.number = number
          try incoming.sendSync(message)
        }
        var last = try pair.server.makeMessage()
        last.root.number = 20
        try incoming.replySync(last)
      }
      let numbers = try await onThreadReturning {
        let question = try pair.client.makeMessage()
        let stream = try pair.client.requestStreamSync(question, timeout: .seconds(30))
        var numbers: [UInt64] = []
        while let response = try stream.nextSync() { numbers.append(try response.root.number) }
        return numbers
      }
      try await served
      #expect(numbers == Array(0...20))
    }
  }

  @Test(arguments: LinkTests.kinds) func `the response that ends a stream needs no credit, and nothing is lost`(
    link: LinkChoice
  ) async throws {
    var options = SessionOptions()
    options.laneWindow = 2
    try await withEnds(options.over(link)) { ends in
      let pair = try await ends.channel()
      let question = try pair.client.makeMessage()
      let stream = try await pair.client.requestStream(question)
      var requests = pair.server.requests.makeAsyncIterator()
      let incoming = try #require(try await requests.next())
      // As many as may be under way, and the end, before the first one is taken.
      for number in 1...2 as ClosedRange<UInt64> {
        var message = try pair.server.makeMessage()
        message.root.number = number
        try await incoming.send(message)
      }
      var last = try pair.server.makeMessage()
      last.root.number = 3
      try await incoming.reply(last)
      while pair.client.statistics.traffic.messagesReceived < 3 { await Task.yield() }
      for number in 1...3 as ClosedRange<UInt64> {
        let response = try #require(try await stream.next())
        #expect(try response.read { $0.number } == number)
      }
      #expect(try await stream.next() == nil)
      _ = try await ends.channel()
    }
  }

  @Test(arguments: LinkTests.kinds) func `a stream that nobody reads holds its sender back, and other requests go on`(
    link: LinkChoice
  ) async throws {
    var options = SessionOptions()
    options.laneWindow = 4
    try await withEnds(options.over(link)) { ends in
      let pair = try await ends.channel()
      let (stream, incoming) = try await openStream(pair)
      let sent = AsyncStream.makeStream(of: UInt64.self)
      let sending = Task {
        for number in 0..<8 as Range<UInt64> {
          try await send(incoming, number, on: pair.server)
          sent.continuation.yield(number)
        }
        try incoming.finish()
      }
      var reports = sent.stream.makeAsyncIterator()
      for number in 0..<4 as Range<UInt64> { #expect(await reports.next() == number) }
      // The fifth waits. Meanwhile another request is answered.
      let asking = Task {
        let question = try request(pair.client)
        return try await pair.client.request(question)
      }
      var requests = pair.server.requests.makeAsyncIterator()
      let other = try #require(try await requests.next())
      let reply = try request(pair.server)
      try await other.reply(reply)
      _ = try await asking.value
      #expect(pair.server.statistics.traffic.messagesSent == 5)
      for number in 0..<8 as Range<UInt64> { #expect(try self.number(try await stream.next()) == number) }
      #expect(try await stream.next() == nil)
      try await sending.value
    }
  }

  @Test(arguments: LinkTests.kinds) func `a stream ends with a failure, with its code, text and details`(
    link: LinkChoice
  ) async throws {
    try await withEnds(SessionOptions().over(link)) { ends in
      let pair = try await ends.channel()
      let (stream, incoming) = try await openStream(pair)
      try await send(incoming, 1, on: pair.server)
      var details = try MessageBuilder(Remark.self)
      details.root.text = "page 7"
      #expect(throws: ChannelError.self) { try incoming.fail(code: ChannelFailureCode.firstReserved, text: "ours") }
      try incoming.fail(code: 9, text: "torn", details: try Metadata(details))
      #expect(try number(try await stream.next()) == 1)
      do {
        _ = try await stream.next()
        Issue.record("no failure")
      } catch ChannelError.failed(code: 9, text: "torn", let details) {
        let said = try details.message(as: Remark.self)
        #expect(try said.root.text == "page 7")
      }
      await #expect(throws: ChannelError.self) { try await send(incoming, 2, on: pair.server) }
    }
  }

  @Test(arguments: LinkTests.kinds)
  func `a stream where one response was asked for is an error, and its sender is told`(link: LinkChoice) async throws {
    try await withEnds(SessionOptions().over(link)) { ends in
      let pair = try await ends.channel()
      let asking = Task {
        let question = try request(pair.client)
        return try await pair.client.request(question)
      }
      var requests = pair.server.requests.makeAsyncIterator()
      let incoming = try #require(try await requests.next())
      try await send(incoming, 1, on: pair.server)
      await #expect { try await asking.value } throws: { error in
        if case ChannelError.streamedAnswer = error { true } else { false }
      }
      await #expect(throws: CancellationError.self) {
        try await incoming.cancellable { try await Task.sleep(for: .seconds(3600)) }
      }
    }
  }
}
