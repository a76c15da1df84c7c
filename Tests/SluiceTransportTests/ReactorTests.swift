import Glibc
import SluiceSystem
import SluiceTransport
import Synchronization
import SystemPackage
import Testing
import TestSupport

@Suite("A reactor") struct ReactorTests {
  /// Runs a test with a reactor of its own, and shuts it down.
  private func withReactor(_ body: (Reactor) async throws -> Void) async throws {
    let reactor = try Reactor(name: "test")
    do {
      try await body(reactor)
      reactor.shutdown()
    } catch {
      reactor.shutdown()
      throw error
    }
  }

  @Test("performs actions on its thread, in order")
  func perform() async throws {
    try await withReactor { reactor in
      let gate = try Gate()
      let seen = Locked<[Int]>([])
      for number in 0..<1000 {
        reactor.perform {
          #expect(reactor.isCurrentThread)
          seen.mutex.withLock { $0.append(number) }
          if number == 999 { gate.open() }
        }
      }
      try gate.pass()
      #expect(seen.mutex.withLock { $0 } == Array(0..<1000))
      #expect(!reactor.isCurrentThread)
    }
  }

  @Test("loses no wake-up, whoever gives it work, and whenever")
  func wakeUps() async throws {
    try await withReactor { reactor in
      let workers = try (UInt64(0)..<3).map { seed in
        try WorkerThread(name: "giver") {
          var random = SeededGenerator(seed: seed)
          guard let gate = try? Gate() else { return }
          // Each round waits for the answer, so that the reactor falls asleep between them, at all moments.
          for _ in 0..<3000 {
            if Bool.random(using: &random) {
              reactor.perform { gate.open() }
            } else {
              reactor.schedule(at: .now) { gate.open() }
            }
            try? gate.pass()
            for _ in 0..<Int.random(in: 0..<50, using: &random) { _ = random.next() }
          }
        }
      }
      workers.forEach { $0.join() }
    }
  }

  @Test("runs timers by deadline, and none that was cancelled")
  func timers() async throws {
    try await withReactor { reactor in
      let gate = try Gate()
      let seen = Locked<[Int]>([])
      let start = ContinuousClock.now
      for number in [5, 1, 3, 2, 4] {
        reactor.schedule(at: start + .milliseconds(number)) {
          #expect(ContinuousClock.now >= start + .milliseconds(number))
          seen.mutex.withLock { $0.append(number) }
        }
      }
      let cancelled = reactor.schedule(at: start + .milliseconds(3)) { Issue.record("was cancelled") }
      #expect(cancelled.cancel())
      #expect(!cancelled.cancel())
      reactor.schedule(at: start + .milliseconds(6)) { gate.open() }
      try gate.pass()
      #expect(seen.mutex.withLock { $0 } == [1, 2, 3, 4, 5])
      #expect(reactor.pendingCount == 0)
    }
  }

  @Test("takes an earlier timer up while it waits for a later one")
  func earlierTimer() async throws {
    try await withReactor { reactor in
      let gate = try Gate()
      let late = reactor.schedule(at: patience()) { Issue.record("too early") }
      reactor.schedule(at: .now + .milliseconds(1)) { gate.open() }
      try gate.pass()
      late.cancel()
    }
  }

  @Test("calls handlers as long as the descriptor is ready, and not once paused")
  func levelTriggered() async throws {
    try await withReactor { reactor in
      let counter = try EventCounter()
      let calls = Locked(0)
      let gate = try Gate()
      let registration = try reactor.register(counter.descriptor, for: .readable) { events in
        #expect(reactor.isCurrentThread && events == .readable)
        let count = calls.mutex.withLock { calls in
          calls += 1
          return calls
        }
        if count == 3 {
          counter.reset()
          gate.open()
        }
      }
      counter.signal()
      try gate.pass()
      try registration.update([])
      counter.signal()
      let turned = try Gate()
      reactor.perform { reactor.perform { turned.open() } }
      try turned.pass()
      #expect(calls.mutex.withLock { $0 } == 3)
      registration.cancel()
      #expect(reactor.pendingCount == 0)
    }
  }

  @Test("serves several registrations of one descriptor")
  func shared() async throws {
    try await withReactor { reactor in
      let (left, right) = try UnixSocket.pair()
      let (readable, writable) = (try Gate(), try Gate())
      let reading = try reactor.register(left.descriptor, for: .readable) { events in
        #expect(events == .readable)
        readable.open()
      }
      let writing = try reactor.register(left.descriptor, for: .writable) { events in
        #expect(events == .writable)
        writable.open()
      }
      try writable.pass()
      writing.cancel()
      _ = try UnixSocket.send(on: right, Array("a".utf8).span.bytes)
      try readable.pass()
      reading.cancel()
    }
  }

  @Test("refuses what it cannot watch")
  func refused() async throws {
    try await withReactor { reactor in
      let file = try Handle.open("/proc/self/exe", .readOnly)
      #expect(throws: SystemError.self) { try reactor.register(file.descriptor, for: .readable) { _ in } }
      #expect(reactor.pendingCount == 0)
    }
  }

  @Test("runs no handler after its registration was cancelled", arguments: 0..<20)
  func cancel(round: Int) async throws {
    try await withReactor { reactor in
      for _ in 0..<50 {
        let counter = try EventCounter()
        let isCancelled = Flag()
        let gate = try Gate()
        let registration = try reactor.register(counter.descriptor, for: .readable) { _ in
          #expect(!isCancelled.isSet)
          gate.open()
        }
        counter.signal()
        try gate.pass()
        registration.cancel()
        isCancelled.set()
      }
    }
  }

