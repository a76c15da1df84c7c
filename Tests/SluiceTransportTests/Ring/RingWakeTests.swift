import Glibc
import SluiceSystem
import SluiceTransport
import Synchronization
import SystemPackage
import Testing
import TestSupport

/// How an end of an exchange waits.
enum RingWaiter: CaseIterable, CustomTestStringConvertible {
  /// Asleep on a futex, at once.
  case sleeping
  /// Spinning first.
  case spinning
  /// Polling the descriptor.
  case polling
  /// Suspended, on the reactor.
  case suspended

  var testDescription: String { "\(self)" }
  var spinning: RingSpinning { self == .spinning ? .adaptive(.microseconds(20)) : .off }
}

@Suite("A ring's sleepers", .serialized) struct RingWakeTests {
  /// Each exchange is a number there and back; a lost wake-up ends it by its deadline.
  private func exchange(
    _ count: Int, _ left: RingWaiter, _ right: RingWaiter, seed: UInt64, pinnedTo cpus: Int
  ) async throws {
    let (asking, answering) = try RingTransport.pair(
      capacity: 4096, maxBlobSize: 1000, spinning: left == .spinning ? left.spinning : right.spinning)
    async let answered = run(right, pinnedTo: cpus) { waiter in
      var random = SeededGenerator(seed: seed + 1)
      while let number = try await waiter.receive(answering) {
        random.dawdle()
        try await waiter.send(number + 1, answering)
      }
    }
    async let asked = run(left, pinnedTo: cpus) { waiter in
      var random = SeededGenerator(seed: seed)
      for number in 0..<UInt64(count) {
        try await waiter.send(number, asking)
        random.dawdle()
        let reply = try await waiter.receive(asking)
        try #require(reply == number + 1)
      }
      try asking.finishSending()
    }
    try await asked
    try await answered
  }

  /// A burst in one direction, larger than the ring: its sender sleeps for room again and again.
  private func stream(
    _ count: Int, _ left: RingWaiter, _ right: RingWaiter, seed: UInt64, pinnedTo cpus: Int
  ) async throws {
    let (sending, receiving) = try RingTransport.pair(
      capacity: 4096, maxBlobSize: 1000, spinning: left == .spinning ? left.spinning : right.spinning)
    async let received = run(right, pinnedTo: cpus) { waiter in
      var random = SeededGenerator(seed: seed + 1)
      var next: UInt64 = 0
      while let number = try await waiter.receive(receiving) {
        try #require(number == next)
        next += 1
        random.dawdle()
      }
      try #require(next == UInt64(count))
    }
    async let sent = run(left, pinnedTo: cpus) { waiter in
      var random = SeededGenerator(seed: seed)
      for number in 0..<UInt64(count) {
        try await waiter.send(number, sending, padding: Int.random(in: 0...900, using: &random))
        random.dawdle()
      }
      try sending.finishSending()
    }
    try await sent
    try await received
  }

