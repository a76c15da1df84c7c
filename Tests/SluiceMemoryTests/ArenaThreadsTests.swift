import SluiceSystem
import Synchronization
import Testing
import TestSupport

@testable import SluiceMemory

/// An allocation filled with one byte, which nobody else may write.
private struct Filled: @unchecked Sendable {
  let buffer: UnsafeMutableRawBufferPointer
  let byte: UInt8

  init(_ buffer: UnsafeMutableRawBufferPointer, byte: UInt8) {
    self.buffer = buffer
    self.byte = byte
    fill()
  }

  /// Both ends and one byte in every page: an overlap of two allocations shows, and large ones stay quick.
  private func fill() {
    for offset in offsets { buffer[offset] = byte }
  }

  var isIntact: Bool { offsets.allSatisfy { buffer[$0] == byte } }

  private var offsets: some Sequence<Int> {
    sequence(first: 0) { $0 == buffer.count - 1 ? nil : min($0 + 1_021, buffer.count - 1) }
  }
}

/// Shared by the threads of one test.
private final class Shared: Sendable {
  let arena: Arena
  let handedOver = Mutex<[Filled]>([])
  let running = Atomic(0)
  let limitErrors = Atomic(0)

  init(_ arena: Arena) { self.arena = arena }

  func free(_ allocation: Filled) {
    if !allocation.isIntact { Issue.record("two allocations overlap") }
    guard let base = allocation.buffer.baseAddress else { return }
    arena.deallocate(base)
  }
}

@Suite struct ArenaThreadsTests {
  /// Every thread allocates and frees at random, what others allocated too, while one trims and locates.
  @Test func allocationsOfManyThreadsNeverOverlapAndAllComeBack() throws {
    let shared = Shared(try Arena(name: "test.threads", scope: .session, byteLimit: 512 << 20))
    let threadCount = 6
    shared.running.store(threadCount, ordering: .relaxed)
    onThreads(threadCount + 1) { thread in
      if thread == threadCount {
        while shared.running.load(ordering: .acquiring) > 0 {
          shared.arena.trim()
          for segment in shared.arena.segments {
            if let location = shared.arena.locate(segment.baseAddress), location.segment !== segment {
              Issue.record("located \(segment.name) in \(location.segment.name)")
            }
          }
        }
        return
      }
      defer { shared.running.subtract(1, ordering: .releasing) }
      var random = SeededGenerator(seed: UInt64(51 + thread))
      var mine: [Filled] = []
      for _ in 0..<15_000 {
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<5:
          let isLarge = Int.random(in: 0..<50, using: &random) == 0
          let byteCount = 1 << Int.random(in: 0..<(isLarge ? 23 : 15), using: &random)
          do {
            let buffer = try shared.arena.allocate(byteCount: byteCount)
            mine.append(Filled(buffer, byte: .random(in: 0...255, using: &random)))
          } catch {
            shared.limitErrors.add(1, ordering: .relaxed)
          }
        case 5..<7:
          if !mine.isEmpty { shared.free(mine.remove(at: Int.random(in: mine.indices, using: &random))) }
        case 7..<8:
          if let allocation = mine.popLast() { shared.handedOver.withLock { $0.append(allocation) } }
        default:
          if let allocation = shared.handedOver.withLock({ $0.popLast() }) { shared.free(allocation) }
        }
        while mine.count > 200 { shared.free(mine.removeFirst()) }
      }
      for allocation in mine { shared.free(allocation) }
    }
    for allocation in shared.handedOver.withLock({ $0 }) { shared.free(allocation) }
    #expect(shared.limitErrors.load(ordering: .relaxed) == 0)
    #expect(shared.arena.statistics.inUseByteCount == 0)
    shared.arena.trim()
    #expect(shared.arena.statistics.mappedByteCount == 0)
  }

  /// All threads run into a small limit again and again: each gets a typed error or memory, and all comes back.
  @Test func threadsThatMeetTheLimitTogetherGoOn() throws {
    let limit = 3 << 20
    let shared = Shared(try Arena(name: "test.threads.limit", scope: .session, byteLimit: limit))
    onThreads(4) { thread in
      var random = SeededGenerator(seed: UInt64(61 + thread))
      var mine: [Filled] = []
      for _ in 0..<1_500 {
        do throws(ArenaError) {
          let buffer = try shared.arena.allocate(byteCount: .random(in: 1...60_000, using: &random))
          mine.append(Filled(buffer, byte: UInt8(thread)))
        } catch {
          guard case .limitReached(limit, _, _) = error else {
            Issue.record(error)
            continue
          }
          shared.limitErrors.add(1, ordering: .relaxed)
          for allocation in mine.suffix(10) { shared.free(allocation) }
          mine.removeLast(min(10, mine.count))
        }
      }
      for allocation in mine { shared.free(allocation) }
    }
    #expect(shared.limitErrors.load(ordering: .relaxed) > 0, "the limit was met")
    #expect(shared.arena.statistics.inUseByteCount == 0)
    #expect(shared.arena.statistics.mappedByteCount <= limit)
    let whole = try shared.arena.allocate(byteCount: limit)
    #expect(whole.count == limit)
  }

  @Test func arenasAreMadeAndDieOnManyThreadsAtOnce() throws {
    onThreads(4) { thread in
      for round in 0..<100 {
        do {
          let arena = try Arena(name: "test.threads.many", scope: .session, byteLimit: 64 << 20)
          let allocations = try [10, 500, 20_000, 90_000, 3 << 20].map {
            Filled(try arena.allocate(byteCount: $0), byte: UInt8((thread * 100 + round) % 256))
          }
          if !allocations.allSatisfy(\.isIntact) { Issue.record("two allocations overlap") }
        } catch {
          Issue.record(error)
        }
      }
    }
    #expect(try ProcessState.mappingCount("test.threads.many") == 0)
    #expect(try ProcessState.descriptorCount("test.threads.many") == 0)
  }
}