  @Test("lets a handler cancel its own registration, and releases what it keeps")
  func cancelInside() async throws {
    try await withReactor { reactor in
      var canary = try Canary()
      let counter = try EventCounter()
      let cell = Locked<Registration?>(nil)
      let gate = try Gate()
      let registration = try reactor.register(counter.descriptor, for: .readable) { [handle = try canary.release()] _ in
        #expect(handle.descriptor.rawValue >= 0)
        cell.mutex.withLock { $0.take() }?.cancel()
        gate.open()
      }
      cell.mutex.withLock { $0 = registration }
      counter.signal()
      try gate.pass()
      #expect(reactor.pendingCount == 0)
      // The handler is released when it has returned.
      #expect(try !Poll.wait(for: canary.reading.descriptor, .readable, deadline: patience()).isEmpty)
    }
  }

  /// Cancels a registration and a timer of its own when it goes.
  private final class Nested: Sendable {
    let registration: Registration
    let action: ScheduledAction

    init(_ reactor: Reactor, _ counter: EventCounter) throws {
      registration = try reactor.register(counter.descriptor, for: .readable) { _ in }
      action = reactor.schedule(at: patience()) {}
    }

    deinit {
      registration.cancel()
      action.cancel()
    }
  }

  @Test("lets what a handler or an action keeps cancel others as it is released")
  func nestedCancel() async throws {
    try await withReactor { reactor in
      let counters = try (0..<4).map { _ in try EventCounter() }
      let outer = try reactor.register(counters[0].descriptor, for: .readable) {
        [nested = try Nested(reactor, counters[1])] _ in
        _ = nested.registration
      }
      let action = reactor.schedule(at: patience()) { [nested = try Nested(reactor, counters[2])] in
        _ = nested.registration
      }
      outer.cancel()
      #expect(action.cancel())
      #expect(reactor.pendingCount == 0)
      reactor.schedule(at: patience()) { [nested = try Nested(reactor, counters[3])] in _ = nested.registration }
    }
  }

  @Test("runs tasks that prefer it on its own thread, with no hop across a wait")
  func taskExecutor() async throws {
    try await withReactor { reactor in
      let (left, right) = try SocketTransport.pair()
      let echo = Task(executorPreference: reactor) {
        while let frame = try await right.receive(on: reactor) {
          #expect(reactor.isCurrentThread)
          try await right.send(frame.bytes.span.bytes, on: reactor)
        }
        right.close()
      }
      let client = Task(executorPreference: reactor) {
        for number in UInt8(0)..<200 {
          try await left.send([number].span.bytes, on: reactor)
          #expect(reactor.isCurrentThread)
          #expect(try await left.receive(on: reactor)?.bytes == [number])
          #expect(reactor.isCurrentThread)
        }
        try left.finishSending()
      }
      try await client.value
      try await echo.value
    }
  }

  private actor Counter {
    private let executor: ReactorSerialExecutor
    private let reactor: Reactor
    private(set) var value = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(_ reactor: Reactor) {
      self.reactor = reactor
      executor = reactor.serialExecutor
    }

    func increment() {
      #expect(reactor.isCurrentThread)
      value += 1
    }
  }

  @Test("runs actors on its thread")
  func serialExecutor() async throws {
    try await withReactor { reactor in
      let counter = Counter(reactor)
      await withTaskGroup { group in
        for _ in 0..<100 { group.addTask { for _ in 0..<10 { await counter.increment() } } }
      }
      #expect(await counter.value == 1000)
    }
  }

  @Test("keeps handling I/O while tasks keep it busy")
  func fairness() async throws {
    try await withReactor { reactor in
      let counter = try EventCounter()
      let isDone = Flag()
      let registration = try reactor.register(counter.descriptor, for: .readable) { _ in
        counter.reset()
        isDone.set()
      }
      let busy = Task(executorPreference: reactor) {
        counter.signal()
        let deadline = patience()
        while !isDone.isSet && .now < deadline { await Task.yield() }
        return isDone.isSet
      }
      #expect(await busy.value)
      registration.cancel()
    }
  }

  @Test("finishes the work it was given when it is shut down, and resumes who waits")
  func shutdown() async throws {
    let reactor = try Reactor(name: "test")
    let (left, right) = try SocketTransport.pair()
    let waiting = Task(executorPreference: reactor) { try await left.receive(on: reactor) }
    while reactor.pendingCount == 0 { await Task.yield() }
    reactor.schedule(at: patience()) { Issue.record("ran a dropped timer") }
    let counter = Locked(0)
    for _ in 0..<100 { reactor.perform { reactor.perform { counter.mutex.withLock { $0 += 1 } } } }
    reactor.shutdown()
    reactor.shutdown()
    #expect(counter.mutex.withLock { $0 } == 100)
    await #expect(throws: TransportError.self) { try await waiting.value }
    #expect(throws: SystemError.self) { try reactor.register(left.readDescriptor, for: .readable) { _ in } }
    // Work still gets done, elsewhere.
    #expect(await Task(executorPreference: reactor) { 7 }.value == 7)
    withExtendedLifetime(right) {}
  }

  @Test("leaves no thread and no descriptor behind when it is shut down, from within too")
  func leaks() async {
    await #expect(processExitsWith: .success) {
      func round(_ isInside: Bool) async throws {
        let reactor = try Reactor(name: "test")
        if isInside {
          let gate = try Gate()
          reactor.perform {
            reactor.shutdown()
            gate.open()
          }
          try gate.pass()
        } else {
          reactor.shutdown()
        }
      }
      try await round(false)
      let before = try openDescriptorCount()
      for _ in 0..<300 { try await round(false) }
      // The runtime's own threads open a few, whenever they like; a leak would be two a round.
      #expect(try openDescriptorCount() < before + 30)
      for _ in 0..<100 { try await round(true) }
    }
  }
}