  private func run(
    _ waiter: RingWaiter, pinnedTo cpus: Int, _ body: @escaping @Sendable (RingWaiter) async throws -> Void
  ) async throws {
    guard waiter != .suspended else {
      return try await Task(executorPreference: Reactor.shared) { try await body(waiter) }.value
    }
    // A thread of its own, which may block.
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
      do {
        try WorkerThread(name: "ring \(waiter)") {
          // Where the first processor is not ours, this thread runs where it may.
          if cpus == 1 { try? Processors.pinThread(to: 0) }
          let done = Locked<Result<Void, any Error>?>(nil)
          // The body never suspends for this kind of waiter, so it runs to its end on this thread.
          let task = Task.immediate {
            do {
              try await body(waiter)
              done.mutex.withLock { $0 = .success(()) }
            } catch {
              done.mutex.withLock { $0 = .failure(error) }
            }
          }
          _ = task
          let result = done.mutex.withLock { $0 } ?? .failure(RingWaiterSuspended())
          continuation.resume(with: result)
        }.detach()
      } catch {
        continuation.resume(throwing: error)
      }
    }
  }

  private static let exchanges = ringExchanges(20_000)

  @Test("are always woken, whichever way both sides wait", arguments: RingWaiter.allCases, RingWaiter.allCases)
  func mixed(left: RingWaiter, right: RingWaiter) async throws {
    for cpus in 1...2 {
      try await exchange(Self.exchanges / 8, left, right, seed: 41, pinnedTo: cpus)
      try await stream(Self.exchanges / 4, left, right, seed: 43, pinnedTo: cpus)
    }
  }

  @Test("are woken when their own side closes", arguments: 0..<50)
  func closing(round: Int) throws {
    let (left, right) = try RingTransport.pair(capacity: 4096, maxBlobSize: 1000, spinning: .off)
    while try left.trySend([UInt8](repeating: 0, count: 1000)) == .sent {}
    let outcomes = Locked<[TransportError]>([])
    let gate = try Gate()
    let waiters = try (0..<4).map { number in
      try WorkerThread(name: "waiter \(number)") {
        gate.open()
        do throws(TransportError) {
          if number % 2 == 0 {
            // Nothing comes on this side.
            _ = try left.receive(deadline: patience())
          } else {
            try left.send([UInt8](repeating: 0, count: 1000))
          }
        } catch {
          outcomes.mutex.withLock { $0.append(error) }
        }
      }
    }
    try gate.pass()
    left.close()
    waiters.forEach { $0.join() }
    #expect(outcomes.mutex.withLock { $0 } == Array(repeating: .closed, count: 4))
    withExtendedLifetime(right) {}
  }

  @Test("make the busy side call nobody twice")
  func silence() throws {
    let (sender, receiver) = try RingTransport.pair()
    let descriptor = receiver.readDescriptor
    for number in UInt8(0)..<100 { #expect(try sender.trySend([number]) == .sent) }
    // One ring for a hundred frames.
    var bytes = [UInt8](repeating: 0, count: 100)
    let rings = recv(descriptor.rawValue, &bytes, bytes.count, 0)
    #expect(rings == 1)
    for _ in 0..<100 { #expect(try receiver.tryReceiveFrame() != nil) }
    // Who has not seen the ring empty has not asked to be told.
    #expect(try sender.trySend([1]) == .sent)
    #expect(try !Poll.isReady(descriptor, .readable))
    #expect(try receiver.tryReceiveFrame() != nil)
    #expect(try receiver.tryReceive { _, _ in } == .wouldBlock)
    #expect(try sender.trySend([1]) == .sent)
    #expect(try Poll.isReady(descriptor, .readable))
  }

  @Test("drain many frames at once, and stop where they are told to")
  func draining() throws {
    let (sender, receiver) = try RingTransport.pair()
    for number in UInt8(0)..<10 { #expect(try sender.trySend([number]) == .sent) }
    var seen: [UInt8] = []
    func drain(limit: Int = .max, until count: Int = .max) throws -> RingDrain {
      try receiver.receiveAll(limit: limit) { blob in
        seen.append(blob.unsafeLoad(fromByteOffset: 0, as: UInt8.self))
        return seen.count < count
      }
    }
    #expect(try drain(limit: 3) == RingDrain(count: 3, outcome: .received))
    #expect(try drain(until: 5) == RingDrain(count: 2, outcome: .received))
    #expect(try drain() == RingDrain(count: 5, outcome: .received))
    #expect(try drain() == RingDrain(count: 0, outcome: .wouldBlock))
    #expect(seen == Array(0..<10))
    try sender.finishSending()
    #expect(try drain() == RingDrain(count: 0, outcome: .endOfStream))
  }
}

private struct RingWaiterSuspended: Error {}

/// How many exchanges: as asked by the environment, for long runs.
private func ringExchanges(_ count: Int) -> Int {
  getenv("SLUICE_RING_EXCHANGES").flatMap { Int(String(cString: $0)) } ?? count
}

extension SeededGenerator {
  /// Lets some time pass, most often none, so that the other side is met awake, falling asleep and asleep.
  mutating func dawdle() {
    switch next() % 16 {
    case 0: sched_yield()
    case 1...3: for _ in 0..<next() % 2000 { Processors.spinHint() }
    default: break
    }
  }
}

extension RingWaiter {
  func receive(_ transport: RingTransport) async throws -> UInt64? {
    guard self == .suspended else { return try receiveBlocking(transport) }
    return try await transport.receive(deadline: patience()) { blob, _ in blob.unsafeLoad(as: UInt64.self) }
  }

  func send(_ number: UInt64, _ transport: RingTransport, padding: Int = 0) async throws {
    let words = [number] + [UInt64](repeating: 0, count: padding / 8)
    guard self == .suspended else { return try sendBlocking(words, transport) }
    try await transport.send(words.span.bytes, deadline: patience())
  }

  private func receiveBlocking(_ transport: RingTransport) throws -> UInt64? {
    guard self == .polling else {
      return try transport.receive(deadline: patience()) { blob, _ in blob.unsafeLoad(as: UInt64.self) }
    }
    var result: UInt64?
    while true {
      switch try transport.tryReceive({ blob, _ in result = blob.unsafeLoad(as: UInt64.self) }) {
      case .received: return result
      case .endOfStream: return nil
      case .wouldBlock:
        try #require(try !Poll.wait(for: transport.readDescriptor, .readable, deadline: patience()).isEmpty)
      }
    }
  }

  private func sendBlocking(_ words: [UInt64], _ transport: RingTransport) throws {
    guard self == .polling else { return try transport.send(words.span.bytes, deadline: patience()) }
    while try transport.trySend(words.span.bytes) == .wouldBlock {
      try #require(try !Poll.wait(for: transport.writeDescriptor, .writable, deadline: patience()).isEmpty)
    }
  }
}
