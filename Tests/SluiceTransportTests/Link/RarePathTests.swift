import Foundation
import SluiceSystem
import SluiceWaiting
import Synchronization
import Testing

@testable import SluiceTransport

/// What happens on a link at bad moments.
@Suite("A link at a bad moment", .timeLimit(.minutes(1))) struct RarePathTests {
  private static let lane: UInt32 = 2

  private static func frame(_ kind: LaneHeader.Kind) -> [UInt8] { [2, 0, 0, 0, kind.rawValue, 0, 0, 0] }

  /// A link over one end of a small ring, with one lane, and the transport at the other end.
  private struct Pair {
    let link: Link
    let lane: Lane
    let peer: RingTransport

    init(_ reactor: Reactor, window: UInt32 = 4, parkingPatience: Duration = .seconds(3600)) throws {
      let (ours, theirs) = try RingTransport.pair(capacity: 4096, maxBlobSize: 1000)
      link = Link(over: ours, reactor: reactor, window: window, parkingPatience: parkingPatience)
      lane = link.makeLane(RarePathTests.lane)
      peer = theirs
    }
  }

  private func withReactor(_ body: (Reactor) async throws -> Void) async throws {
    let reactor = try Reactor(name: "link")
    defer { reactor.shutdown() }
    try await body(reactor)
  }

  // MARK: Deadlines

  /// Has its peer send a frame for each that arrives.
  private final class Feeder: LaneReceiver {
    let count = Atomic<Int>(0)
    let isFeeding = Atomic<Bool>(true)
    private let peer: RingTransport

    init(_ peer: RingTransport) { self.peer = peer }

    func receive(_ frame: RawSpan) -> LaneDelivery {
      let isEnough = count.wrappingAdd(1, ordering: .relaxed).newValue > 100_000
      if !isEnough, isFeeding.load(ordering: .relaxed) {
        _ = try? peer.trySend(bytes: RarePathTests.frame(.free), handles: [])
      }
      return .done
    }

    func closedByPeer() {}
  }

  @Test("keeps no thread past its deadline that drains what others get, however much that is")
  func steadyTraffic() async throws {
    try await withReactor { reactor in
      let pair = try Pair(reactor)
      let feeder = Feeder(pair.peer)
      pair.link.open(pair.lane, receiver: feeder)
      for _ in 0..<32 { #expect(try pair.peer.trySend(bytes: Self.frame(.free), handles: []) == .sent) }
      #expect(!OneShot<Bool>().waitBlocking(deadline: .now, onTimeout: false, draining: pair.link))
      feeder.isFeeding.store(false, ordering: .relaxed)
      #expect((1..<10_000).contains(feeder.count.load(ordering: .relaxed)))
      pair.link.end()
    }
  }

  // MARK: The rest

  /// Holds whoever delivers until it is let go.
  private final class Gate: LaneReceiver {
    let entered = OneShot<Bool>()
    let opened = DispatchSemaphore(value: 0)
    private let answer: LaneDelivery

    init(_ answer: LaneDelivery) { self.answer = answer }

    func receive(_ frame: RawSpan) -> LaneDelivery {
      entered.fulfill(true)
      opened.wait()
      return answer
    }

    func closedByPeer() {}
  }

  /// A thread that drains, and is in the middle of a delivery, as two ask for the rest.
  private func askForRest(
    _ pair: Pair, _ gate: Gate, _ reactor: Reactor
  ) async throws -> (OneShot<Bool>, OneShot<Bool>) {
    pair.link.open(pair.lane, receiver: gate)
    #expect(try pair.peer.trySend(bytes: Self.frame(.free), handles: []) == .sent)
    let (first, second, asked) = (OneShot<Bool>(), OneShot<Bool>(), OneShot<Bool>())
    let link = pair.link
    Thread.detachNewThread { _ = second.waitBlocking(deadline: nil, onTimeout: false, draining: link) }
    #expect(await gate.entered.wait(onCancel: false))
    let done = OneShot<Bool>()
    reactor.perform {
      link.drainRest { first.fulfill(true) }
      link.drainRest {
        done.fulfill(true)
        second.fulfill(true)
      }
      asked.fulfill(true)
    }
    #expect(await asked.wait(onCancel: false))
    gate.opened.signal()
    return (first, done)
  }

  @Test("tells everybody who waits for its rest")
  func twoWaitForTheRest() async throws {
    try await withReactor { reactor in
      let pair = try Pair(reactor)
      let (first, second) = try await askForRest(pair, Gate(.done), reactor)
      #expect(await second.wait(onCancel: false))
      #expect(first.isFulfilled)
      pair.link.end()
    }
  }

  @Test("does not keep those who wait for its rest when a frame waits for the control socket")
  func pausedRest() async throws {
    try await withReactor { reactor in
      let pair = try Pair(reactor)
      let (first, second) = try await askForRest(pair, Gate(.needsControl), reactor)
      // Delivered anew once, it waits; with the frame, nobody is left to wait.
      while pair.link.draining.withLock({ $0.turn.holder != .paused }) { await Task.yield() }
      try #require(pair.link.draining.withLock { $0.afterRest == nil })
      #expect(await second.wait(onCancel: false))
      #expect(first.isFulfilled)
      pair.link.end()
    }
  }

  // MARK: Credits

  private enum Ending: Sendable {
    case arrived
    case violation(String)
    case other
  }

  /// Takes at once what arrives, and says when that was much, or the link has ended.
  private final class Taker: LaneReceiver, LinkOwner {
    let ending = OneShot<Ending>()
    private let pair: Pair
    private let limit: Int
    private let count = Atomic<Int>(0)

    init(_ pair: Pair, limit: Int) { (self.pair, self.limit) = (pair, limit) }

    func receive(_ frame: RawSpan) -> LaneDelivery {
      if count.wrappingAdd(1, ordering: .relaxed).newValue == limit { ending.fulfill(.arrived) }
      pair.link.frameTaken(on: pair.lane)
      return .done
    }

    func closedByPeer() {}
    func receiveStray(_ frame: RawSpan, on lane: UInt32) -> LaneDelivery { .violation("a stray") }
    func linkEnded(_ end: LinkEnd) {
      if case .violation(let what) = end { ending.fulfill(.violation(what)) } else { ending.fulfill(.other) }
    }
  }

  /// Sends until there is no room.
  private func fill(_ pair: Pair) throws {
    var bytes = Self.frame(.free)
    while true {
      var span = bytes.mutableSpan
      var frame = span.mutableBytes
      guard case .sent = try pair.link.trySend(&frame, on: pair.lane, charged: false) else { return }
    }
  }

  /// A link that has no room to send, and who takes so many frames that arrive.
  private func startFull(_ reactor: Reactor, limit: Int) throws -> (Pair, Taker) {
    let pair = try Pair(reactor)
    let taker = Taker(pair, limit: limit)
    pair.link.open(pair.lane, receiver: taker)
    try fill(pair)
    try pair.link.start(owner: taker)
    return (pair, taker)
  }

  @Test("takes no more than a window twice from who does not take the credits for it")
  func creditsNotTaken() async throws {
    try await withReactor { reactor in
      let (pair, taker) = try startFull(reactor, limit: 1000)
      let sending = Task {
        for _ in 0..<1000 {
          let frame = Self.frame(.charged)
          try await pair.peer.send(frame.span.bytes)
        }
      }
      switch await taker.ending.wait(onCancel: .other) {
      case .violation(let what): #expect(what.contains("without credit"))
      case .arrived, .other: Issue.record("all was taken, while credits pile up here")
      }
      sending.cancel()
      _ = await sending.result
      pair.link.end()
    }
  }

  @Test("sends credits that found no room when there is some, each once")
  func lateCredits() async throws {
    try await withReactor { reactor in
      let (pair, taker) = try startFull(reactor, limit: 4)
      for _ in 0..<4 { #expect(try pair.peer.trySend(bytes: Self.frame(.charged), handles: []) == .sent) }
      guard case .arrived = await taker.ending.wait(onCancel: .other) else { return _ = Issue.record("ended") }
      var granted: UInt32 = 0
      while granted < 4 {
        let received: ReceivedFrame? = try await pair.peer.receive()
        let bytes = try #require(received).bytes
        if bytes.count == LaneHeader.grantByteCount { granted += bytes.span.bytes.littleEndian(at: 8) }
      }
      #expect(granted == 4)
      pair.link.end()
    }
  }

  // MARK: Forgeries

  @Test("ends by the violation when its peer says that it has received what was never sent")
  func forgedCursor() async throws {
    try await withReactor { reactor in
      let forger = try Forger()
      let link = Link(over: forger.victim, reactor: reactor, window: 4)
      let lane = link.makeLane(Self.lane)
      let owner = Taker(try Pair(reactor), limit: .max)
      link.open(lane, receiver: owner)
      try link.start(owner: owner)
      forger.write(.received, 64)
      do {
        var bytes = Self.frame(.free)
        var span = bytes.mutableSpan
        var frame = span.mutableBytes
        guard case .blocked = try link.trySend(&frame, on: lane, charged: false) else {
          return _ = Issue.record("sent over a forged ring")
        }
      }
      // Answers either way: what is sent now tells that nobody has ended the link.
      reactor.perform { reactor.perform { owner.ending.fulfill(.other) } }
      guard case .violation(let what) = await owner.ending.wait(onCancel: .other) else {
        return _ = Issue.record("the link goes on")
      }
      #expect(what.contains("consumer cursor"))
      link.end()
    }
  }
}
