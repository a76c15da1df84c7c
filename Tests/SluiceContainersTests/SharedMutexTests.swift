import SluiceContainers
import SluiceSystem
import Synchronization
import Testing
import TestSupport

/// A mutex with two participants in this process; see ``ContentionTests`` for processes.
@Suite(.timeLimit(.minutes(1))) struct SharedMutexTests {
  private func pair() throws -> (arena: ReadWriteArena, guest: ReadWriteArena, offset: Int) {
    let owner = try ReadWriteArena(name: "mutex", byteCount: 8192)
    return (owner, try ReadWriteArena(joining: owner.handle), try owner.allocate(byteCount: 64))
  }

  @Test func `one holds it, the other waits for its turn or its deadline`() throws {
    let (owner, guest, offset) = try pair()
    let (mine, theirs) = (try owner.mutex(at: offset), try guest.mutex(at: offset))
    #expect(try mine.lock() == .orderly)
    #expect(try theirs.tryLock() == nil)
    #expect(throws: ReadWriteError.timedOut) { _ = try theirs.lock(timeout: .milliseconds(20)) }
    #expect(throws: ReadWriteError.timedOut) { _ = try theirs.lock(timeout: .zero) }
    #expect(throws: ReadWriteError.notHeld) { try theirs.unlock() }
    try mine.unlock()
    #expect(try theirs.tryLock() == .orderly)
    #expect(try mine.tryLock() == nil)
    try theirs.unlock()
    #expect(throws: ReadWriteError.notHeld) { try theirs.unlock() }
  }

  @Test func `threads of two participants exclude each other`() throws {
    let (owner, guest, offset) = try pair()
    let threads = try [owner, guest, owner, guest].map { arena in
      let mutex = try arena.mutex(at: offset)
      return try WorkerThread(name: "adder") {
        for _ in 0..<2000 {
          try? mutex.withLock { _ in
            let count = try arena.load(UInt64.self, at: offset + 8)
            try arena.store(count + 1, at: offset + 8)
          }
        }
      }
    }
    for thread in threads { thread.join() }
    #expect(try owner.load(UInt64.self, at: offset + 8) == 8000)
  }

  @Test func `a waiter learns that the holder left without unlocking`() throws {
    let (owner, guest, offset) = try pair()
    do {
      let leaving = try ReadWriteArena(joining: owner.handle)
      #expect(try leaving.mutex(at: offset).lock() == .orderly)
      #expect(try guest.mutex(at: offset).tryLock() == nil)
    }
    let mutex = try guest.mutex(at: offset)
    #expect(try mutex.lock() == .previousOwnerDied)
    try mutex.unlock()
    #expect(try owner.mutex(at: offset).lock() == .orderly)
  }

  @Test func `who comes after does not pass for the holder that left`() throws {
    let (owner, guest, offset) = try pair()
    do {
      let leaving = try ReadWriteArena(joining: owner.handle)
      _ = try leaving.mutex(at: offset).lock()
    }
    // Takes the place of the one that left, in another incarnation.
    let newcomer = try ReadWriteArena(joining: owner.handle)
    #expect(throws: ReadWriteError.notHeld) { try newcomer.mutex(at: offset).unlock() }
    #expect(try guest.mutex(at: offset).tryLock() == .previousOwnerDied)
    #expect(try newcomer.mutex(at: offset).tryLock() == nil)
  }

  @Test func `an abandoned mutex is nobody's any more`() throws {
    let (owner, guest, offset) = try pair()
    let (mine, theirs) = (try owner.mutex(at: offset), try guest.mutex(at: offset))
    _ = try mine.lock()
    let outcome = Mutex<ReadWriteError?>(nil)
    let isWaiting = Atomic(false)
    try withExtendedLifetime(outcome) {
      try runBeside({
        isWaiting.store(true, ordering: .releasing)
        do throws(ReadWriteError) { _ = try theirs.lock() } catch { outcome.withLock { $0 = error } }
      }) {
        while !isWaiting.load(ordering: .acquiring) { WorkerThread.yield() }
        try mine.abandon()
      }
    }
    #expect(outcome.withLock { $0 } == .abandoned)
    #expect(throws: ReadWriteError.abandoned) { _ = try mine.tryLock() }
    #expect(throws: ReadWriteError.abandoned) { _ = try mine.lock(timeout: .zero) }
  }

  /// Runs `body` while a thread runs `other`, and waits for both.
  private func runBeside(_ other: @escaping @Sendable () -> Void, _ body: () throws -> Void) throws {
    let thread = try WorkerThread(name: "beside", body: other)
    defer { thread.join() }
    try body()
  }

  @Test func `whatever stands in the word, nothing traps or waits for ever`() throws {
    let (owner, guest, offset) = try pair()
    let word = try owner.atomic(UInt32.self, at: offset)
    let mutex = try guest.mutex(at: offset)
    var generator = SeededGenerator(seed: 5)
    for _ in 0..<200 {
      let garbage = UInt32.random(in: .min ... .max, using: &generator)
      word.store(garbage)
      do throws(ReadWriteError) {
        // Nobody living has that number, or the mutex is abandoned.
        _ = try mutex.lock(timeout: .seconds(30))
        try mutex.unlock()
      } catch {
        #expect(error == .abandoned && garbage & 1 << 30 != 0)
      }
    }
    // All of the first page, which says who takes part.
    for place in stride(from: 64, to: 4096, by: 4) {
      owner.segment.baseAddress.storeBytes(
        of: .random(in: .min ... .max, using: &generator), toByteOffset: place, as: UInt32.self)
    }
    word.store(0)
    #expect(try mutex.tryLock() == .orderly)
    try mutex.unlock()
    _ = try ReadWriteArena(joining: owner.handle)
  }

  @Test func `as many take part as there are places, and a place comes back`() throws {
    let owner = try ReadWriteArena(name: "full", byteCount: 8192)
    var guests = try (0..<63).map { _ in try ReadWriteArena(joining: owner.handle) }
    #expect(throws: ReadWriteError.tooManyParticipants(limit: 64)) {
      _ = try ReadWriteArena(joining: owner.handle)
    }
    guests.removeLast()
    guests.append(try ReadWriteArena(joining: owner.handle))
    #expect(guests.count == 63)
  }
}
