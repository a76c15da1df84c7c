import SluiceSystem
import SluiceTransport
import TestSupport
import Testing

@testable import SluiceSession

/// Each error tells all that it knows: what, where, and the limit that was met.
@Suite struct ErrorDescriptionTests {
  private let system = SystemError(operation: "connect", errno: .permissionDenied)

  @Test func `sessions`() throws {
    let (ours, theirs) = (ProtocolVersions(lowest: 11, highest: 12), ProtocolVersions(lowest: 13, highest: 14))
    let errors: [SessionError] = [
      .invalidAppName("a b"), .runtimeDirectory(path: "/p", problem: "why"), .serverAlreadyRunning(app: "a", pid: 15),
      .serverNotRunning(app: "a", path: "/p/socket"), .wrongServerIdentity("how"),
      .refused(.rateLimit, message: "why"), .versionMismatch(ours: ours, theirs: theirs), .timedOut, .cancelled,
      .channelRefused(.declined, message: "why"), .noSuchInitialChannel(16), .alreadyAnswered,
      .introductionTooLong(byteCount: 17, limit: 18), .tooManyInitialChannels(19, limit: 20),
      .sessionEnded(.connectionLost), .protocolViolation("how"), .tooManyChannels(limit: 21),
      .metadataTooLong(byteCount: 22, limit: 23), .system(system), .segment(.notSealable(name: "n")),
      .ring(.invalidCapacity(24)), .queue(.failed(system)), .tooManyOwnLinks(limit: 25), .readWriteNotAgreed,
      .readWrite(.notHeld), .arena(.arenaUnavailable(errno: 26)), .transport(.noRoom), .listener(.closed),
    ]
    #expect(try flaws(of: errors, in: "Sources/SluiceSession/SessionError.swift") == [])
  }

  @Test func `control messages`() throws {
    let errors: [ControlError] = [
      .malformed("how"), .unknownMessage(31), .unknownScope(32), .unknownBacking(33),
      .wrongHandleCount(34, expected: 35...36),
      .metadataTooLong(byteCount: 37, limit: 38), .tooManyChannels(39, limit: 40), .wrongLane(41), .unknownLink(42),
      .twoLinks,
    ]
    #expect(try flaws(of: errors, in: "Sources/SluiceSession/Control+Decoding.swift") == [])
  }
}
