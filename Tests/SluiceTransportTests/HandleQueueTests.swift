import SluiceSystem
import SystemPackage
import Testing

@testable import SluiceTransport

@Suite("Handles find their frames") struct HandleQueueTests {
  private func handles(_ count: Int) throws -> [Handle] { try (0..<count).map { _ in try EventCounter().handle } }

  private func claimed(_ claim: HandleQueue.Claim) -> [Handle]? {
    if case .handles(let handles) = claim { handles } else { nil }
  }

  @Test("a frame gets the handles that came with its first byte")
  func first() throws {
    var queue = HandleQueue()
    let sent = try handles(2)
    try queue.arrived(sent, lost: false, with: 0..<16, frameStart: 0, isComplete: true)
    let got = try #require(claimed(try queue.claim(2, for: 0..<16)))
    #expect(got.map(\.descriptor) == sent.map(\.descriptor))
    #expect(try claimed(queue.claim(0, for: 16..<32))?.isEmpty == true)
  }

  @Test("frames without handles before it in the same bytes leave them to it")
  func glued() throws {
    var queue = HandleQueue()
    try queue.arrived(try handles(1), lost: false, with: 0..<48, frameStart: 0, isComplete: true)
    #expect(try claimed(queue.claim(0, for: 0..<16))?.count == 0)
    #expect(try claimed(queue.claim(0, for: 16..<32))?.count == 0)
    #expect(try claimed(queue.claim(1, for: 32..<48))?.count == 1)
  }

  @Test("those of the next frame may come with the last bytes of one that has its own")
  func twoPending() throws {
    var queue = HandleQueue()
    try queue.arrived(try handles(1), lost: false, with: 0..<8, frameStart: 0, isComplete: false)
    try queue.arrived(try handles(2), lost: false, with: 8..<40, frameStart: 0, isComplete: true)
    #expect(try claimed(queue.claim(1, for: 0..<16))?.count == 1)
    #expect(try claimed(queue.claim(2, for: 16..<64))?.count == 2)
  }

  @Test("handles in the middle of a frame are refused at once")
  func middle() throws {
    var queue = HandleQueue()
    #expect(throws: FrameError.self) {
      try queue.arrived(try handles(1), lost: false, with: 8..<16, frameStart: 0, isComplete: false)
    }
  }

  @Test("more, fewer or none of the announced handles are refused")
  func mismatch() throws {
    for (announced, sent) in [(1, 2), (2, 1), (1, 0), (0, 1)] {
      var queue = HandleQueue()
      try queue.arrived(try handles(sent), lost: false, with: 0..<16, frameStart: 0, isComplete: true)
      #expect(throws: FrameError.handlesMismatch(announced: announced, received: sent)) {
        try queue.claim(announced, for: 0..<16)
      }
    }
  }

  @Test("lost handles are told from those that were never sent")
  func lost() throws {
    var queue = HandleQueue()
    try queue.arrived(try handles(1), lost: true, with: 0..<16, frameStart: 0, isComplete: true)
    guard case .lost(received: 1) = try queue.claim(3, for: 0..<16) else {
      Issue.record("not reported as lost")
      return
    }
    #expect(try claimed(queue.claim(0, for: 16..<32))?.isEmpty == true)
  }
}
