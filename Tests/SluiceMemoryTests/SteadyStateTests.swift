import CJemalloc
import SluiceSystem
import Testing

@testable import SluiceMemory

/// Where jemalloc counts the bytes that this thread has taken from the heap, and from arenas, so far.
private func allocatedByteCounter() throws -> UnsafePointer<UInt64> {
  var counter: UnsafePointer<UInt64>?
  var size = MemoryLayout<UnsafePointer<UInt64>?>.size
  #expect(mallctl("thread.allocatedp", &counter, &size, nil, 0) == 0)
  return try #require(counter)
}

/// What `body` takes from the heap in a thousand rounds, after some rounds in which books and caches grow.
private func allocatedBytes(_ body: () throws -> Void) throws -> UInt64 {
  for _ in 0..<100 { try body() }
  let counter = try allocatedByteCounter()
  let before = counter.pointee
  for _ in 0..<1000 { try body() }
  return counter.pointee - before
}

@Suite struct SteadyStateTests {
  @Test func `what is counted here is counted`() throws {
    var kept: [LentBytes] = []
    kept.reserveCapacity(2000)
    let allocated = try allocatedBytes { kept.append(LentBytes(1)) }
    #expect(allocated >= 1000 * 16)
  }

  /// Unoptimised code boxes what a closure is handed.
  private static var isOptimised: Bool {
    var isOptimised = true
    assert({ isOptimised = false }() == ())
    return isOptimised
  }

  @Test(.enabled(if: isOptimised)) func `lending, borrowing, returning and booking take nothing from the heap`() throws
  {
    let pair = try LoanPair(capacity: 1024)
    let arena = try Arena(name: "test.steady", scope: .session)
    let buffer = try arena.allocate(byteCount: 64)
    let base = try #require(buffer.baseAddress)
    let loan = LentBytes(64)
    var leases = [Lease](repeating: Lease(slot: 0, generation: 0), count: 40)
    let allocated = try allocatedBytes {
      for index in leases.indices {
        guard let place = arena.locate(base) else { throw LeaseError.unsupportedCapacity(0) }
        let id = try pair.identify(place.segment)
        leases[index] = try pair.lender.lend(loan)
        guard try pair.borrower.bytes(in: id, offset: UInt64(place.offset), byteCount: 64) != nil,
          try pair.borrower.take(leases[index])
        else { throw LeaseError.limitReached(capacity: 0) }
      }
      for lease in leases { pair.borrower.giveBack(lease) }
      pair.lender.drain()
    }
    #expect(allocated == 0)
    #expect(pair.lender.outstandingCount == 0)
    arena.deallocate(base)
  }

  @Test func `each step of a loan takes nothing from the heap`() throws {
    let pair = try LoanPair(capacity: 1024)
    let segment = try Segment.create(name: "test.steady.steps", byteCount: 4096)
    let id = try pair.identify(segment)
    let loan = LentBytes(64)
    let allocated = try allocatedBytes {
      guard try pair.identify(segment) == id else { throw LeaseError.unsupportedCapacity(0) }
      let lease = try pair.lender.lend(loan)
      guard try pair.borrower.bytes(in: id, offset: 64, byteCount: 64) != nil, try pair.borrower.take(lease) else {
        throw LeaseError.unsupportedCapacity(0)
      }
      pair.borrower.giveBack(lease)
      pair.lender.takeBack(lease)
      pair.lender.drain()
    }
    #expect(allocated == 0)
  }

  @Test(arguments: [1, 64, 1000, 32 << 10])
  func `an arena takes nothing but the allocation itself`(byteCount: Int) throws {
    let arena = try Arena(name: "test.steady.small", scope: .session)
    var taken: UInt64 = 0
    let allocated = try allocatedBytes {
      let buffer = try arena.allocate(byteCount: byteCount)
      taken += UInt64(buffer.count)
      if let base = buffer.baseAddress { arena.deallocate(base) }
    }
    // The first hundred rounds are not measured.
    #expect(allocated * 11 == taken * 10)
  }
}
