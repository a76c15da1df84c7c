import Foundation
import SluiceSystem
import Synchronization
import Testing
import TestSupport

@testable import SluiceMemory

@Suite struct ArenaTests {
  @Test func allocationsOfAnySizeAreAlignedUsableAndCounted() throws {
    let arena = try Arena(name: "test.sizes", scope: .session, byteLimit: 256 << 20)
    var expected = 0
    var buffers: [UnsafeMutableRawBufferPointer] = []
    for byteCount in [0, 1, 15, 16, 17, 100, 4_095, 4_096, 32_768, 32_769, 1 << 20, (1 << 20) + 1, 40 << 20] {
      for alignment in [1, 8, 16, 64, 4_096] {
        let buffer = try arena.allocate(byteCount: byteCount, alignment: alignment)
        #expect(buffer.count >= byteCount)
        #expect(UInt(bitPattern: buffer.baseAddress) % UInt(alignment) == 0)
        buffer.initializeMemory(as: UInt8.self, repeating: 0xa5)
        expected += buffer.count
        #expect(arena.statistics.inUseByteCount == expected)
        buffers.append(buffer)
        if byteCount > 1 << 20 { break }
      }
    }
    for buffer in buffers {
      arena.deallocate(try #require(buffer.baseAddress))
      expected -= buffer.count
      #expect(arena.statistics.inUseByteCount == expected)
    }
    #expect(expected == 0)
  }

  @Test func requestsThatMakeNoSenseAreRefused() throws {
    let arena = try Arena(name: "test.nonsense", scope: .session, byteLimit: 1 << 20)
    for (byteCount, alignment) in [(-1, 16), (.min, 16), (8, 0), (8, -8), (8, 24), (8, 8_192)] {
      #expect(throws: ArenaError.unsupportedRequest(byteCount: byteCount, alignment: alignment)) {
        try arena.allocate(byteCount: byteCount, alignment: alignment)
      }
    }
    #expect(throws: ArenaError.limitReached(byteLimit: 1 << 20, mapped: 0, requested: .max)) {
      try arena.allocate(byteCount: .max)
    }
    #expect(arena.segments.isEmpty)
    let unlimited = try Arena(name: "test.nonsense", scope: .session, byteLimit: .max)
    for byteCount in [Int.max, .max - 4_096, (1 << 56) + 1] {
      #expect(throws: ArenaError.limitReached(byteLimit: 1 << 56, mapped: 0, requested: byteCount)) {
        try unlimited.allocate(byteCount: byteCount)
      }
    }
  }

  @Test func aPointerIsLocatedInItsSegmentAndNowhereElse() throws {
    let arena = try Arena(name: "test.locate", scope: .session, byteLimit: 256 << 20)
    let small = try arena.allocate(byteCount: 100)
    let large = try arena.allocate(byteCount: 10 << 20)
    #expect(arena.segments.map(\.name) == ["test.locate.0", "test.locate.1"])
    for (buffer, index) in [(small, 0), (large, 1)] {
      let start = try #require(buffer.baseAddress)
      let location = try #require(arena.locate(start))
      #expect(location.segmentIndex == index)
      #expect(location.segment === arena.segments[index])
      #expect(location.segment.baseAddress + location.offset == start)
      let last = try #require(arena.locate(start + buffer.count - 1))
      #expect(last.segmentIndex == index && last.offset == location.offset + buffer.count - 1)
    }
    let end = try #require(arena.segments.last).baseAddress + (10 << 20)
    #expect(arena.locate(end) == nil || arena.locate(end)?.segmentIndex == 0)
    var local = 0
    #expect(withUnsafePointer(to: &local) { arena.locate($0) } == nil)
  }

  @Test func aBorrowerReadsAnAllocationInPlace() throws {
    let arena = try Arena(name: "test.inplace", scope: .session, byteLimit: 64 << 20)
    let buffer = try arena.allocate(byteCount: 5_000)
    buffer.initializeMemory(as: UInt8.self, repeating: 7)
    let location = try #require(arena.locate(base(buffer)))
    let borrowed = try BorrowedSegment(
      location.segment.handle, name: location.segment.name, byteCount: location.segment.byteCount)
    #expect(borrowed.inode == location.segment.inode)
    let seen = UnsafeRawBufferPointer(start: borrowed.baseAddress + location.offset, count: buffer.count)
    #expect(seen.allSatisfy { $0 == 7 })
  }

  /// Whoever maps a segment can read all of it: the allocator must leave nothing there, no pointer above all.
  @Test func theAllocatorWritesNothingIntoTheSegments() throws {
    let arena = try Arena(name: "test.clean", scope: .session, byteLimit: 256 << 20)
    var random = SeededGenerator(seed: 41)
    var live: [UnsafeMutableRawBufferPointer] = []
    for _ in 0..<20_000 {
      if live.count > 500 || (!live.isEmpty && Int.random(in: 0..<3, using: &random) == 0) {
        let buffer = live.remove(at: Int.random(in: live.indices, using: &random))
        arena.deallocate(try #require(buffer.baseAddress))
      } else {
        live.append(try arena.allocate(byteCount: 1 << Int.random(in: 0..<18, using: &random)))
      }
    }
    arena.trim()
    #expect(arena.segments.count > 1)
    for segment in arena.segments {
      let bytes = UnsafeRawBufferPointer(start: segment.baseAddress, count: segment.byteCount)
      let words = bytes.bindMemory(to: UInt64.self)
      #expect(words.allSatisfy { $0 == 0 }, "\(segment.name) holds what nobody has written")
    }
  }

  @Test func theLimitIsNamedAndHoldsAndRoomThatReturnsIsUsable() throws {
    let limit = 8 << 20
    for byteCount in [64, 5_000, 32 << 10, 100_000, 1 << 20, 3 << 20] {
      let arena = try Arena(name: "test.limit", scope: .session, byteLimit: limit)
      for _ in 0..<3 {
        var live: [UnsafeMutableRawBufferPointer] = []
        var error: ArenaError?
        while error == nil {
          do throws(ArenaError) {
            live.append(try arena.allocate(byteCount: byteCount))
          } catch let failure {
            error = failure
          }
        }
        guard case .limitReached(limit, let mapped, let requested) = error else {
          Issue.record("expected the limit, not \(String(describing: error))")
          return
        }
        #expect(mapped <= limit && arena.statistics.mappedByteCount <= limit)
        #expect(requested >= byteCount)
        #expect(live.count * byteCount > limit / 2, "most of the limit is usable")
        // One comes back, one can go.
        arena.deallocate(try base(live.removeLast()))
        live.append(try arena.allocate(byteCount: byteCount))
        for buffer in live { arena.deallocate(try base(buffer)) }
        #expect(arena.statistics.inUseByteCount == 0)
      }
      // All of it can serve one allocation now, though it was in small pieces.
      arena.deallocate(try base(arena.allocate(byteCount: limit)))
    }
  }

  @Test func trimmingGivesEmptySegmentsBackAndIndexesAreNotReused() throws {
    let arena = try Arena(name: "test.trim", scope: .session, byteLimit: 256 << 20)
    let small = try base(arena.allocate(byteCount: 64))
    let large = try base(arena.allocate(byteCount: 50 << 20))
    #expect(arena.segments.map(\.name) == ["test.trim.0", "test.trim.1"])
    arena.deallocate(large)
    #expect(arena.segments.count == 2, "free memory stays mapped until it is trimmed")
    arena.trim()
    #expect(arena.segments.map(\.name) == ["test.trim.0"])
    #expect(arena.statistics.mappedByteCount == Arena.defaultFirstSegmentByteCount)
    #expect(try ProcessState.mappingCount("test.trim.1") == 0)
    arena.deallocate(small)
    arena.trim()
    let empty = ArenaStatistics(
      byteLimit: 256 << 20, mappedByteCount: 0, inUseByteCount: 0, residentByteCount: 0, segmentCount: 0)
    #expect(arena.statistics == empty)
    #expect(arena.locate(small) == nil)
    let again = try base(arena.allocate(byteCount: 64))
    #expect(arena.locate(again)?.segmentIndex == 2)
    #expect(arena.segments.map(\.name) == ["test.trim.2"])
  }

  @Test func segmentsDoubleAndSmallAllocationsDoNotBreakUpHugeOnes() throws {
    let arena = try Arena(name: "test.doubling", scope: .session, byteLimit: 1 << 30, firstSegmentByteCount: 1 << 20)
    let huge = try base(arena.allocate(byteCount: 100 << 20))
    arena.deallocate(huge)
    let small = try (0..<100).map { _ in try base(arena.allocate(byteCount: 10_000)) }
    #expect(small.allSatisfy { arena.locate($0)?.segmentIndex == 1 })
    #expect(try base(arena.allocate(byteCount: 100 << 20)) == huge)
    // 4,000 MiB-sized allocations must not take thousands of descriptors.
    let arenaOfMany = try Arena(name: "test.many", scope: .session, byteLimit: 8 << 30)
    for _ in 0..<4_000 { _ = try arenaOfMany.allocate(byteCount: 1 << 20) }
    #expect(arenaOfMany.segments.count < 40)
  }

  @Test func inSteadyStateNothingIsMappedAndNoNewPageIsTouched() throws {
    let arena = try Arena(name: "test.steady", scope: .session, byteLimit: 1 << 30)
    func cycle() throws {
      for byteCount in [64, 1 << 20, 100 << 20] {
        let buffer = try arena.allocate(byteCount: byteCount)
        buffer.initializeMemory(as: UInt8.self, repeating: 1)
        arena.deallocate(try #require(buffer.baseAddress))
      }
    }
    try cycle()
    let segments = arena.segments.map(\.inode)
    let resident = arena.segments.map(ProcessState.residentByteCount)
    for _ in 0..<10 { try cycle() }
    #expect(arena.segments.map(\.inode) == segments)
    #expect(arena.segments.map(ProcessState.residentByteCount) == resident)
  }

  @Test func nothingIsLeftOfAnArenaThatDies() throws {
    for round in 0..<20 {
      let arena = try Arena(name: "test.dies", scope: .session, byteLimit: 1 << 30)
      for byteCount in [10, 1_000, 30_000, 100_000, 5 << 20] {
        for _ in 0..<10 {
          let buffer = try arena.allocate(byteCount: byteCount)
          buffer.initializeMemory(as: UInt8.self, repeating: UInt8(round))
        }
      }
      #expect(try ProcessState.mappingCount("test.dies") == arena.segments.count)
    }
    #expect(try ProcessState.mappingCount("test.dies") == 0)
    #expect(try ProcessState.descriptorCount("test.dies") == 0)
  }

  @Test func aSegmentThatIsStillHeldOutlivesItsArena() throws {
    var arena: Arena? = try Arena(name: "test.held", scope: .session, byteLimit: 1 << 20)
    let buffer = try #require(try arena?.allocate(byteCount: 64))
    buffer.initializeMemory(as: UInt8.self, repeating: 9)
    let location = try #require(arena?.locate(base(buffer)))
    arena = nil
    #expect(location.segment.baseAddress.load(fromByteOffset: location.offset, as: UInt8.self) == 9)
  }

  @Test func jemallocArenasAreReusedSoThatAnyNumberOfArenasCanLiveOneAfterTheOther() throws {
    // More than jemalloc has in all.
    for _ in 0..<5_000 {
      let arena = try Arena(name: "test.pool", scope: .session, byteLimit: 4 << 20)
      _ = try arena.allocate(byteCount: 64)
    }
  }

  private func base(_ buffer: UnsafeMutableRawBufferPointer) throws -> UnsafeMutableRawPointer {
    try #require(buffer.baseAddress)
  }
}
