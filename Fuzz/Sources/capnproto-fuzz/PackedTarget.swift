import CapnProto

/// Unpacks any bytes at all, whole and in pieces, and compares with a decoder that is as plain as the specification; packs
/// any words, whole and in pieces, and unpacks them again.
enum PackedTarget {
  static func run(_ input: UnsafeRawBufferPointer) {
    guard input.count >= 4 else { return }
    var pieces = Pieces(seed: input.loadUnaligned(as: UInt32.self))
    let bytes = Array(input.dropFirst(4))
    unpack(bytes, &pieces)
    pack(Array(bytes.prefix(bytes.count & ~7)), &pieces)
  }

  private static func unpack(_ packed: [UInt8], _ pieces: inout Pieces) {
    let expected = referenceUnpack(packed)
    // Two bytes unpack to 2 KiB: smaller inputs find as much, and sooner.
    guard expected.words.count <= 1 << 13 else { return }
    let limit = expected.words.count / 8
    do {
      let words = try PackedDecoder.decode(packed.span.bytes, wordLimit: limit)
      precondition(words == expected.words && expected.isWhole, "unpacked otherwise than by the reference")
    } catch {
      guard case .truncated = error.kind else { fatalError("\(error)") }
      precondition(!expected.isWhole, "what is whole was said to be truncated")
    }
    if limit > 0 {
      do {
        _ = try PackedDecoder.decode(packed.span.bytes, wordLimit: limit - 1)
        fatalError("more words than the limit")
      } catch {
        guard case .messageTooLarge = error.kind else { fatalError("\(error)") }
      }
    }
    // In pieces of input, with room for pieces of output.
    var decoder = PackedDecoder()
    var words: [UInt8] = []
    var rest = packed[...]
    while true {
      let piece = rest.prefix(pieces.next(upTo: 40))
      let room = pieces.next(upTo: 64) * 8
      let consumed = withUnsafeTemporaryAllocation(byteCount: room, alignment: 8) { buffer in
        var output = OutputRawSpan(buffer: buffer, initializedCount: 0)
        let count = decoder.decode(piece.span.bytes, into: &output)
        let produced = output.finalize(for: buffer)
        words += buffer[..<produced]
        // The part of a word that was not there yet is asked for again.
        return (input: count, isFull: produced > room - 8)
      }
      precondition(consumed.input <= piece.count && (consumed.input == piece.count || consumed.isFull))
      rest = rest.dropFirst(consumed.input)
      if rest.isEmpty, !consumed.isFull { break }
    }
    // A literal word may come in part; the reference has it in whole words or not at all.
    precondition(words.starts(with: expected.words) || expected.words.starts(with: words), "pieces unpack otherwise")
    if expected.isWhole { precondition(words == expected.words, "pieces unpack otherwise") }
    precondition(decoder.isBetweenWords == expected.isWhole, "another end than the reference's")
  }

  private static func pack(_ words: [UInt8], _ pieces: inout Pieces) {
    var packed: [UInt8] = []
    var encoder = PackedEncoder()
    encoder.encode(words.span.bytes, to: &packed)
    finish(&encoder, &packed)
    precondition(packed.count <= PackedEncoder.maximumByteCount(packing: words.count), "more bytes than promised")
    let again = referenceUnpack(packed)
    precondition(again.isWhole && again.words == words, "what was packed unpacks to something else")
    // In pieces.
    var other: [UInt8] = []
    var otherEncoder = PackedEncoder()
    var rest = words[...]
    while !rest.isEmpty {
      let piece = rest.prefix(pieces.next(upTo: 30))
      otherEncoder.encode(piece.span.bytes, to: &other)
      rest = rest.dropFirst(piece.count)
    }
    finish(&otherEncoder, &other)
    precondition(other == packed, "pieces pack otherwise")
  }

  private static func finish(_ encoder: inout PackedEncoder, _ output: inout [UInt8]) {
    do { try encoder.finish(to: &output) } catch { fatalError("\(error)") }
  }

  /// The encoding specification, word by word: the words that came whole, and whether nothing is left over. Ends when there
  /// are more than 8 KiB.
  static func referenceUnpack(_ packed: [UInt8]) -> (words: [UInt8], isWhole: Bool) {
    var words: [UInt8] = []
    var index = 0
    func take() -> UInt8? {
      guard index < packed.count else { return nil }
      index += 1
      return packed[index - 1]
    }
    while let tag = take() {
      var word: [UInt8] = []
      for bit in 0..<8 {
        if tag >> UInt8(bit) & 1 == 0 {
          word.append(0)
        } else {
          guard let byte = take() else { return (words, false) }
          word.append(byte)
        }
      }
      if tag != 0 && tag != 255 {
        words += word
        continue
      }
      guard let count = take() else { return (words, false) }
      words += word
      if words.count > 1 << 13 { return (words, true) }
      if tag == 0 {
        words += repeatElement(0, count: Int(count) * 8)
      } else {
        let literal = min(Int(count) * 8, packed.count - index)
        words += packed[index..<index + literal]
        index += literal
        if literal < Int(count) * 8 { return (words, false) }
      }
    }
    return (words, true)
  }

  static func seeds() throws -> [[UInt8]] {
    var seeds: [[UInt8]] = []
    for parts in [0, 1, 3, 7] {
      var message = try MessageBuilder(Tree.self, allocator: SmallSegmentAllocator(byteCount: 512))
      ReaderTarget.fill(message.root, parts)
      seeds.append([UInt8(parts), 1, 2, 3] + (try message.packed()))
      seeds.append([UInt8(parts), 3, 2, 1] + (try message.serialized()))
    }
    return seeds
  }
}

/// Sizes that the fuzzer chose.
struct Pieces {
  private var state: UInt64

  init(seed: UInt32) { state = UInt64(seed) &+ 0x9E37_79B9_7F4A_7C15 }

  /// A number from 1 to `limit`.
  mutating func next(upTo limit: Int) -> Int {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Int(state >> 33) % limit + 1
  }
}
