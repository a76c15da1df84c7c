import SluiceSystem
import TestSupport
import Testing

@testable import SluiceChannel

@Suite struct HandleCreditsTests {
  @Test func `few handles wait as many do`() {
    var credits = HandleCredits()
    let outcomes = [253, 6, 253, 1].map { credits.take($0) }
    #expect(outcomes == [true, true, true, false])
    credits.putBack(253)
    let again = credits.take(253)
    #expect(again && credits.waiting == 512)
  }

  @Test func `what was not sent cannot be settled`() {
    var credits = HandleCredits()
    let isTaken = credits.take(100)
    let outcomes = ([0, 101, .max, 40, 40, 39, 100, 101] as [UInt64]).map { credits.settled($0) }
    #expect(isTaken)
    #expect(outcomes == [false, false, false, true, false, false, true, false])
    #expect(credits.waiting == 0)
    credits.putBack(100)
    #expect(credits.waiting == 0)
  }

  @Test func `a receiver takes no handles beyond the limit, twice, or none`() throws {
    let handle = try Handle.open("/dev/null", .readOnly)
    var unclaimed = UnclaimedHandles()
    let outcomes = [(511, 1), (2, 2), (1, 1), (0, 2), (1, 2), (1, 3)].map { count, ticket in
      unclaimed.arrived(Array(repeating: handle, count: count), ticket: UInt32(ticket), lane: 0)
    }
    #expect(outcomes == [true, false, false, false, true, false])
    #expect(unclaimed.count == 512)
  }

  /// What is under way on the control socket, in its order.
  private enum Said {
    case handles(Int, ticket: UInt32, lane: UInt32)
    case withdraw(UInt32)
  }

  @Test(arguments: 0..<20 as Range<UInt64>)
  func `whatever becomes of handles, the receiver is never asked too much, and the sender never stuck`(
    seed: UInt64
  ) throws {
    let handle = try Handle.open("/dev/null", .readOnly)
    var random = SeededGenerator(seed: seed)
    var (credits, unclaimed) = (HandleCredits(), UnclaimedHandles())
    var (said, totals): ([Said], [UInt64]) = ([], [])
    // Those whose handles were said, by ticket, and have neither been sent nor withdrawn; envelopes on the link.
    var (waiting, onLink): ([UInt32], [(ticket: UInt32, lane: UInt32)]) = ([], [])
    var lanes: [UInt32: UInt32] = [:]
    var (ended, ticket, sent): (Set<UInt32>, UInt32, Int) = ([], 0, 0)
    func tell(_ unclaimed: inout UnclaimedHandles) {
      if let total = unclaimed.totalToTell() { totals.append(total) }
    }
    func hear(_ credits: inout HandleCredits) {
      guard !totals.isEmpty else { return }
      let isRight = credits.settled(totals.removeFirst())
      #expect(isRight)
    }
    /// The receiver reads the next control message.
    func read(_ unclaimed: inout UnclaimedHandles) {
      guard !said.isEmpty else { return }
      switch said.removeFirst() {
      case .handles(let count, let ticket, let lane):
        let isTaken = unclaimed.arrived(Array(repeating: handle, count: count), ticket: ticket, lane: lane)
        #expect(isTaken)
        if ended.contains(lane) { _ = unclaimed.takeAll(lane: lane) }
      case .withdraw(let ticket): _ = unclaimed.take(ticket)
      }
      tell(&unclaimed)
    }
    /// The receiver takes the next envelope.
    func drain(_ unclaimed: inout UnclaimedHandles) {
      onLink.removeAll { ended.contains($0.lane) }
      guard let next = onLink.first, unclaimed.hasArrived(next.ticket) else { return }
      onLink.removeFirst()
      let claimed = unclaimed.take(next.ticket)
      #expect(claimed != nil)
      tell(&unclaimed)
    }
    for _ in 0..<4000 {
      switch Int.random(in: 0..<12, using: &random) {
      case 0..<4:
        let count = Bool.random(using: &random) ? 253 : Int.random(in: 1...30, using: &random)
        guard credits.take(count) else { continue }
        ticket += 1
        let lane = UInt32.random(in: 0...2, using: &random) == 0 ? UInt32.random(in: 1...40, using: &random) : 0
        lanes[ticket] = lane
        said.append(.handles(count, ticket: ticket, lane: lane))
        waiting.append(ticket)
        sent += 1
      case 4..<7:
        guard !waiting.isEmpty else { continue }
        let next = waiting.removeFirst()
        onLink.append((next, lanes[next] ?? 0))
      case 7:
        guard let last = waiting.popLast() else { continue }
        said.append(.withdraw(last))
      case 8:
        let lane = UInt32.random(in: 1...40, using: &random)
        ended.insert(lane)
        _ = unclaimed.takeAll(lane: lane)
        tell(&unclaimed)
      case 9: hear(&credits)
      case 10: drain(&unclaimed)
      default: read(&unclaimed)
      }
      #expect(unclaimed.count <= credits.waiting && credits.waiting <= HandleCredits.limit)
    }
    for ticket in waiting { onLink.append((ticket, lanes[ticket] ?? 0)) }
    while !said.isEmpty { read(&unclaimed) }
    while !onLink.isEmpty { drain(&unclaimed) }
    while !totals.isEmpty { hear(&credits) }
    #expect(unclaimed.count == 0 && credits.waiting < HandleCredits.batch && sent > 50)
    let goesOn = credits.take(253)
    #expect(goesOn)
  }
}
