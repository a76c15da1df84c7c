import CapnProto
import SystemPackage
import Testing

/// Messages out of a stream that comes in pieces, and in place.
@Suite struct StreamDecoderTests {
  /// Three messages, and how the stream holds them.
  static func stream(_ encoding: StreamEncoding) throws -> [UInt8] {
    var bytes: [UInt8] = []
    for segmentByteCount in [64, 8192, 8] {
      var message = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: segmentByteCount))
      RoundTripTests.fill(message.root)
      bytes += try encoding == .plain ? message.serialized() : message.packed()
    }
    return bytes
  }

  /// Feeds `bytes` in pieces; returns how many messages came, each checked.
  static func messages(
    _ bytes: [UInt8], _ decoder: inout StreamDecoder<Tree>, pieceByteCount: Int
  ) throws -> Int {
    var count = 0
    var offset = 0
    while offset < bytes.count {
      let end = offset + min(pieceByteCount, bytes.count - offset)
      var rest = bytes.span.bytes.extracting(offset..<end)
      while let message = try decoder.next(from: &rest) {
        try message.read { try RoundTripTests.expectFilled($0) }
        count += 1
      }
      #expect(rest.byteCount == 0)
      offset = end
    }
    return count
  }

  @Test(
    "messages come out however the stream is cut", arguments: [StreamEncoding.plain, .packed],
    [1, 2, 3, 7, 8, 9, 100, 100_000])
  func pieces(encoding: StreamEncoding, pieceByteCount: Int) throws {
    var decoder = StreamDecoder(Tree.self, encoding: encoding)
    #expect(try Self.messages(Self.stream(encoding), &decoder, pieceByteCount: pieceByteCount) == 3)
    try decoder.finish()
    let isBetweenMessages = decoder.isBetweenMessages
    #expect(isBetweenMessages)
  }

  @Test("a stream that ends within a message is an error, wherever", arguments: [StreamEncoding.plain, .packed])
  func truncated(encoding: StreamEncoding) throws {
    var message = try MessageBuilder(Leaf.self)
    message.root.label = "label"
    let bytes = try encoding == .plain ? message.serialized() : message.packed()
    for end in 1..<bytes.count {
      var decoder = StreamDecoder(Leaf.self, encoding: encoding)
      var rest = bytes.span.bytes.extracting(first: end)
      let early = try decoder.next(from: &rest) == nil
      #expect(early, "\(end)")
      let isBetweenMessages = decoder.isBetweenMessages
      #expect(!isBetweenMessages)
      var failure: CapnProtoError?
      do { try decoder.finish() } catch { failure = error }
      guard case .truncated = failure?.kind else {
        Issue.record("\(String(describing: failure))")
        continue
      }
    }
  }

  @Test("a message over the limits ends the stream", arguments: [StreamEncoding.plain, .packed])
  func limits(encoding: StreamEncoding) throws {
    let bytes = try Self.stream(encoding)
    func failure(_ limits: ReadLimits) throws -> CapnProtoError.Kind? {
      var decoder = StreamDecoder(Tree.self, encoding: encoding, limits: limits)
      var kinds: [CapnProtoError.Kind] = []
      for _ in 0..<2 {
        var rest = bytes.span.bytes
        do { _ = try decoder.next(from: &rest) } catch { kinds.append(error.kind) }
      }
      #expect(kinds.count == 0 || kinds.count == 2 && kinds[0] == kinds[1])
      return kinds.first
    }
    #expect(try failure(.stream) == nil)
    guard case .messageTooLarge(_, limitWords: 10) = try failure(ReadLimits(traversalWords: 100, totalWords: 10)) else {
      Issue.record("ten words were exceeded")
      return
    }
    let few = ReadLimits(traversalWords: 100, segmentCount: 2, totalWords: 1000)
    guard case .tooManySegments(_, limit: 2) = try failure(few) else {
      Issue.record("two segments were exceeded")
      return
    }
  }

  @Test("hostile bytes give messages or typed errors", arguments: 0..<8)
  func hostile(seed: Int) throws {
    var random = SplitMix64(state: UInt64(seed))
    let original = try Self.stream(seed % 2 == 0 ? .plain : .packed)
    for _ in 0..<100 {
      var bytes = original
      for _ in 0...random.next(below: 8) {
        bytes[random.next(below: min(bytes.count, 1 << (4 + random.next(below: 8))))] = UInt8(random.next(below: 256))
      }
      var decoder = StreamDecoder(
        Tree.self, encoding: seed % 2 == 0 ? .plain : .packed,
        limits: ReadLimits(traversalWords: 5000, nesting: 16, totalWords: 1 << 16))
      var rest = bytes.span.bytes
      do {
        while let message = try decoder.next(from: &rest) { try? message.read { try RoundTripTests.readAll($0) } }
      } catch {
        #expect(throws: CapnProtoError.self) { throw error }
      }
    }
  }

  @Test("messages are written to a file descriptor and read from it", arguments: [StreamEncoding.plain, .packed])
  func descriptors(encoding: StreamEncoding) throws {
    let ends = try FileDescriptor.pipe()
    var sizes: [Int] = []
    for _ in 0..<3 {
      var message = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: 64))
      RoundTripTests.fill(message.root)
      func write(_ bytes: RawSpan) throws {
        sizes.append(try bytes.withUnsafeBytes { try ends.writeEnd.writeAll($0) })
      }
      if encoding == .plain { try message.write(to: write) } else { try message.writePacked(to: write) }
    }
    try ends.writeEnd.close()
    var reader = StreamReader(Tree.self, encoding: encoding, bufferByteCount: 100)
    var count = 0
    while let message = try reader.next(from: { span in
      try span.withUnsafeMutableBytes { try ends.readEnd.read(into: $0) }
    }) {
      try message.read { try RoundTripTests.expectFilled($0) }
      count += 1
    }
    #expect(count == 3)
    try ends.readEnd.close()
  }

  @Test("messages are read in place, one after another")
  func inPlace() throws {
    let stream = try Self.stream(.plain)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: stream.count + 8, alignment: 8)
    defer { memory.deallocate() }
    memory.copyBytes(from: stream)
    let bytes = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(memory)).extracting(first: stream.count)
    var rest = bytes
    for _ in 0..<3 {
      let message = try MessageView(Tree.self, prefixOf: &rest)
      try message.read { root in
        try RoundTripTests.expectFilled(root)
        let blob = try root.blob
        let isInPlace = blob.withUnsafeBytes { blob in
          UInt(bitPattern: blob.baseAddress) &- UInt(bitPattern: memory.baseAddress) < stream.count
        }
        #expect(isInPlace)
      }
    }
    #expect(rest.byteCount == 0)
    func refusal(_ bytes: RawSpan) -> CapnProtoError.Kind? {
      do {
        _ = try MessageView(Tree.self, stream: bytes)
        return nil
      } catch { return error.kind }
    }
    guard case .trailingBytes = refusal(bytes) else {
      Issue.record("two messages follow")
      return
    }
    let size = try Self.firstMessageByteCount(stream)
    #expect(refusal(bytes.extracting(first: size)) == nil)
    guard case .truncated = refusal(bytes.extracting(first: size - 8)) else {
      Issue.record("a word is missing")
      return
    }
    memory.copyBytes(from: [0, 0, 0, 0] + stream.prefix(size))
    let shifted = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: memory[4..<4 + size]))
    #expect(refusal(shifted) == .misalignedSegment(index: 0))
  }

  @Test("an array's message is read in place, whatever its number of segments")
  func arrays() throws {
    let stream = try Self.stream(.plain)
    let one = Array(stream.prefix(try Self.firstMessageByteCount(stream)))
    let name = try MessageView<Tree>.read(stream: one.span.bytes) { root in try root.name }
    let copy = try MessageReader(Tree.self, stream: one)
    let expected = try copy.read { root in try root.name }
    #expect(name == expected && !name.isEmpty)
    #expect(throws: (any Error).self) { try MessageView<Tree>.read(stream: stream.span.bytes) { _ in } }
    #expect(throws: (any Error).self) { try MessageView<Tree>.read(stream: Array(one.dropLast(8)).span.bytes) { _ in } }
    #expect(throws: (any Error).self) { try MessageView<Tree>.read(stream: Array(one.prefix(4)).span.bytes) { _ in } }
  }

  /// The size of the first message in a stream.
  static func firstMessageByteCount(_ stream: [UInt8]) throws -> Int {
    let header = try StreamHeader(decoding: stream.span.bytes, limits: .stream)
    return header.byteCount + header.totalWords * 8
  }
}
