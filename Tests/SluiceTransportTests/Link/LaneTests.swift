import Testing
import TestSupport

@testable import SluiceTransport

@Suite struct LaneHeaderTests {
  private func frame(_ bytes: [UInt8]) -> LaneHeader? { LaneHeader(bytes.span.bytes) }

  @Test(arguments: [LaneHeader.Kind.charged, .free, .grant, .close, .probe, .answer])
  func `a header reads back as it was written`(kind: LaneHeader.Kind) {
    var bytes = [UInt8](repeating: 0xff, count: 12)
    var span = bytes.mutableSpan
    var raw = span.mutableBytes
    LaneHeader(lane: 0x1234_5678, kind: kind).encode(into: &raw)
    #expect(bytes == [0x78, 0x56, 0x34, 0x12, kind.rawValue, 0, 0, 0, 0xff, 0xff, 0xff, 0xff])
    #expect(frame(bytes) == LaneHeader(lane: 0x1234_5678, kind: kind))
  }

  @Test func `a frame too short, of no known kind, or with reserved bits is refused`() {
    #expect(frame([1, 0, 0, 0, 1, 0, 0]) == nil)
    #expect(frame([1, 0, 0, 0, 0, 0, 0, 0]) == nil)
    #expect(frame([1, 0, 0, 0, 7, 0, 0, 0]) == nil)
    #expect(frame([1, 0, 0, 0, 1, 1, 0, 0]) == nil)
    #expect(frame([1, 0, 0, 0, 1, 0, 0, 1]) == nil)
  }
}

@Suite struct LaneCreditsTests {
  @Test func `a sender has as many credits as the window`() {
    var credits = LaneCredits(window: 3)
    var outcomes = (0..<4).map { _ in credits.takeForSending() }
    credits.putBack()
    outcomes.append(credits.takeForSending())
    #expect(outcomes == [true, true, true, false, true])
  }

  @Test func `a receiver takes no frame beyond the window`() {
    var credits = LaneCredits(window: 2)
    let outcomes = (0..<3).map { _ in credits.frameArrived() }
    #expect(outcomes == [true, true, false])
  }

  @Test func `credits come back in batches of half a window`() {
    var credits = LaneCredits(window: 8)
    let outcomes = (0..<8).map { _ in credits.frameArrived() }
    let grants = (0..<4).map { _ in credits.frameTaken() }
    #expect(!outcomes.contains(false))
    #expect(grants == [0, 0, 0, 4])
    #expect(credits.receivable == 4)
  }

  @Test func `a grant waits until the one before it was sent`() {
    var credits = LaneCredits(window: 8)
    let grants = (0..<10).map { _ in credits.frameTaken() }
    let next = (0..<2).map { _ in credits.grantSent() }
    #expect(grants == [0, 0, 0, 4, 0, 0, 0, 0, 0, 0])
    #expect(next == [6, 0])
  }

  @Test func `a grant of more than was sent is refused`() {
    var credits = LaneCredits(window: 4)
    let early = credits.granted(1)
    let isSent = credits.takeForSending()
    let outcomes = [2, .max, 0, 1].map { credits.granted($0) }
    #expect(!early && isSent)
    #expect(outcomes == [false, false, false, true])
    #expect(credits.sendable == 4)
  }

  @Test(arguments: [1, 2, 3, 7, 128] as [UInt32])
  func `two ends that send, take and grant never stall and never exceed the window`(window: UInt32) {
    var random = SeededGenerator(seed: UInt64(window))
    var (sender, receiver) = (LaneCredits(window: window), LaneCredits(window: window))
    var (underWay, sent) = (0, 0)
    for _ in 0..<10_000 {
      if random.next() & 1 == 0, sender.takeForSending() {
        let isTaken = receiver.frameArrived()
        #expect(isTaken)
        underWay += 1
        sent += 1
      } else if underWay > 0 {
        underWay -= 1
        var grant = receiver.frameTaken()
        while grant > 0 {
          let isTaken = sender.granted(grant)
          #expect(isTaken)
          grant = receiver.grantSent()
        }
      }
      #expect(underWay <= Int(window))
      if underWay == 0 { #expect(sender.sendable > 0) }
    }
    #expect(sent > 1000)
  }
}
