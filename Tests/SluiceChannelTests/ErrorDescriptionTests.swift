import CapnProto
import SluiceChannel
import SluiceMemory
import TestSupport
import Testing

/// Each error tells all that it knows: what, where, and the limit that was met.
@Suite struct ErrorDescriptionTests {
  @Test func `channels`() throws {
    let errors: [ChannelError] = [
      .timedOut, .cancelled, .streamedAnswer, .withdrawn, .closed, .sessionEnded(.connectionLost),
      .invalidMessage(CapnProtoError(.textNotTerminated)),
      .outOfMemory(.limitReached(byteLimit: 11, mapped: 12, requested: 13)),
      .tooManyLeases(.limitReached(capacity: 14)), .tooManyRequests(limit: 15), .tooManySegments(16, limit: 17),
      .tooManyHandles(18, limit: 19), .detailsTooLong(byteCount: 20, limit: 21), .reservedFailureCode(.max),
      .alreadyAnswered, .transport(.noRoom),
    ]
    // Its details are for programs.
    #expect("\(ChannelError.failed(code: 22, text: "why"))".hasSuffix("failure 22: why"))
    #expect(try flaws(of: errors, in: "Sources/SluiceChannel/ChannelError.swift") == ["no sample of failed"])
  }

  @Test func `ends of sessions`() throws {
    let errors: [SessionEnd] = [
      .closed, .closedByPeer("why"), .peerDied(pid: 31), .connectionLost, .protocolViolation("how"), .failed("what"),
    ]
    #expect(try flaws(of: errors, in: "Sources/SluiceChannel/ChannelError.swift") == [])
  }

  @Test func `metadata`() throws {
    let errors: [MetadataError] = [
      .otherType(found: 1, expected: 2), .malformed(CapnProtoError(.textNotTerminated)),
    ]
    #expect(try flaws(of: errors, in: "Sources/SluiceChannel/Metadata.swift") == [])
  }

  @Test func `envelopes`() throws {
    let errors: [EnvelopeError] = [
      .truncated(byteCount: 41), .unknownKind(42), .tooManyHandles(1043), .tooManySegments(10_044),
      .correlatedNotification(45), .contentWithout(.cancel), .failureTextTooLong(10_046),
      .failureDetailsTooLong(100_047), .noContent, .wrongSize(byteCount: 48, segments: 49), .reservedBitsSet,
      .misaligned(offset: 50, byteCount: 51),
    ]
    #expect(try flaws(of: errors, in: "Sources/SluiceChannel/Envelope.swift") == [])
  }
}
