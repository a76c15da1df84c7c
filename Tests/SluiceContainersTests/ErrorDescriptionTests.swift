import CapnProto
import SluiceContainers
import SluiceSystem
import TestSupport
import Testing

/// Each error tells all that it knows: what, where, and the limit that was met.
@Suite struct ErrorDescriptionTests {
  @Test func `containers`() throws {
    let errors: [SharedError] = [
      .notAContainer(byteCount: 11), .wrongType(expected: "array<u8>", expectedFingerprint: 12, foundFingerprint: 13),
      .outOfBounds(what: "it", position: 14, byteCount: 15, limit: 16),
      .impossible(what: "it", position: 17, found: 18, limit: 19), .invalidText(position: 20),
      .misaligned(position: 21, alignment: 22), .readLimitReached(byteLimit: 23),
      .message(CapnProtoError(.textNotTerminated)), .outOfRoom(byteCount: 24, capacity: 25),
      .tooLarge(byteCount: 26, limit: 27), .duplicateKey(index: 28), .keysCollide(count: 29), .foreignReference,
      .unsuitableType("T", reason: "why"),
    ]
    #expect(try flaws(of: errors, in: "Sources/SluiceContainers/SharedError.swift") == [])
  }

  @Test func `memory that both ends write to`() throws {
    let errors: [ReadWriteError] = [
      .segment(.notSealable(name: "n")), .notAnArena(name: "n"), .invalidByteCount(31, limits: 32...33),
      .tooManyParticipants(limit: 34), .outOfBounds(offset: 35, byteCount: 36, arenaByteCount: 37),
      .misaligned(offset: 38, alignment: 39), .notTheOwner, .outOfRoom(byteCount: 40, largest: 41),
      .unsuitable(.foreignReference), .timedOut, .abandoned, .notHeld,
      .system(SystemError(operation: "futex", errno: .noMemory)),
    ]
    #expect(try flaws(of: errors, in: "Sources/SluiceContainers/ReadWrite/ReadWriteError.swift") == [])
  }
}
