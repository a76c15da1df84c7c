import Foundation
import SluiceSystem
import SluiceWaiting
import Synchronization
import Testing

@testable import SluiceTransport

/// Many lanes in one link, one of which never stops.
@Suite("No lane of a link", .timeLimit(.minutes(2))) struct FairnessTests {
  /// `SLUICE_LANES=100000` for as many as a session may have.
  private static let laneCount = ProcessInfo.processInfo.environment["SLUICE_LANES"].flatMap { UInt32($0) } ?? 3000
  private static let greedy: UInt32 = 2

  /// Takes what arrives on a lane at once, so that its sender never lacks credit for long.
  private final class Taker: LaneReceiver {
    private let link: Link
    private let lane: Lane
    private let arrived: Arrivals

    init(_ link: Link, _ lane: Lane, _ arrived: Arrivals) {
      self.link = link
      self.lane = lane
      self.arrived = arrived
    }

    func receive(_ frame: RawSpan) -> LaneDelivery {
      arrived.note(lane.number)
      link.frameTaken(on: lane)
      return .done
    }

    func closedByPeer() {}
  }

  private final class Arrivals: Sendable {
    let done = OneShot<Bool>()
    private let state: Mutex<(missing: Set<UInt32>, greedy: Int)>

    init(_ lanes: Set<UInt32>) { state = Mutex((lanes, 0)) }

    func note(_ lane: UInt32) {
      let isLast = state.withLock { state in
        if lane == greedy { state.greedy += 1 }
        return state.missing.remove(lane) != nil && state.missing.isEmpty
      }
      if isLast { done.fulfill(true) }
    }

    var greedyCount: Int { state.withLock { $0.greedy } }
  }

  private final class Owner: LinkOwner {
    let ended = OneShot<Bool>()
    func receiveStray(_ frame: RawSpan, on lane: UInt32) -> LaneDelivery { .violation("a stray on lane \(lane)") }
    func linkEnded(_ end: LinkEnd) {
      if case .violation(let what) = end { Issue.record("\(what)") }
      ended.fulfill(true)
    }
  }

  private static func send(_ link: Link, on lane: Lane) async throws -> Bool {
    var bytes = [UInt8](repeating: 0, count: 64)
    while true {
      let outcome: Link.SendOutcome
      do {
        var span = bytes.mutableSpan
        var frame = span.mutableBytes
        outcome = try link.trySend(&frame, on: lane, charged: true)
      }
      switch outcome {
      case .sent: return true
      case .blocked(let signal): guard await signal.wait(onCancel: false) else { return false }
      case .ended: return false
      }
    }
  }

  @Test("starves, however much another one sends", arguments: [PairKind.ring, .socket, .queue])
  func starving(kind: PairKind) async throws {
    let reactor = try Reactor(name: "link")
    defer { reactor.shutdown() }
    let (left, right) = try kind.pair()
    let (sender, receiver) = (
      Link(over: left, reactor: reactor, window: 4), Link(over: right, reactor: reactor, window: 4)
    )
    let numbers = (1...Self.laneCount).map { Self.greedy + 2 * $0 }
    let arrivals = Arrivals(Set(numbers))
    let (senderOwner, receiverOwner) = (Owner(), Owner())
    func open(_ number: UInt32, of link: Link) -> Lane {
      let lane = link.makeLane(number)
      link.open(lane, receiver: Taker(link, lane, arrivals))
      return lane
    }
    for number in [Self.greedy] + numbers { _ = open(number, of: receiver) }
    let greedyLane = open(Self.greedy, of: sender)
    let lanes = numbers.map { open($0, of: sender) }
    try receiver.start(owner: receiverOwner)
    try sender.start(owner: senderOwner)
    // Sends until all others have been heard: if one starved, for ever.
    let greedy = Task { while !arrivals.done.isFulfilled, try await Self.send(sender, on: greedyLane) {} }
    // Each of the others has one frame to send; a hundred wait at a time.
    try await withThrowingTaskGroup(of: Bool.self) { group in
      for start in 0..<100 {
        group.addTask {
          var isSent = true
          for index in stride(from: start, to: lanes.count, by: 100) where isSent {
            isSent = try await Self.send(sender, on: lanes[index])
          }
          return isSent
        }
      }
      for try await isSent in group { #expect(isSent) }
    }
    #expect(await arrivals.done.wait(onCancel: false))
    sender.end()
    receiver.end()
    try await greedy.value
    #expect(arrivals.greedyCount > 0)
    withExtendedLifetime((senderOwner, receiverOwner)) {}
  }
}
