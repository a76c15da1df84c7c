import SluiceMemory
import SluiceTransport
import Testing

@testable import SluiceChannel

@Suite struct EnvelopeTests {
  private func encode(_ envelope: Envelope) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: envelope.frameByteCount)
    var span = bytes.mutableSpan
    var raw = span.mutableBytes
    envelope.encode(into: &raw)
    return bytes
  }

  private func decode(_ bytes: some Sequence<UInt8>) throws(EnvelopeError) -> Envelope {
    let bytes = Array(bytes)
    return try Envelope(decoding: bytes.span.bytes)
  }

  private var request: Envelope {
    var envelope = Envelope(kind: .request, correlation: 0x04_0506_0708)
    envelope.timeout = 0x01_0203
    envelope.lease = Lease(slot: 9, generation: 10)
    envelope.handleCount = 2
    envelope.handleTicket = 11
    envelope.parts = [
      .init(segmentID: 1, offset: 8, byteCount: 16), .init(segmentID: 2, offset: 1 << 40, byteCount: 1 << 33),
    ]
    return envelope
  }

  @Test func `the layout is the documented one`() {
    var envelope = Envelope(kind: .response, correlation: 3)
    envelope.lease = Lease(slot: 4, generation: 5)
    envelope.parts = [.init(segmentID: 6, offset: 8, byteCount: 24)]
    #expect(
      Array(encode(envelope)[8...]) == [
        3, 0, 1, 0, 4, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0,
        6, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0,
      ])
  }

  @Test func `an envelope reads back as it was written`() throws {
    #expect(try decode(encode(request)) == request)
    var failure = Envelope(kind: .failure, correlation: 12)
    failure.failure = .init(code: 13, text: "no such file: ü", details: Metadata(typeID: 14, bytes: [1, 2, 3]))
    #expect(try decode(encode(failure)) == failure)
    for kind in Envelope.Kind.allCases where !kind.hasContent && kind != .failure {
      var signal = Envelope(kind: kind, correlation: kind == .finish ? 0 : Envelope.largestCorrelation)
      if kind == .more { signal.itemCount = 7 }
      #expect(try decode(encode(signal)) == signal)
    }
  }

  @Test func `content may stand in the frame, in whole words`() throws {
    var envelope = Envelope(kind: .item, correlation: 5)
    envelope.inlineByteCount = 24
    let bytes = encode(envelope)
    #expect(bytes.count == Envelope.contentOffset + 24)
    #expect(try decode(bytes) == envelope)
    #expect(throws: EnvelopeError.misaligned(offset: 0, byteCount: 23)) { try decode(bytes.dropLast()) }
    #expect(throws: EnvelopeError.noContent) { try decode(bytes.dropLast(24)) }
  }

  @Test func `a frame of any other length is refused`() {
    let whole = encode(request)
    for count in 0..<whole.count {
      #expect(throws: EnvelopeError.self) { try decode(Array(whole.prefix(count))) }
    }
    #expect(throws: EnvelopeError.wrongSize(byteCount: whole.count + 1, segments: 2)) { try decode(whole + [0]) }
  }

  @Test func `each broken field is named`() {
    func with(_ change: (inout [UInt8]) -> Void) -> [UInt8] {
      var bytes = encode(request)
      change(&bytes)
      return bytes
    }
    #expect(throws: EnvelopeError.unknownKind(0)) { try decode(with { $0[8] = 0 }) }
    #expect(throws: EnvelopeError.unknownKind(11)) { try decode(with { $0[8] = 11 }) }
    #expect(throws: EnvelopeError.tooManyHandles(254)) { try decode(with { $0[9] = 254 }) }
    #expect(throws: EnvelopeError.tooManySegments(1025)) { try decode(with { ($0[10], $0[11]) = (1, 4) }) }
    #expect(throws: EnvelopeError.correlatedNotification(request.correlation)) {
      try decode(
        with {
          $0[8] = 1
          $0.replaceSubrange(29..<32, with: [0, 0, 0])
        })
    }
    // Only requests have a timeout, and only what has content has segments and handles.
    #expect(throws: EnvelopeError.reservedBitsSet) { try decode(with { $0[8] = 3 }) }
    for kind in Envelope.Kind.allCases where !kind.hasContent {
      #expect(throws: EnvelopeError.contentWithout(kind)) {
        try decode(
          with {
            $0[8] = kind.rawValue
            $0.replaceSubrange(
              kind == .finish ? 24..<32 : 29..<32, with: repeatElement(0, count: kind == .finish ? 8 : 3))
          })
      }
    }
    #expect(throws: EnvelopeError.reservedBitsSet) { try decode(with { $0[36] = 1 }) }
    #expect(throws: EnvelopeError.misaligned(offset: 9, byteCount: 16)) { try decode(with { $0[40] = 9 }) }
    #expect(throws: EnvelopeError.misaligned(offset: 8, byteCount: 17)) { try decode(with { $0[48] = 17 }) }
  }

  @Test func `a failure's text is bounded`() {
    var failure = Envelope(kind: .failure, correlation: 1)
    failure.failure = .init(code: 0, text: String(repeating: "x", count: 1025))
    #expect(throws: EnvelopeError.failureTextTooLong(1025)) { try decode(encode(failure)) }
    failure.failure = .init(code: 0, text: "", details: Metadata([UInt8](repeating: 1, count: 16_385)))
    #expect(throws: EnvelopeError.failureDetailsTooLong(16_385)) { try decode(encode(failure)) }
  }

  @Test func `no bytes at all make it trap`() {
    var random = Repeatable(seed: 7)
    let valid = encode(request)
    for _ in 0..<20_000 {
      var bytes = valid
      for _ in 0...(random.next() % 4) { bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(random.next() & 0xff) }
      if random.next() & 1 == 0 { bytes.removeLast(Int(random.next() % UInt64(bytes.count))) }
      if let envelope = try? decode(bytes) { #expect(envelope.parts.count <= Envelope.segmentCountLimit) }
    }
  }
}

/// A small generator of repeatable numbers.
struct Repeatable: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return (state >> 33) ^ (state << 21)
  }
}
