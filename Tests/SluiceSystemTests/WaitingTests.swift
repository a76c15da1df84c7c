import Glibc
import SluiceSystem
import Synchronization
import SystemPackage
import Testing

@Suite("Waiting") struct WaitingTests {
  @Test("poll and epoll have the same bits")
  func bits() {
    #expect(IOEvents.readable.rawValue == UInt32(POLLIN) && IOEvents.writable.rawValue == UInt32(POLLOUT))
    #expect(IOEvents.failed.rawValue == UInt32(POLLERR) && IOEvents.hungUp.rawValue == UInt32(POLLHUP))
    #expect(IOEvents.peerFinished.rawValue == 0x2000)
  }

  @Test("a counter is readable from a signal to a reset")
  func counter() throws {
    let counter = try EventCounter()
    #expect(try !Poll.isReady(counter.descriptor, .readable))
    #expect(!counter.reset())
    counter.signal()
    counter.signal()
    #expect(try Poll.isReady(counter.descriptor, .readable))
    #expect(counter.reset())
    #expect(try !Poll.isReady(counter.descriptor, .readable))
  }

  @Test("a filled counter is not writable until a reset")
  func filledCounter() throws {
    let counter = try EventCounter()
    #expect(try Poll.isReady(counter.descriptor, .writable))
    counter.fill()
    counter.fill()
    #expect(try !Poll.isReady(counter.descriptor, .writable))
    counter.reset()
    #expect(try Poll.isReady(counter.descriptor, .writable))
  }

  @Test("a deadline ends a wait, not before it")
  func deadline() throws {
    let counter = try EventCounter()
    let epoll = try Epoll()
    try epoll.add(counter.descriptor, .readable, token: 1)
    let start = ContinuousClock.now
    #expect(try Poll.wait(for: counter.descriptor, .readable, deadline: start + .milliseconds(3)).isEmpty)
    #expect(ContinuousClock.now >= start + .milliseconds(3))
    #expect(try epoll.wait(deadline: start + .milliseconds(6)) { _, _ in } == 0)
    #expect(ContinuousClock.now >= start + .milliseconds(6))
    var word: UInt32 = 7
    #expect(try Futex.wait(on: &word, while: 7, deadline: start + .milliseconds(9)) == .timedOut)
    #expect(ContinuousClock.now >= start + .milliseconds(9))
    #expect(Deadline.nanosecondsLeft(until: start) == 0)
    #expect(Deadline.nanosecondsLeft(until: nil) < 0)
    #expect(Deadline.nanosecondsLeft(until: start + .seconds(Int64.max / 4)) > 1_000_000_000_000)
  }

  @Test("several descriptors are waited for at once")
  func several() throws {
    let counters = try (0..<3).map { _ in try EventCounter() }
    counters[1].signal()
    let ready = try Poll.wait(for: counters.map { ($0.descriptor, .readable) }, deadline: patience())
    #expect(ready == [[], .readable, []])
  }

  @Test("an epoll set reports tokens of what is ready, as it was told last")
  func epoll() throws {
    let epoll = try Epoll()
    let counters = try (0..<100).map { _ in try EventCounter() }
    for (index, counter) in counters.enumerated() {
      try epoll.add(counter.descriptor, .readable, token: UInt64(index) << 32)
      counter.signal()
    }
    #expect(throws: SystemError.self) { try epoll.add(counters[0].descriptor, .readable, token: 0) }
    var seen: Set<UInt64> = []
    for _ in 0..<2 { try epoll.wait(deadline: patience()) { token, _ in seen.insert(token >> 32) } }
    #expect(seen.count > 64 && seen.isSubset(of: Set(0..<100)))
    for counter in counters.dropFirst() { try epoll.remove(counter.descriptor) }
    try epoll.modify(counters[0].descriptor, .writable, token: 5)
    var events: [UInt64: IOEvents] = [:]
    #expect(try epoll.wait(deadline: patience()) { events[$0] = $1 } == 1)
    #expect(events == [5: .writable])
    #expect(throws: SystemError.self) { try epoll.remove(counters[1].descriptor) }
  }

