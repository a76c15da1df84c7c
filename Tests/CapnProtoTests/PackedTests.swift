import CapnProto
import Testing

/// The packed encoding, both ways, however the bytes are cut.
@Suite struct PackedTests {
  /// Packs `bytes`, fed in pieces.
  static func pack(_ bytes: [UInt8], pieceByteCount: Int = .max) throws(CapnProtoError) -> [UInt8] {
    var encoder = PackedEncoder()
    var packed: [UInt8] = []
    var offset = 0
    while offset < bytes.count {
      let end = offset + min(pieceByteCount, bytes.count - offset)
      encoder.encode(bytes.span.bytes.extracting(offset..<end), to: &packed)
      offset = end
    }
    try encoder.finish(to: &packed)
    return packed
  }

  /// Unpacks `packed`, fed in pieces, into buffers of some words.
  static func unpack(_ packed: [UInt8], pieceByteCount: Int, bufferWordCount: Int) throws(CapnProtoError) -> [UInt8] {
    var decoder = PackedDecoder()
    var bytes: [UInt8] = []
    var offset = 0
    while true {
      let end = offset + min(pieceByteCount, packed.count - offset)
      var isFull = true
      while isFull {
        let start = bytes.count
        // What is left of a word that was begun.
        let room = bufferWordCount * 8 - start % 8
        bytes += [UInt8](capacity: room) { output in
          offset += decoder.decode(packed.span.bytes.extracting(offset..<end), into: &output)
        }
        isFull = bytes.count - start == room
      }
      #expect(offset == end)
      if end == packed.count { break }
    }
    try decoder.finish()
    return bytes
  }

  /// Words in runs of the kinds that packing tells apart.
  static func words(seed: Int, runs: Int = 40) -> [UInt8] {
    var random = SplitMix64(state: UInt64(seed))
    var bytes: [UInt8] = []
    for _ in 0..<runs {
      let kind = random.next(below: 4)
      let lengths = [1, 2, 5, 254, 255, 256, 257, 300]
      for _ in 0..<lengths[random.next(below: lengths.count)] {
        var word = random.next() | 0x0101_0101_0101_0101
        switch kind {
        case 0: word = 0
        case 1: break
        case 2: word &= ~(0xFF << UInt64(8 * random.next(below: 8)))
        default: for i in 0..<8 where random.next(below: 2) == 0 { word &= ~(0xFF << UInt64(8 * i)) }
        }
        withUnsafeBytes(of: word) { bytes += $0 }
      }
    }
    return bytes
  }

  @Test("words are packed as the specification's examples say")
  func examples() throws {
    let examples: [([UInt8], [UInt8])] = [
      ([], []),
      ([0, 0, 0, 0, 0, 0, 0, 0], [0, 0]),
      ([0, 0, 12, 0, 0, 34, 0, 0], [0x24, 12, 34]),
      ([1, 3, 2, 4, 5, 7, 6, 8], [0xFF, 1, 3, 2, 4, 5, 7, 6, 8, 0]),
      ([UInt8](repeating: 0, count: 16) + [1, 3, 2, 4, 5, 7, 6, 8], [0, 1, 0xFF, 1, 3, 2, 4, 5, 7, 6, 8, 0]),
      (
        [1, 3, 2, 4, 5, 7, 6, 8, 6, 2, 4, 3, 9, 0, 5, 1, 0, 0, 1, 0, 0, 0, 0, 0],
        [0xFF, 1, 3, 2, 4, 5, 7, 6, 8, 1, 6, 2, 4, 3, 9, 0, 5, 1, 4, 1]
      ),
      ([8, 0, 100, 6, 0, 1, 1, 2, 8, 0, 0, 0, 0, 0, 0, 0], [0xED, 8, 100, 6, 1, 1, 2, 1, 8]),
      ([UInt8](repeating: 0, count: 257 * 8), [0, 255, 0, 0]),
    ]
    for (bytes, packed) in examples {
      #expect(try Self.pack(bytes) == packed)
      #expect(try PackedDecoder.decode(packed.span.bytes, wordLimit: 300) == bytes)
    }
  }

  @Test("packing and unpacking give the words back", arguments: 0..<8)
  func roundTrip(seed: Int) throws {
    let bytes = Self.words(seed: seed)
    let packed = try Self.pack(bytes)
    #expect(packed.count <= PackedEncoder.maximumByteCount(packing: bytes.count))
    #expect(try PackedDecoder.decode(packed.span.bytes, wordLimit: bytes.count / 8) == bytes)
  }

  @Test("the packed bytes do not depend on how the words were fed", arguments: [1, 2, 3, 7, 8, 9, 16, 63, 1000, 2048])
  func encoderSplits(pieceByteCount: Int) throws {
    for seed in 0..<4 {
      let bytes = Self.words(seed: seed, runs: 6)
      #expect(try Self.pack(bytes, pieceByteCount: pieceByteCount) == Self.pack(bytes))
    }
  }

