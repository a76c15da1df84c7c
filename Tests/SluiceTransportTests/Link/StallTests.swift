import SluiceSystem
import SluiceWaiting
import Testing

@testable import SluiceTransport

@Suite("The watch for stalls") struct StallWatchTests {
  @Test("asks once while somebody waits, again when it was answered, and rests when nobody does")
  func asking() {
    var watch = StallWatch()
    let asks = [watch.beginsToWait(), watch.beginsToWait()]
    #expect(asks == [true, false])
    let answers = [watch.answered(), watch.answered()]
    #expect(answers == [true, false])
    #expect(watch.look(isAnybodyWaiting: true) == .ask)
    let isAnswered = watch.answered()
    #expect(isAnswered)
    #expect(watch.look(isAnybodyWaiting: false) == .rest)
    // From the beginning.
    let again = watch.beginsToWait()
    #expect(again)
  }

  @Test("finds a stall where it was not answered, whether somebody still waits or not", arguments: [false, true])
  func stall(isWaiting: Bool) {
    var watch = StallWatch()
    let early = watch.answered()
    let asks = watch.beginsToWait()
    #expect(!early && asks)
    #expect(watch.look(isAnybodyWaiting: isWaiting) == .stalled)
  }
}

/// A link whose other end is a bare transport.
@Suite("A link, when somebody waits,", .timeLimit(.minutes(1))) struct LinkStallTests {
  static let kinds: [PairKind] = [.ring, .socket, .queue]

  private final class Owner: LinkOwner, LaneReceiver {
    let ended = OneShot<String>()
    func receiveStray(_ frame: RawSpan, on lane: UInt32) -> LaneDelivery { .done }
    func linkEnded(_ end: LinkEnd) { ended.fulfill("\(end)") }
    func receive(_ frame: RawSpan) -> LaneDelivery { .done }
    func closedByPeer() {}
  }

  /// A link with one lane of one credit, which is spent.
  private func withLink(
    _ kind: PairKind, _ policy: StallPolicy, _ body: (Sender, any Transport, Owner) async throws -> Void
  ) async throws {
    let reactor = try Reactor(name: "link")
    defer { reactor.shutdown() }
    let (ours, theirs) = try kind.pair()
    let (link, owner) = (Link(over: ours, reactor: reactor, window: 1, stallPolicy: policy), Owner())
    let lane = link.makeLane(2)
    link.open(lane, receiver: owner)
    try link.start(owner: owner)
    let sender = Sender(link: link, lane: lane)
    let first = try sender.trySend()
    guard case .sent = first else { return _ = Issue.record("\(first)") }
    try await body(sender, theirs, owner)
    link.end()
  }

  private struct Sender {
    let link: Link
    let lane: Lane

    func trySend() throws -> Link.SendOutcome {
      var bytes = [UInt8](repeating: 0, count: 16)
      var span = bytes.mutableSpan
      var frame = span.mutableBytes
      return try link.trySend(&frame, on: lane, charged: true)
    }
  }

  /// The header of the next frame.
  private static func header(_ transport: any Transport) async throws -> LaneHeader? {
    guard let frame = try await transport.receive(deadline: patience()) else { return nil }
    return LaneHeader(frame.bytes.span.bytes)
  }

  @Test("asks behind what was sent, once, and goes on when the other end answers", arguments: kinds)
  func probe(kind: PairKind) async throws {
    try await withLink(kind, .disconnect(after: .seconds(100))) { sender, peer, owner in
      for _ in 0..<3 {
        guard case .blocked = try sender.trySend() else { return _ = Issue.record("credit without end") }
      }
      #expect(try await Self.header(peer) == LaneHeader(lane: 2, kind: .charged))
      #expect(try await Self.header(peer) == LaneHeader(lane: 0, kind: .probe))
      try peer.send([0, 0, 0, 0, 6, 0, 0, 0])
      // One who asks itself is answered, so what was sent before has been met, and nothing was said of a second probe.
      try peer.send([0, 0, 0, 0, 5, 0, 0, 0])
      #expect(try await Self.header(peer) == LaneHeader(lane: 0, kind: .answer))
      #expect(!owner.ended.isFulfilled)
    }
  }

  @Test("ends when the other end does not answer", arguments: kinds)
  func stalled(kind: PairKind) async throws {
    try await withLink(kind, .disconnect(after: .milliseconds(5))) { sender, _, owner in
      guard case .blocked = try sender.trySend() else { return _ = Issue.record("credit without end") }
      #expect(await owner.ended.wait(onCancel: "").contains("no room"))
    }
  }

  @Test("takes no answer that it has not asked for, and no probe on a lane", arguments: kinds, [6, 5] as [UInt8])
  func forged(kind: PairKind, header: UInt8) async throws {
    try await withLink(kind, .suspend) { _, peer, owner in
      try peer.send([header == 5 ? 2 : 0, 0, 0, 0, header, 0, 0, 0])
      #expect(await owner.ended.wait(onCancel: "").contains("violation"))
    }
  }

  @Test("answers a flood of probes with as many answers as find room, and keeps one", arguments: kinds)
  func flood(kind: PairKind) async throws {
    try await withLink(kind, .suspend) { sender, peer, owner in
      // More than both directions hold, while nobody takes the answers.
      let probe: [UInt8] = [0, 0, 0, 0, 5, 0, 0, 0]
      for _ in 0..<3000 { try await peer.send(probe.span.bytes, deadline: patience()) }
      #expect(sender.link.state.withLock { $0.unsentNotices.count } <= 1)
      #expect(!owner.ended.isFulfilled)
    }
  }
}
