import SluiceMemory
import SluiceSystem
import TestSupport
import Testing

/// Each error tells all that it knows: what, where, and the limit that was met.
@Suite struct ErrorDescriptionTests {
  @Test func `arenas`() throws {
    let errors: [ArenaError] = [
      .limitReached(byteLimit: 11, mapped: 12, requested: 13), .segment(.notSealable(name: "n")),
      .unsupportedRequest(byteCount: 14, alignment: 15), .arenaUnavailable(errno: 16),
    ]
    #expect(try flaws(of: errors, in: "Sources/SluiceMemory/ArenaError.swift") == [])
  }

  @Test func `leases`() throws {
    let errors: [LeaseError] = [
      .limitReached(capacity: 21), .unsupportedCapacity(22), .returnTableTooSmall(byteCount: 23, required: 24),
      .segment(.notSealable(name: "n")), .tooManySegments(limit: 25),
    ]
    #expect(try flaws(of: errors, in: "Sources/SluiceMemory/Lease.swift") == [])
  }

  @Test func `what an owner cannot have announced or lent`() throws {
    let errors: [BorrowError] = [
      .tooManySegments(limit: 31), .segmentOutOfOrder(id: 32, expected: 33), .noSuchSegment(34), .retired(35),
      .segmentInUse(36), .outOfBounds(id: 37, offset: 38, byteCount: 39, segmentByteCount: 40),
      .noSuchSlot(41, capacity: 42),
    ]
    #expect(try flaws(of: errors, in: "Sources/SluiceMemory/Borrower.swift") == [])
  }
}
