import Synchronization
import Testing
import TestSupport

@testable import SluiceTransport

@Suite("Timers") struct TimerHeapTests {
  @Test("come out by deadline, and in order of arrival within one", arguments: UInt64(0)..<20)
  func order(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var heap = TimerHeap()
    let start = ContinuousClock.now
    let ran = Locked<[Int]>([])
    var expected: [(deadline: Int, number: Int)] = []
    var ids: [(TimerHeap.ID, Int)] = []
    for number in 0..<300 {
      let deadline = Int.random(in: 0..<40, using: &random)
      let id = heap.insert(at: start + .seconds(deadline)) { ran.mutex.withLock { $0.append(number) } }
      ids.append((id, number))
      expected.append((deadline, number))
      if Int.random(in: 0..<3, using: &random) == 0, let victim = ids.indices.randomElement(using: &random) {
        let (id, number) = ids.remove(at: victim)
        let removals = [heap.remove(id) != nil, heap.remove(id) != nil]
        #expect(removals == [true, false])
        expected.removeAll { $0.number == number }
      }
    }
    #expect(heap.count == expected.count)
    for second in 0..<40 {
      while let action = heap.popDue(at: start + .seconds(second)) { action() }
      #expect(heap.nextDeadline.map { $0 > start + .seconds(second) } ?? true)
    }
    #expect(heap.count == 0)
    let wanted = expected.sorted { ($0.deadline, $0.number) < ($1.deadline, $1.number) }.map(\.number)
    #expect(ran.mutex.withLock { $0 } == wanted)
  }

  @Test("that are younger than asked for stay")
  func younger() {
    var heap = TimerHeap()
    let now = ContinuousClock.now
    _ = heap.insert(at: now) {}
    let latest = heap.latestID
    _ = heap.insert(at: now) {}
    let popped = [heap.popDue(at: now, upTo: latest) != nil, heap.popDue(at: now, upTo: latest) != nil]
    #expect(popped == [true, false])
    #expect(heap.count == 1)
  }
}
