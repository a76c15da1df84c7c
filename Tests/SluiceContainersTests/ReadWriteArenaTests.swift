import SluiceContainers
import SluiceSystem
import Synchronization
import Testing
import TestSupport

/// Memory that more than one writes to, with two participants in this process.
@Suite(.timeLimit(.minutes(1))) struct ReadWriteArenaTests {
  private func pair() throws -> (owner: ReadWriteArena, guest: ReadWriteArena) {
    let owner = try ReadWriteArena(name: "pair", byteCount: 1 << 16)
    return (owner, try ReadWriteArena(joining: owner.handle))
  }

  @Test func `what one end writes the other reads, and no end can truncate it`() throws {
    let (owner, guest) = try pair()
    let offset = try owner.allocate(byteCount: 100)
    try guest.store(Quote(price: 1.5, volume: 3), at: offset)
    #expect(try owner.load(Quote.self, at: offset) == Quote(price: 1.5, volume: 3))
    #expect(owner.segment.identity == guest.segment.identity)
    for arena in [owner, guest] {
      #expect(throws: (any Error).self) { try arena.handle.descriptor.resize(to: 4096) }
      #expect(throws: (any Error).self) { try arena.handle.descriptor.resize(to: 1 << 20) }
    }
    #expect(throws: ReadWriteError.notTheOwner) { _ = try guest.allocate(byteCount: 1) }
  }

  @Test func `a segment that could shrink, or that may not be written, is refused`() throws {
    let sealed = try Segment.create(name: "sealed", byteCount: 8192)
    #expect(throws: ReadWriteError.self) { _ = try ReadWriteArena(joining: sealed.handle) }
    let file = try Handle.open("/dev/null", .readWrite)
    #expect(throws: ReadWriteError.self) { _ = try ReadWriteArena(joining: file) }
    let empty = try ReadWriteSegment.create(name: "empty", byteCount: 8192)
    #expect(throws: ReadWriteError.notAnArena(name: "empty")) {
      _ = try ReadWriteArena(joining: empty.handle)
    }
    let short = try ReadWriteSegment.create(name: "short", byteCount: 1)
    #expect(throws: ReadWriteError.notAnArena(name: "short")) {
      _ = try ReadWriteArena(joining: short.handle)
    }
    #expect(throws: ReadWriteError.self) { _ = try ReadWriteArena(name: "small", byteCount: 4096) }
  }

  @Test func `places are checked`() throws {
    let (_, guest) = try pair()
    for offset in [Int.min, -8, 0, 4088, 1 << 16, Int.max] {
      #expect(throws: ReadWriteError.self) { _ = try guest.atomic(UInt64.self, at: offset) }
      #expect(throws: ReadWriteError.self) { _ = try guest.mutex(at: offset) }
      #expect(throws: ReadWriteError.self) { _ = try guest.load(UInt64.self, at: offset) }
    }
    #expect(throws: ReadWriteError.misaligned(offset: 4100, alignment: 8)) {
      _ = try guest.atomic(Int64.self, at: 4100)
    }
    #expect(throws: ReadWriteError.outOfBounds(offset: 65532, byteCount: 8, arenaByteCount: 65536)) {
      _ = try guest.load(UInt64.self, at: 65532)
    }
    _ = try guest.load(UInt32.self, at: 65532)
  }

  @Test(arguments: 0..<20 as Range<UInt64>)
  func `allocations never overlap, and all memory comes back`(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let arena = try ReadWriteArena(name: "model", byteCount: 1 << 15)
    var held: [(offset: Int, byteCount: Int)] = []
    for _ in 0..<400 {
      if Bool.random(using: &generator) {
        let byteCount = Int.random(in: 1...3000, using: &generator)
        do throws(ReadWriteError) {
          let offset = try arena.allocate(byteCount: byteCount)
          #expect(offset % 64 == 0 && offset >= 4096 && offset + byteCount <= 1 << 15)
          #expect(!held.contains { $0.offset < offset + byteCount && offset < $0.offset + $0.byteCount })
          held.append((offset, byteCount))
        } catch {
          guard case .outOfRoom = error else { throw error }
        }
      } else if let index = held.indices.randomElement(using: &generator) {
        let freed = held.remove(at: index)
        try arena.deallocate(offset: freed.offset, byteCount: freed.byteCount)
        #expect(throws: ReadWriteError.self) {
          try arena.deallocate(offset: freed.offset, byteCount: freed.byteCount)
        }
      }
    }
    for freed in held { try arena.deallocate(offset: freed.offset, byteCount: freed.byteCount) }
    #expect(try arena.allocate(byteCount: (1 << 15) - 4096) == 4096)
  }

  @Test func `atomics of all widths add up from two mappings`() throws {
    let (owner, guest) = try pair()
    let offset = try owner.allocate(byteCount: 64)
    try addUp(UInt64.self, owner, guest, offset)
    try addUp(Int32.self, owner, guest, offset + 8)
    try addUp(UInt16.self, owner, guest, offset + 12)
    try addUp(Int8.self, owner, guest, offset + 14)
    #expect(throws: ReadWriteError.self) { _ = try owner.atomic(UInt128.self, at: offset) }
  }

  private func addUp<Value: FixedWidthInteger & PlainBits>(
    _ type: Value.Type, _ owner: ReadWriteArena, _ guest: ReadWriteArena, _ offset: Int
  ) throws {
    let (mine, theirs) = (try owner.atomic(type, at: offset), try guest.atomic(type, at: offset))
    let thread = try WorkerThread(name: "adder") { for _ in 0..<10_000 { theirs.wrappingAdd(1) } }
    for _ in 0..<10_000 { mine.wrappingSubtract(3) }
    thread.join()
    #expect(mine.load() == Value(truncatingIfNeeded: -20_000))
    #expect(mine.exchange(7) == Value(truncatingIfNeeded: -20_000))
    #expect(theirs.compareExchange(expected: 6, desired: 5) == (false, 7))
    #expect(theirs.compareExchange(expected: 7, desired: 5) == (true, 7))
    mine.store(0)
    #expect(theirs.load() == 0)
  }

  @Test(arguments: [Int.min, -1, 0, 4097, .max]) func `a size that no allocation has is refused with what is possible`(
    byteCount: Int
  ) throws {
    let arena = try ReadWriteArena(name: "sizes", byteCount: 8192)
    #expect(throws: ReadWriteError.invalidByteCount(byteCount, limits: 1...4096)) {
      try arena.allocate(byteCount: byteCount)
    }
    #expect(try arena.allocate(byteCount: 4096) == 4096)
  }
}
