import SluiceSystem
import Synchronization
import Testing
import TestSupport

@testable import SluiceMemory

/// What an arena keeps, gives back, and says about it.
@Suite struct ArenaUpkeepTests {
  private func base(_ buffer: UnsafeMutableRawBufferPointer) throws -> UnsafeMutableRawPointer {
    try #require(buffer.baseAddress)
  }

  @Test func `a large allocation grows and shrinks where it stands, as far as there is room`() throws {
    let arena = try Arena(name: "test.resize", scope: .session, byteLimit: 64 << 20, firstSegmentByteCount: 16 << 20)
    let first = try base(arena.allocate(byteCount: 1 << 20))
    first.storeBytes(of: 42, toByteOffset: (1 << 20) - 1, as: UInt8.self)
    let grown = try #require(arena.resizeInPlace(first, byteCount: 5 << 20))
    #expect(grown.baseAddress == first && grown.count == 5 << 20)
    #expect(grown[(1 << 20) - 1] == 42)
    #expect(arena.inUseByteCount == 5 << 20)
    let second = try base(arena.allocate(byteCount: 1 << 20))
    #expect(second == first + (5 << 20), "directly behind it")
    #expect(arena.resizeInPlace(first, byteCount: 6 << 20) == nil)
    #expect(arena.inUseByteCount == 6 << 20)
    // Shrinking gives the rest back at once, to be had again.
    #expect(arena.resizeInPlace(first, byteCount: 100)?.count == 4096)
    #expect(arena.inUseByteCount == (1 << 20) + 4096)
    #expect(try base(arena.allocate(byteCount: (5 << 20) - 4096)) == first + 4096)
    for byteCount in [0, -1, .max, 65 << 20] { #expect(arena.resizeInPlace(first, byteCount: byteCount) == nil) }
  }

  @Test func `a small allocation stays where it is if its size class has room`() throws {
    let arena = try Arena(name: "test.resize.small", scope: .session, byteLimit: 64 << 20)
    let buffer = try arena.allocate(byteCount: 100)
    #expect(arena.resizeInPlace(try base(buffer), byteCount: buffer.count)?.count == buffer.count)
    #expect(arena.resizeInPlace(try base(buffer), byteCount: 30_000) == nil)
    #expect(arena.inUseByteCount == buffer.count)
    arena.deallocate(try base(buffer))
    #expect(arena.inUseByteCount == 0)
  }

  /// Random sizes, against a model: the arena's bytes in use, and what stands in each allocation.
  @Test(arguments: [5, 6] as [UInt64]) func `resizing keeps the books and the content`(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let arena = try Arena(name: "test.resize.model", scope: .session, byteLimit: 256 << 20)
    var live: [(buffer: UnsafeMutableRawBufferPointer, byte: UInt8)] = []
    for step in 0..<3_000 {
      let byteCount = 1 << Int.random(in: 4..<21, using: &random) + Int.random(in: 0..<100, using: &random)
      if live.isEmpty || step % 3 == 0 {
        let buffer = try arena.allocate(byteCount: byteCount)
        buffer[0] = UInt8(truncatingIfNeeded: step)
        live.append((buffer, UInt8(truncatingIfNeeded: step)))
      } else {
        let index = Int.random(in: live.indices, using: &random)
        if step % 3 == 1 {
          if let resized = arena.resizeInPlace(try base(live[index].buffer), byteCount: byteCount) {
            #expect(resized.count >= byteCount && resized.baseAddress == live[index].buffer.baseAddress)
            live[index].buffer = resized
          }
        } else {
          arena.deallocate(try base(live.remove(at: index).buffer))
        }
      }
      #expect(arena.inUseByteCount == live.reduce(0) { $0 + $1.buffer.count })
      #expect(live.allSatisfy { $0.buffer[0] == $0.byte })
    }
    for (buffer, _) in live { arena.deallocate(try base(buffer)) }
    arena.trim()
    #expect(arena.statistics.mappedByteCount == 0)
  }

  @Test func `idle segments go after two looks, used ones stay`() throws {
    let arena = try Arena(name: "test.decay", scope: .session, byteLimit: 1 << 30)
    let kept = try base(arena.allocate(byteCount: 64))
    arena.deallocate(try base(arena.allocate(byteCount: 50 << 20)))
    #expect(arena.segments.count == 2)
    #expect(arena.decay())
    #expect(arena.segments.count == 2, "it was used since the last look")
    // In use again between the looks, however briefly.
    arena.deallocate(try base(arena.allocate(byteCount: 50 << 20)))
    arena.decay()
    #expect(arena.segments.count == 2)
    arena.decay()
    #expect(arena.segments.map(\.name) == ["test.decay.0"])
    arena.deallocate(kept)
    arena.decay()
    arena.decay()
    #expect(!arena.decay())
    #expect(arena.segments.isEmpty)
    #expect(try ProcessState.mappingCount("test.decay") == 0)
  }

  @Test func `whoever observes hears of each segment that came and went, once`() throws {
    let arena = try Arena(name: "test.observed", scope: .session, byteLimit: 40 << 20)
    let retired = Mutex<[String]>([])
    let growths = Atomic(0)
    arena.observe { change in
      if change.hasGrown { growths.wrappingAdd(1, ordering: .relaxed) }
      retired.withLock { $0 += change.retired.map(\.name) }
    }
    let small = try base(arena.allocate(byteCount: 64))
    #expect(growths.load(ordering: .relaxed) == 1)
    arena.deallocate(try base(arena.allocate(byteCount: 20 << 20)))
    #expect(growths.load(ordering: .relaxed) == 2)
    // At the limit an empty segment makes way.
    arena.deallocate(try base(arena.allocate(byteCount: 30 << 20)))
    #expect(retired.withLock { $0 } == ["test.observed.1"])
    arena.trim()
    arena.deallocate(small)
    arena.trim()
    #expect(retired.withLock { $0 } == ["test.observed.1", "test.observed.2", "test.observed.0"])
    arena.trim()
    #expect(retired.withLock { $0.count } == 3)
  }

  @Test func `who waits for room is woken by a deallocation`() throws {
    let arena = try Arena(name: "test.awaited", scope: .session, byteLimit: 4 << 20)
    let held = try base(arena.allocate(byteCount: 4 << 20))
    let woken = Atomic(0)
    let gone = arena.waitForRoom { Issue.record("woken after it went") }
    arena.stopWaiting(gone)
    _ = arena.waitForRoom { woken.wrappingAdd(1, ordering: .relaxed) }
    #expect(throws: ArenaError.self) { try arena.allocate(byteCount: 100_000) }
    #expect(woken.load(ordering: .relaxed) == 0)
    arena.deallocate(held)
    #expect(woken.load(ordering: .relaxed) == 1)
    arena.deallocate(try base(arena.allocate(byteCount: 100_000)))
    #expect(woken.load(ordering: .relaxed) == 1, "once")
  }

  @Test func `resident memory is what was touched`() throws {
    let arena = try Arena(name: "test.resident", scope: .session, byteLimit: 1 << 30)
    let buffer = try arena.allocate(byteCount: 20 << 20)
    let before = arena.statistics
    #expect(before.inUseByteCount == 20 << 20 && before.residentByteCount < 1 << 20)
    buffer.initializeMemory(as: UInt8.self, repeating: 1)
    #expect(arena.statistics.residentByteCount >= 20 << 20)
    arena.deallocate(try base(buffer))
    #expect(arena.statistics.residentByteCount >= 20 << 20, "free pages stay warm")
    arena.trim()
    #expect(arena.statistics.residentByteCount == 0)
  }
}
