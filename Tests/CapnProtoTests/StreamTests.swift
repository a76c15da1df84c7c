import CapnProto
import Testing

/// The framing of messages in a stream.
@Suite struct StreamTests {
  static func sample(segmentByteCount: Int = 64) throws -> [UInt8] {
    var message = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: segmentByteCount))
    RoundTripTests.fill(message.root)
    return try message.serialized()
  }

  @Test("a header has the bytes that the specification gives")
  func header() throws {
    #expect(StreamHeader(segmentWordCounts: [3]).encoded == [0, 0, 0, 0, 3, 0, 0, 0])
    #expect(
      StreamHeader(segmentWordCounts: [1, 0x0102]).encoded == [1, 0, 0, 0, 1, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0])
    for count in 1...9 {
      let header = StreamHeader(segmentWordCounts: Array(1...count))
      let encoded = header.encoded
      #expect(encoded.count == header.byteCount)
      #expect(encoded.count % 8 == 0)
      #expect(try StreamHeader(decoding: encoded.span.bytes, limits: .stream) == header)
    }
  }

  @Test("a forged header is refused before memory is allocated for it")
  func forgedHeaders() throws {
    func refusal(_ bytes: [UInt8], _ limits: ReadLimits = .stream) -> CapnProtoError.Kind? {
      do {
        _ = try MessageReader(Tree.self, stream: bytes, limits: limits)
        return nil
      } catch { return error.kind }
    }
    #expect(refusal([]) == .truncated(needed: 8, available: 0))
    #expect(refusal([0, 0, 0]) == .truncated(needed: 8, available: 3))
    #expect(refusal([0, 0, 0, 0, 1]) == .truncated(needed: 8, available: 5))
    #expect(refusal([255, 255, 255, 255, 1, 0, 0, 0]) == .tooManySegments(count: 1 << 32, limit: 512))
    #expect(
      refusal([0, 0, 0, 0, 255, 255, 255, 255]) == .messageTooLarge(words: (1 << 32) - 1, limitWords: 8 << 20))
    #expect(refusal([0, 0, 0, 0, 1, 0, 0, 0, 9]) == .truncated(needed: 8, available: 1))
    #expect(refusal([0, 0, 0, 0, 0, 0, 0, 0, 9]) == .trailingBytes(count: 1))
    #expect(refusal([0, 0, 0, 0, 0, 0, 0, 0]) == nil)
    // The sum of the sizes counts, not each.
    #expect(
      refusal([1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0], ReadLimits(traversalWords: 9, totalWords: 3))
        == .messageTooLarge(words: 4, limitWords: 3))
  }

  @Test("a message without a word reads as defaults")
  func emptySegment() throws {
    let message = try MessageReader(Tree.self, stream: [0, 0, 0, 0, 0, 0, 0, 0])
    #expect(try message.read { $0.id } == 7)
  }

  @Test("messages are read one after another, however the stream is cut", arguments: [1, 3, 7, 64, 100_000])
  func pieces(pieceByteCount: Int) throws {
    let stream = try Self.sample() + Self.sample(segmentByteCount: 8192) + Self.sample(segmentByteCount: 8)
    var offset = 0
    func source(_ buffer: inout MutableRawSpan) -> Int {
      let count = min(buffer.byteCount, pieceByteCount, stream.count - offset)
      for i in 0..<count { buffer.storeBytes(of: stream[offset + i], toByteOffset: i, as: UInt8.self) }
      offset += count
      return count
    }
    for _ in 0..<3 {
      let message = try MessageReader.read(Tree.self, from: { source(&$0) })
      guard let message else {
        Issue.record("the stream ended early")
        return
      }
      try message.read { try RoundTripTests.expectFilled($0) }
    }
    let end = try MessageReader.read(Tree.self, from: { source(&$0) })
    if end != nil { Issue.record("there is no fourth message") }
  }

  @Test("a stream that ends within a message is an error, wherever it ends")
  func truncated() throws {
    let stream = try Self.sample()
    for end in stride(from: 1, to: stream.count, by: 5) {
      var offset = 0
      #expect(throws: CapnProtoError.self) {
        _ = try MessageReader.read(Tree.self) { buffer in
          let count = min(buffer.byteCount, end - offset)
          for i in 0..<count { buffer.storeBytes(of: stream[offset + i], toByteOffset: i, as: UInt8.self) }
          offset += count
          return count
        }
      }
    }
  }

  @Test("a source that fails, or lies about how much it read, ends the message")
  func badSource() throws {
    struct Broken: Error {}
    #expect(throws: Broken.self) { _ = try MessageReader.read(Tree.self) { _ in throw Broken() } }
    #expect(throws: CapnProtoError(.truncated(needed: 8, available: 0))) {
      _ = try MessageReader.read(Tree.self) { $0.byteCount + 1 }
    }
  }

  @Test("writing to a sink gives the bytes of the serialised message")
  func sink() throws {
    var message = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: 64))
    RoundTripTests.fill(message.root)
    var written: [UInt8] = []
    try message.write { written += $0.bytes }
    #expect(try written == message.serialized())
  }
}
