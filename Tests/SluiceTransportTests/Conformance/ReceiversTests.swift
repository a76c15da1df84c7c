import SluiceSystem
import SluiceTransport
import Synchronization
import SystemPackage
import Testing

/// Several that wait for one transport: whatever one of them takes from the kernel for others reaches them.
@Suite("Whoever waits for a transport") struct ReceiversTests {
  @Test("blocked for ever, is woken by its close and by the peer's", arguments: PairKind.allCases, [true, false])
  func woken(kind: PairKind, ownClose: Bool) throws {
    let (left, right) = try kind.pair()
    let gates = try (0..<3).map { _ in try Gate() }
    let outcomes = Locked<[TransportError?]>([])
    let threads = try (0..<3).map { number in
      try WorkerThread(name: "receiver \(number)") {
        gates[number].open()
        var failure: TransportError?
        do throws(TransportError) { _ = try right.receive() } catch { failure = error }
        let outcome = failure
        outcomes.mutex.withLock { $0.append(outcome) }
      }
    }
    for gate in gates { try gate.pass() }
    if ownClose { right.close() } else { left.close() }
    threads.forEach { $0.join() }
    #expect(outcomes.mutex.withLock { $0 } == [TransportError?](repeating: ownClose ? .closed : nil, count: 3))
  }

  @Test("gets its frame, when those of several arrive at once", arguments: PairKind.allCases, 0..<5)
  func glued(kind: PairKind, round: Int) async throws {
    let (left, right) = try kind.pair()
    let received = Locked<[UInt8]>([])
    @Sendable func note(_ frame: ReceivedFrame?) {
      received.mutex.withLock { $0 += frame?.bytes ?? [] }
    }
    let gates = try (0..<3).map { _ in try Gate() }
    // One frame each: nobody comes back to take what another one has left.
    let threads = try (0..<3).map { number in
      try WorkerThread(name: "receiver \(number)") {
        gates[number].open()
        note(try? right.receive(deadline: number == 0 ? patience() : nil))
      }
    }
    let tasks = (0..<3).map { number in
      Task(executorPreference: number == 0 ? nil : Reactor.shared) {
        note(try? await right.receive(deadline: patience()))
      }
    }
    for gate in gates { try gate.pass() }
    for number in UInt8(0)..<6 { try left.send([number]) }
    threads.forEach { $0.join() }
    for task in tasks { await task.value }
    #expect(received.mutex.withLock { $0 }.sorted() == [0, 1, 2, 3, 4, 5])
  }

  @Test("by its descriptor, sees the frames that one look has brought", arguments: PairKind.allCases)
  func polled(kind: PairKind) throws {
    let (left, right) = try kind.pair()
    for number in UInt8(0)..<3 { #expect(try left.trySend([number]) == .sent) }
    for number in UInt8(0)..<3 {
      #expect(try Poll.isReady(right.readDescriptor, .readable))
      #expect(try right.tryReceiveFrame()?.bytes == [number])
    }
    #expect(try right.tryReceive { _, _ in } == .wouldBlock)
    #expect(try !Poll.isReady(right.readDescriptor, .readable))
    for number in UInt8(0)..<3 { #expect(try left.trySend([number]) == .sent) }
    // A thread that blocks takes the first, and leaves the others to who polls.
    #expect(try right.receive()?.bytes == [0])
    #expect(try Poll.isReady(right.readDescriptor, .readable))
  }

  @Test("with a long deadline, keeps it", arguments: PairKind.allCases)
  func deadline(kind: PairKind) throws {
    let (left, right) = try kind.pair()
    let deadline = ContinuousClock.now + .milliseconds(120)
    #expect(throws: TransportError.timedOut) { try right.receive(deadline: deadline) }
    #expect(ContinuousClock.now >= deadline)
    left.close()
  }
}
