import SluiceSystem
import SluiceWaiting
import SystemPackage
import TestSchema
import Testing

@testable import SluiceChannel
@testable import SluiceSession
@testable import SluiceTransport

/// Messages with handles, more of them under way than may wait for their envelopes.
///
/// Their senders are on the main actor: they have come as far as they come when the next thing there begins.
@Suite(.timeLimit(.minutes(1))) struct HandleFlowTests {
  private static let most = Envelope.handleCountLimit

  private static func handles(_ count: Int) throws -> [Handle] {
    Array(repeating: try Handle.open("/dev/null", .readOnly), count: count)
  }

  @MainActor private static func notify(
    _ channel: Channel<Exchange>, _ number: UInt64, handleCount: Int, timeout: Duration? = nil
  ) async throws {
    var note = try channel.makeMessage()
    note.root.number = number
    try await channel.notify(note, handles: try handles(handleCount), timeout: timeout)
  }

  /// Takes the next notification: its number, and how many handles came with it.
  private static func take(_ channel: Channel<Exchange>) async throws -> (number: UInt64, handleCount: Int) {
    var notes = channel.notifications.makeAsyncIterator()
    let note = try #require(try await notes.next())
    return (try note.read { $0.number }, note.takeHandles().count)
  }

  /// Waits until all that was started on the main actor waits for something else.
  @MainActor private static func settle() async { await Task { @MainActor in }.value }

  // MARK: Honest ends

  @Test(arguments: LinkTests.kinds) func `senders without credit keep their handles to themselves`(
    link: LinkChoice
  ) async throws {
    var options = SessionOptions().over(link)
    options.laneWindow = 1
    try await withEnds(options) { ends in
      let pair = try await ends.channel()
      let other = try await ends.channel()
      let senders = (0..<8 as Range<UInt64>).map { number in
        Task { @MainActor in try await Self.notify(pair.client, number, handleCount: Self.most) }
      }
      await Self.settle()
      // Nor do they stand in the way of others.
      try await Self.notify(other.client, 99, handleCount: Self.most)
      #expect(try await Self.take(other.server) == (99, Self.most))
      var numbers: Set<UInt64> = []
      for _ in senders {
        let taken = try await Self.take(pair.server)
        #expect(taken.handleCount == Self.most)
        numbers.insert(taken.number)
      }
      for sender in senders { try await sender.value }
      #expect(numbers == Set(0..<8))
    }
  }

  @Test(arguments: LinkTests.kinds, [ChannelLink.shared, .own()])
  func `a burst of messages with handles arrives whole, and in order`(link: LinkChoice, own: ChannelLink) async throws {
    try await withDrivenClient(over: link, own: own) { ends in
      let sending = Task { @MainActor in
        for number in 0..<64 as Range<UInt64> {
          try await Self.notify(ends.pair.server, number, handleCount: 20)
        }
      }
      await Self.settle()
      for number in 0..<64 as Range<UInt64> {
        let taken = try await ends.whileDriven { try await Self.take(ends.pair.client) }
        #expect(taken == (number, 20))
      }
      try await ends.whileDriven { try await sending.value }
    }
  }

  @Test(arguments: LinkTests.kinds) func `both ends flood each other with handles`(link: LinkChoice) async throws {
    try await withEnds(SessionOptions().over(link)) { ends in
      let pair = try await ends.channel()
      func flood(_ channel: Channel<Exchange>) -> Task<Void, any Error> {
        Task {
          for number in 0..<40 as Range<UInt64> {
            try await Self.notify(channel, number, handleCount: number % 8 == 0 ? Self.most : 30)
          }
        }
      }
      func drink(_ channel: Channel<Exchange>) -> Task<Void, any Error> {
        Task {
          for number in 0..<40 as Range<UInt64> {
            let taken = try await Self.take(channel)
            #expect(taken == (number, number % 8 == 0 ? Self.most : 30))
          }
        }
      }
      let tasks = [flood(pair.client), flood(pair.server), drink(pair.client), drink(pair.server)]
      for task in tasks { try await task.value }
    }
  }

  @Test(arguments: LinkTests.kinds) func `a thread that sends handles waits for their turn`(
    link: LinkChoice
  ) async throws {
    try await withEnds(SessionOptions().over(link)) { ends in
      let pair = try await ends.channel()
      async let sending: Void = onThreadReturning {
        for number in 0..<64 as Range<UInt64> {
          var note = try pair.client.makeMessage()
          note.root.number = number
          try pair.client.notifySync(note, handles: try Self.handles(40))
        }
      }
      for number in 0..<64 as Range<UInt64> { #expect(try await Self.take(pair.server) == (number, 40)) }
      try await sending
    }
  }

  // MARK: Giving up

  @Test(arguments: [false, true]) func `who waits to send handles may give up, and is told of the end`(
    isSession: Bool
  ) async throws {
    try await withDrivenClient(over: .ring) { ends in
      for number in 0..<2 as Range<UInt64> { try await Self.notify(ends.pair.server, number, handleCount: Self.most) }
      await Self.expect({ if case .timedOut = $0 { true } else { false } }) {
        try await Self.notify(ends.pair.server, 2, handleCount: 1, timeout: .milliseconds(1))
      }
      let cancelled = Task { @MainActor in try await Self.notify(ends.pair.server, 3, handleCount: 1) }
      await Self.settle()
      cancelled.cancel()
      await Self.expect({ if case .cancelled = $0 { true } else { false } }) { try await cancelled.value }
      // Who has no handles does not wait.
      try await Self.notify(ends.pair.server, 4, handleCount: 0)
      let waiting = Task { @MainActor in try await Self.notify(ends.pair.server, 5, handleCount: 1) }
      await Self.settle()
      if isSession { ends.server.close() } else { ends.pair.server.close() }
      await #expect(throws: ChannelError.self) { try await waiting.value }
    }
  }

  @Test func `handles that would have to wait fail where sends do`() async throws {
    try await withDrivenClient(over: .socket, policy: .fail) { ends in
      for number in 0..<2 as Range<UInt64> { try await Self.notify(ends.pair.server, number, handleCount: Self.most) }
      await Self.expect({ if case .transport(.noRoom) = $0 { true } else { false } }) {
        try await Self.notify(ends.pair.server, 2, handleCount: 1)
      }
      try await ends.whileDriven { try await Self.expectSettled(ends) }
      try await Self.notify(ends.pair.server, 3, handleCount: Self.most)
      for number in [0, 1, 3] as [UInt64] {
        let taken = try await ends.whileDriven { try await Self.take(ends.pair.client) }
        #expect(taken == (number, Self.most))
      }
    }
  }

  @Test func `handles whose messages find no room are taken back, and others may go`() async throws {
    try await withDrivenClient(over: .ring) { ends in
      var count: UInt64 = 0
      await Self.expect({ if case .timedOut = $0 { true } else { false } }) {
        while true {
          try await Self.notify(ends.pair.server, count, handleCount: 0, timeout: .milliseconds(1))
          count += 1
        }
      }
      for _ in 0..<3 {
        await Self.expect({ if case .timedOut = $0 { true } else { false } }) {
          try await Self.notify(ends.pair.server, 0, handleCount: Self.most, timeout: .milliseconds(1))
        }
      }
      #expect(ends.waitingHandleCount == 2 * Self.most)
      try await ends.whileDriven { try await Self.expectSettled(ends) }
      for number in 0..<count {
        let taken = try await ends.whileDriven { try await Self.take(ends.pair.client) }
        #expect(taken == (number, 0))
      }
      let last = count
      try await ends.whileDriven { try await Self.notify(ends.pair.server, last, handleCount: Self.most) }
      let taken = try await ends.whileDriven { try await Self.take(ends.pair.client) }
      #expect(taken == (last, Self.most))
    }
  }

  @Test(arguments: LinkTests.kinds) func `handles for a link that has ended are closed, and others may go`(
    link: LinkChoice
  ) async throws {
    try await withDrivenClient(over: link, own: .own()) { ends in
      for number in 0..<2 as Range<UInt64> { try await Self.notify(ends.pair.server, number, handleCount: Self.most) }
      #expect(ends.waitingHandleCount == 2 * Self.most)
      // Before it has seen any of it.
      ends.pair.client.close()
      try await ends.whileDriven { try await Self.expectSettled(ends) }
    }
  }

  private static func expect(
    _ isExpected: (ChannelError) -> Bool, _ body: () async throws -> Void
  ) async {
    do {
      try await body()
      Issue.record("nothing was thrown")
    } catch let error as ChannelError {
      #expect(isExpected(error), "\(error)")
    } catch {
      Issue.record("\(error)")
    }
  }

  /// Waits until the server knows of no more handles that wait than it is told late of; then none do.
  private static func expectSettled(_ ends: DrivenClient) async throws {
    while ends.waitingHandleCount >= HandleCredits.batch { await Task.yield() }
    #expect(ends.client.core.parts.carrier.unclaimedHandles.withLock { $0.count } == 0)
  }
}

extension DrivenClient {
  /// How many handles the server has sent that wait, as far as it knows.
  fileprivate var waitingHandleCount: Int {
    server.core.parts.carrier.handleSending.withLock { $0.credits.waiting }
  }
}
