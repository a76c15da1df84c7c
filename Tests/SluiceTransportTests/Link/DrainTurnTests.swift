import Testing
import TestSupport

@testable import SluiceTransport

@Suite("The turn to drain a link") struct DrainTurnTests {
  @Test("goes from the reactor to a thread, from thread to thread, and back")
  func handOver() {
    var turn = DrainTurn<Int>()
    turn.armed()
    #expect(turn.take(for: 1) == .granted(wasArmed: true))
    #expect(turn.take(for: 2) == .queued)
    #expect(turn.take(for: 3) == .queued)
    #expect(turn.takeForReactor() == false)
    #expect(turn.leave() == 2)
    // The one that was woken takes it; another one that comes along does not.
    #expect(turn.take(for: 4) == .queued)
    #expect(turn.take(for: 2) == .granted(wasArmed: false))
    #expect(turn.leave() == 3)
    // It had what it wanted by then: the next one is woken instead.
    let (passed, next) = turn.withdraw(3)
    #expect(passed && next == 4)
    #expect(turn.take(for: 4) == .granted(wasArmed: false))
    #expect(turn.leave() == nil)
    #expect(turn.holder == .reactor(isArmed: false))
    #expect(turn.takeForReactor() == true)
  }

  @Test("stays with nobody while a frame waits for the control socket")
  func pausing() {
    var turn = DrainTurn<Int>()
    #expect(turn.takeForReactor() == true)
    #expect(turn.pause() == true)
    #expect(turn.takeForReactor() == false)
    #expect(turn.seize() == false)
    #expect(turn.take(for: 1) == .queued)
    #expect(turn.resume() == true)
    #expect(turn.leave() == 1)
  }

  @Test("left to the reactor, is nobody else's until the reactor has looked")
  func reserved() {
    var turn = DrainTurn<Int>()
    #expect(turn.take(for: 1) == .granted(wasArmed: false))
    #expect(turn.take(for: 2) == .queued)
    #expect(turn.leaveToReactor() == nil)
    // Neither who comes now nor who has just left is faster.
    #expect(turn.take(for: 3) == .queued)
    #expect(turn.take(for: 1) == .queued)
    #expect(turn.takeForReactor() == false)
    #expect(turn.seize() == true)
    #expect(turn.leave() == 2)
    #expect(turn.take(for: 2) == .granted(wasArmed: false))
    #expect(turn.leave() == 3)
  }

  @Test("is not lost when the control socket is faster than who would wait for it")
  func news() {
    var turn = DrainTurn<Int>()
    #expect(turn.takeForReactor() == true)
    #expect(turn.resume() == false)
    #expect(turn.pause() == false, "it has to look again")
    #expect(turn.pause() == true)
  }

  @Test("ends for all")
  func end() {
    var turn = DrainTurn<Int>()
    #expect(turn.take(for: 1) == .granted(wasArmed: false))
    turn.finish()
    #expect(turn.leave() == nil)
    #expect(turn.take(for: 2) == .refused)
    #expect(turn.takeForReactor() == false)
    #expect(turn.seize() == false)
    #expect(turn.resume() == false)
  }

  @Test("whatever happens, has one holder, and who waits is woken or somebody drains", arguments: 0..<20)
  func anything(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var turn = DrainTurn<Int>()
    var (holder, queued, woken): (Int?, Set<Int>, Int?) = (nil, [], nil)
    for _ in 0..<5000 {
      let thread = Int.random(in: 1...4, using: &random)
      switch Int.random(in: 0...3, using: &random) {
      case 0 where holder != thread:
        switch turn.take(for: thread) {
        case .granted:
          #expect(holder == nil && (woken == nil || woken == thread))
          (holder, woken) = (thread, nil)
          queued.remove(thread)
        case .queued: queued.insert(thread)
        case .refused: Issue.record("the turn never ends here")
        }
      case 1 where holder == nil:
        if turn.takeForReactor() {
          #expect(woken == nil)
          holder = 0
        }
      case 2 where holder != nil:
        woken = turn.leave()
        holder = nil
        if let woken { #expect(queued.remove(woken) != nil) } else { #expect(queued.isEmpty) }
      case 3 where holder != thread:
        let (passed, next) = turn.withdraw(thread)
        #expect(passed == (woken == thread))
        queued.remove(thread)
        if passed {
          woken = next
          if let next { #expect(queued.remove(next) != nil) }
        }
      default: break
      }
      // Nobody sleeps while nobody drains, is about to, or is told of what comes.
      if holder == nil && woken == nil { #expect(queued.isEmpty && turn.holder == .reactor(isArmed: false)) }
    }
  }
}