  @Test("an edge is reported once")
  func edges() throws {
    let epoll = try Epoll()
    let counter = try EventCounter()
    try epoll.add(counter.descriptor, [.readable, .edgeTriggered], token: 1)
    for _ in 0..<3 {
      counter.signal()
      #expect(try epoll.wait(deadline: patience()) { _, _ in } == 1)
      #expect(try epoll.wait(deadline: .now) { _, _ in } == 0)
    }
  }

  /// A word in memory that threads share.
  private final class Word: @unchecked Sendable {
    let pointer = UnsafeMutablePointer<UInt32>.allocate(capacity: 1)
    init() { pointer.initialize(to: 0) }
    deinit { pointer.deallocate() }
  }

  @Test("a futex wakes its waiter, and does not wait for a value that is gone")
  func futex() throws {
    let word = Word()
    #expect(try Futex.wait(on: word.pointer, while: 1) == .valueChanged)
    let outcome = Mutex<Futex.Outcome?>(nil)
    let box = Box(outcome)
    let thread = try WorkerThread(name: "waiter") {
      box.value.withLock { $0 = try? Futex.wait(on: word.pointer, while: 0, deadline: patience()) }
    }
    while try Futex.wake(word.pointer, count: 1) == 0 { sched_yield() }
    thread.join()
    #expect(box.value.withLock { $0 } == .woken)
    #expect(try Futex.wake(word.pointer) == 0)
  }

  private final class Box<Value: Sendable>: Sendable {
    let value: Mutex<Value>
    init(_ value: consuming Mutex<Value>) { self.value = value }
  }

  @Test("signals interrupt nothing", arguments: 0..<3)
  func interrupts(wait: Int) throws {
    // A handler that does nothing, and without SA_RESTART: each signal makes the waiting call return EINTR.
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in }
    #expect(sigaction(SIGUSR2, &action, nil) == 0)
    let counter = try EventCounter()
    let word = Word()
    let thread = Box(Mutex<pthread_t?>(nil))
    let result = Box(Mutex<Bool>(false))
    let worker = try WorkerThread(name: "interrupted") {
      thread.value.withLock { $0 = pthread_self() }
      let isWoken =
        switch wait {
        case 0: (try? Poll.wait(for: counter.descriptor, .readable, deadline: patience())) == .readable
        case 1:
          if let epoll = try? Epoll(), (try? epoll.add(counter.descriptor, .readable, token: 1)) != nil {
            (try? epoll.wait(deadline: patience()) { _, _ in }) == 1
          } else {
            false
          }
        default: (try? Futex.wait(on: word.pointer, while: 0, deadline: patience())) == .woken
        }
      result.value.withLock { $0 = isWoken }
    }
    var id: pthread_t?
    while id == nil {
      sched_yield()
      id = thread.value.withLock { $0 }
    }
    for _ in 0..<200 {
      if let id { pthread_kill(id, SIGUSR2) }
      sched_yield()
    }
    if wait < 2 { counter.signal() } else { while try Futex.wake(word.pointer, count: 1) == 0 { sched_yield() } }
    worker.join()
    #expect(result.value.withLock { $0 })
  }

  @Test("a thread knows itself, and ends when it is joined")
  func thread() throws {
    let identifier = Box(Mutex<UInt>(0))
    let thread = try WorkerThread(name: "a name of more than fifteen bytes") {
      identifier.value.withLock { $0 = WorkerThread.currentIdentifier }
    }
    #expect(!thread.isCurrent)
    thread.join()
    #expect(identifier.value.withLock { $0 } != 0)
    #expect(identifier.value.withLock { $0 } != WorkerThread.currentIdentifier)
  }
}