  @Test("words do not depend on how packed bytes were fed, nor on the room", arguments: [1, 2, 3, 9, 10, 257, 5000])
  func decoderSplits(pieceByteCount: Int) throws {
    for seed in 0..<4 {
      let bytes = Self.words(seed: seed, runs: 6)
      let packed = try Self.pack(bytes)
      for words in [1, 2, 31, 10_000] {
        #expect(try Self.unpack(packed, pieceByteCount: pieceByteCount, bufferWordCount: words) == bytes)
      }
    }
  }

  @Test("every cut in two gives the same")
  func everySplit() throws {
    let bytes = Self.words(seed: 77, runs: 3)
    let packed = try Self.pack(bytes)
    for cut in 0...packed.count {
      var decoder = PackedDecoder()
      var consumed = 0
      let unpacked = [UInt8](capacity: bytes.count) { output in
        consumed += decoder.decode(packed.span.bytes.extracting(first: cut), into: &output)
        consumed += decoder.decode(packed.span.bytes.extracting(droppingFirst: consumed), into: &output)
      }
      #expect(consumed == packed.count)
      try decoder.finish()
      #expect(unpacked == bytes)
    }
    for cut in 0...bytes.count {
      var encoder = PackedEncoder()
      var again: [UInt8] = []
      encoder.encode(bytes.span.bytes.extracting(first: cut), to: &again)
      encoder.encode(bytes.span.bytes.extracting(droppingFirst: cut), to: &again)
      try encoder.finish(to: &again)
      #expect(again == packed)
    }
  }

  @Test("packed bytes that end too early are an error, wherever they end")
  func truncated() throws {
    let literal: [UInt8] = [0xFF, 1, 2, 3, 4, 5, 6, 7, 8]
    for packed in [[0], [1], [0xFF], literal, literal + [1, 0]] {
      let error = #expect(throws: CapnProtoError.self) { try PackedDecoder.decode(packed.span.bytes, wordLimit: 9) }
      guard case .truncated = error?.kind else {
        Issue.record("\(String(describing: error))")
        continue
      }
    }
    #expect(throws: CapnProtoError(.truncated(needed: 8, available: 3))) { try Self.pack([1, 2, 3]) }
  }

  @Test("what unpacks to more than the limit is stopped there")
  func bomb() throws {
    // 128 kB that stand for 128 MiB of zeros.
    let bomb = (0..<1 << 17).map { UInt8($0 % 2 * 255) }
    let error = #expect(throws: CapnProtoError.self) {
      try PackedDecoder.decode(bomb.span.bytes, wordLimit: 1 << 16)
    }
    guard case .messageTooLarge(let words, let limit) = error?.kind else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(limit == 1 << 16)
    #expect(words <= 1 << 16 + 1 << 10)
  }

  @Test("any bytes unpack to something, or end too early", arguments: 0..<8)
  func anything(seed: Int) throws {
    var random = SplitMix64(state: UInt64(seed))
    for _ in 0..<200 {
      let packed = (0..<random.next(below: 60)).map { _ in
        [0, 255, 1, UInt8(truncatingIfNeeded: random.next())][random.next(below: 4)]
      }
      var whole: [UInt8]?
      do {
        whole = try PackedDecoder.decode(packed.span.bytes, wordLimit: 1 << 20)
      } catch {
        guard case .truncated = error.kind else { throw error }
      }
      let pieces = try? Self.unpack(packed, pieceByteCount: 3, bufferWordCount: 5)
      #expect(pieces == whole)
      guard let whole else { continue }
      let again = try Self.pack(whole)
      #expect(try PackedDecoder.decode(again.span.bytes, wordLimit: 1 << 20) == whole)
    }
  }

  @Test("a packed message unpacks to its stream framing", arguments: [8, 64, 8192])
  func messages(segmentByteCount: Int) throws {
    var message = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: segmentByteCount))
    RoundTripTests.fill(message.root)
    message.root.setBlob([UInt8](repeating: 3, count: 30_000))
    let packed = try message.packed()
    #expect(try PackedDecoder.decode(packed.span.bytes, wordLimit: 1 << 20) == message.serialized())
    var written: [UInt8] = []
    var pieces = 0
    try message.writePacked {
      written += $0.bytes
      pieces += 1
    }
    #expect(written == packed)
    #expect(pieces >= 4)
  }
}

extension [UInt8] {
  /// What `fill` appends, at most `capacity` bytes.
  init(capacity: Int, fill: (inout OutputRawSpan) -> Void) {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 8)
    defer { buffer.deallocate() }
    var output = OutputRawSpan(buffer: buffer, initializedCount: 0)
    fill(&output)
    let count = output.finalize(for: buffer)
    self = Array(buffer[..<count])
  }
}
