import SluiceMemory

@testable import SluiceChannel
@testable import SluiceTransport

/// A frame is decoded as an envelope, or refused; what is decoded says the same when it is sent on.
enum EnvelopeTarget {
  static func run(_ input: [UInt8]) {
    _ = LaneHeader(input.span.bytes)
    guard let envelope = try? Envelope(decoding: input.span.bytes) else { return }
    precondition(envelope.parts.count <= Envelope.segmentCountLimit)
    precondition(envelope.handleCount <= Envelope.handleCountLimit)
    precondition(envelope.inlineByteCount % 8 == 0)
    // Text that was no UTF-8 has been repaired, and can be longer than it was.
    if let failure = envelope.failure, failure.text.utf8.count > Envelope.failureTextLimit { return }
    let encoded = encode(envelope, content: input)
    guard let again = try? Envelope(decoding: encoded.span.bytes), again == envelope else {
      fatalError("reads back otherwise: \(envelope)")
    }
  }

  static func encode(_ envelope: Envelope, content: [UInt8] = []) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: envelope.frameByteCount)
    var span = bytes.mutableSpan
    var frame = span.mutableBytes
    envelope.encode(into: &frame)
    return bytes
  }

  static func seeds() -> [[UInt8]] {
    Envelope.Kind.allCases.map { kind in
      var envelope = Envelope(kind: kind, correlation: kind == .notification || kind == .finish ? 0 : 3)
      if kind.hasContent {
        envelope.lease = Lease(slot: 1, generation: 2)
        envelope.parts = [.init(segmentID: 0, offset: 8, byteCount: 16), .init(segmentID: 1, offset: 0, byteCount: 8)]
      }
      if kind == .failure { envelope.failure = .init(code: 1, text: "text", details: Metadata([1, 2])) }
      return encode(envelope)
    }
  }
}
