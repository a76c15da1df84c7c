import SluiceSystem
import SluiceTransport
import TestSupport
import Testing

/// Each error tells all that it knows: what, where, and the limit that was met.
@Suite struct TransportErrorDescriptionTests {
  private let system = SystemError(operation: "recvmsg", errno: .badFileDescriptor)

  @Test func `transports and frames`() throws {
    let transports: [TransportError] = [
      .blobTooLarge(byteCount: 11, limit: 12), .tooManyHandles(count: 13, limit: 14), .handlesNotCarried(.ring),
      .tooManyHandlesInFlight(limit: 15), .descriptorTableFull(expected: 16, received: 17, limit: 18), .timedOut,
      .cancelled, .sendingFinished, .closed, .peerClosed, .truncatedFrame(receivedByteCount: 19),
      .malformedFrame(.unknownKind(20)), .protocolViolation(.frameLength(found: 21, limit: 22)),
      .peerIdle(after: .seconds(23)), .peerStalled(after: .seconds(24)), .noRoom, .failed(system),
    ]
    #expect(try flaws(of: transports, in: "Sources/SluiceTransport/TransportError.swift") == [])
    let frames: [FrameError] = [
      .wrongMagic(9), .unknownKind(31), .blobTooLarge(byteCount: 32, limit: 33), .tooManyHandles(count: 34, limit: 35),
      .handlesMismatch(announced: 36, received: 37), .fragmentTooShort(byteCount: 38),
      .misplacedFragment(offset: 39, expected: 40), .wrongFragmentSize(byteCount: 41, expected: 42),
    ]
    #expect(try flaws(of: frames, in: "Sources/SluiceTransport/Framing/FrameHeader.swift") == [])
  }

  @Test func `setting up`() throws {
    let rings: [RingSetupError] = [
      .invalidCapacity(11), .invalidMaxBlobSize(12, limit: 13), .wrongHandleCount(14, expected: 15),
      .segment(.notSealable(name: "n")), .failed(system),
    ]
    #expect(try flaws(of: rings, in: "Sources/SluiceTransport/Ring/RingEndpoint.swift") == [])
    let violations: [RingViolation] = [
      .producerCursor(found: 21, consumed: 22, capacity: 23), .consumerCursor(found: 24, confirmed: 25, sent: 26),
      .frameLength(found: 27, limit: 28),
    ]
    #expect(try flaws(of: violations, in: "Sources/SluiceTransport/Ring/RingCursors.swift") == [])
    let queues: [QueueSetupError] = [
      .queue(.noSuchQueue("/q")), .invalidMaxBlobSize(31, limit: 32), .messagesTooSmall(byteCount: 33, least: 34),
      .wrongHandleCount(35, expected: 36), .notAQueue(system), .segment(.notSealable(name: "n")), .failed(system),
    ]
    #expect(try flaws(of: queues, in: "Sources/SluiceTransport/Queue/QueueSetup.swift") == [])
    let listeners: [ListenerError] = [
      .addressInUse("/a"), .pathTooLong("/b", limit: 41), .descriptorTableFull(limit: 42), .closed, .failed(system),
    ]
    #expect(try flaws(of: listeners, in: "Sources/SluiceTransport/Socket/SocketListener.swift") == [])
    let handshakes: [HandshakeError] = [
      .versionMismatch(
        ours: ProtocolVersions(lowest: 51, highest: 52), theirs: ProtocolVersions(lowest: 53, highest: 54)),
      .malformedHello(byteCount: 55), .invalidMaxBlobSize(56), .noHello, .transport(.closed),
    ]
    #expect(try flaws(of: handshakes, in: "Sources/SluiceTransport/Handshake/Handshake.swift") == [])
  }
}
