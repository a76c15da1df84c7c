import SluiceTransport
import Testing
import TestSupport

@Suite("Frames") struct FrameTests {
  private let encoder = FrameEncoder(maxBlobSize: 1000)
  private let decoder = FrameDecoder(maxBlobSize: 1000)

  @Test("a header has the layout that its table draws")
  func layout() throws {
    let frame = try encoder.frame([7, 8, 9], handleCount: 5)
    #expect(frame == [0xE1, 0x5A, 1, 5, 3, 0, 0, 0, 7, 8, 9, 0, 0, 0, 0, 0])
    #expect(FrameHeader.byteCount == MemoryLayout<UInt64>.size)
    let header = try FrameHeader(
      word: try encoder.header(blobByteCount: 3, handleCount: 5).word, maxBlobSize: 3, maxHandleCount: 5)
    #expect(header.blobByteCount == 3 && header.handleCount == 5)
    #expect(header.paddingByteCount == 5 && header.frameByteCount == 16)
  }

  @Test("padding fills a frame up to a multiple of eight", arguments: 0...17)
  func padding(blobByteCount: Int) throws {
    let frame = try encoder.frame([UInt8](repeating: 1, count: blobByteCount))
    #expect(frame.count % 8 == 0 && frame.count - 8 - blobByteCount < 8)
  }

  @Test("the encoder names its limits")
  func encoderLimits() throws {
    #expect(throws: TransportError.blobTooLarge(byteCount: 1001, limit: 1000)) {
      try encoder.header(blobByteCount: 1001, handleCount: 0)
    }
    #expect(throws: TransportError.tooManyHandles(count: 254, limit: 253)) {
      try encoder.header(blobByteCount: 0, handleCount: 254)
    }
    #expect(try encoder.header(blobByteCount: 1000, handleCount: 253).frameByteCount == 1008)
  }

  @Test("what is no frame is refused as soon as that is certain")
  func garbage() throws {
    #expect(throws: FrameError.wrongMagic(0x4547)) { try decoder.next(in: Array("GE".utf8)) }
    #expect(throws: FrameError.wrongMagic(0x4547)) { try decoder.next(in: Array("GET / HTTP/1.1".utf8)) }
    #expect(throws: FrameError.unknownKind(9)) { try decoder.next(in: [0xE1, 0x5A, 9, 0, 0, 0, 0, 0]) }
    #expect(throws: FrameError.blobTooLarge(byteCount: 0xFFFF_FFFF, limit: 1000)) {
      try decoder.next(in: [0xE1, 0x5A, 1, 0, 255, 255, 255, 255])
    }
    #expect(throws: FrameError.blobTooLarge(byteCount: 1001, limit: 1000)) {
      try decoder.next(in: [0xE1, 0x5A, 1, 0, 0xE9, 3, 0, 0])
    }
    #expect(throws: FrameError.tooManyHandles(count: 254, limit: 253)) {
      try decoder.next(in: [0xE1, 0x5A, 1, 254, 0, 0, 0, 0])
    }
  }

  @Test("an incomplete frame says how many bytes it takes")
  func incomplete() throws {
    let frame = try encoder.frame([UInt8](repeating: 3, count: 20))
    for count in 0..<8 {
      #expect(try decoder.next(in: frame.span.bytes.extracting(first: count)) == .incomplete(neededByteCount: 8))
    }
    for count in 8..<32 {
      #expect(try decoder.next(in: frame.span.bytes.extracting(first: count)) == .incomplete(neededByteCount: 32))
    }
  }

  /// Decodes a stream that arrives in pieces.
  private func decode(_ pieces: [ArraySlice<UInt8>]) throws -> [[UInt8]] {
    var pending: [UInt8] = []
    var blobs: [[UInt8]] = []
    for piece in pieces {
      pending += piece
      while case .frame(let header) = try decoder.next(in: pending) {
        blobs.append(Array(pending[8..<8 + header.blobByteCount]))
        pending.removeFirst(header.frameByteCount)
      }
    }
    #expect(pending.isEmpty)
    return blobs
  }

  @Test("any split of a stream decodes the same", arguments: UInt64(0)..<50)
  func splits(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let blobs = (0..<20).map { _ in random.bytes(.random(in: 0...1000, using: &random)) }
    let stream = try blobs.flatMap { try encoder.frame($0) }
    var pieces: [ArraySlice<UInt8>] = []
    var start = 0
    while start < stream.count {
      let end = min(start + Int.random(in: 1...(seed % 2 == 0 ? 40 : 4000), using: &random), stream.count)
      pieces.append(stream[start..<end])
      start = end
    }
    #expect(try decode(pieces) == blobs)
    #expect(try decode([stream[...]]) == blobs)
    #expect(try decode(stream.indices.map { stream[$0...$0] }) == blobs)
  }

  @Test("random bytes lead to a frame, a wait or an error, never to a trap", arguments: UInt64(0)..<20)
  func randomBytes(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var (frames, errors) = (0, 0)
    for _ in 0..<2000 {
      var bytes = random.bytes(.random(in: 0...64, using: &random))
      // Most of them get past the first checks.
      for (index, byte) in [0xE1, 0x5A, 1].enumerated()
      where index < bytes.count && Int.random(in: 0..<20, using: &random) > 0 {
        bytes[index] = UInt8(byte)
      }
      if bytes.count > 7 && Bool.random(using: &random) { (bytes[5], bytes[6], bytes[7]) = (0, 0, 0) }
      do {
        if case .frame(let header) = try decoder.next(in: bytes) {
          frames += 1
          #expect(header.frameByteCount <= bytes.count && header.blobByteCount <= 1000 && header.handleCount <= 253)
        }
      } catch {
        errors += 1
      }
    }
    #expect(frames > 0 && errors > 0)
  }

  @Test("limits out of range are brought into it")
  func clampedLimits() {
    #expect(FrameDecoder(maxBlobSize: .max).maxBlobSize == FrameHeader.maxBlobByteCount)
    #expect(FrameDecoder(maxBlobSize: -1, maxHandleCount: 999).maxBlobSize == 1)
    #expect(FrameEncoder(maxBlobSize: 0, maxHandleCount: -1).maxHandleCount == 0)
  }
}
