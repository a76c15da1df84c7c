/// Unpacks what ``PackedEncoder`` or libcapnp packed. A pure value: feed packed bytes in any pieces, and get as many words as
/// there is room for. A few bytes may unpack to a thousand times as many, so it is the room that bounds the output.
///
/// Every sequence of bytes is valid but for its end. Cost: about a nanosecond per word.
public struct PackedDecoder: Sendable {
  private enum State: Sendable {
    /// The next byte is a tag.
    case tag
    /// Bytes of a word are expected: `missing` are the tag's bits whose bytes did not come yet.
    case word(UInt64, missing: UInt8, isLiteral: Bool)
    /// The next byte counts further zero words.
    case zeroCount
    /// The next byte counts words that follow as they are, behind the word that did already.
    case literalCount(UInt64)
    /// The word is complete; there was no room for it.
    case ready(UInt64, literalWords: UInt8)
    /// Zero words for which there was no room.
    case zeros(Int)
    /// Bytes that follow as they are.
    case literal(byteCount: Int)
  }

  private var state = State.tag

  /// A decoder for a stream's beginning.
  public init() {}

  /// Whether the stream may end here: neither bytes nor words are outstanding.
  public var isBetweenWords: Bool {
    if case .tag = state { true } else { false }
  }

  /// Unpacks from `input` until it ends or `output` is full.
  ///
  /// - Parameters:
  ///   - input: The next packed bytes.
  ///   - output: Where words are appended; its free capacity is a multiple of 8, less what the decoder left unfinished
  ///     of a word before.
  /// - Returns: How many bytes of `input` were consumed; feed the others again.
  public mutating func decode(_ input: RawSpan, into output: inout OutputRawSpan) -> Int {
    unsafe input.withUnsafeBytes { (input: UnsafeRawBufferPointer) in
      unsafe output.withUnsafeMutableBytes { (buffer: UnsafeMutableRawBufferPointer, count: inout Int) in
        var consumed = 0
        while unsafe step(input, &consumed, buffer, &count) {}
        return consumed
      }
    }
  }

  /// Unpacks all of `packed`.
  ///
  /// - Parameter wordLimit: The most words that may result.
  /// - Throws: `messageTooLarge` as soon as there are more words, `truncated` if `packed` ends within a run.
  public static func decode(_ packed: RawSpan, wordLimit: Int) throws(CapnProtoError) -> [UInt8] {
    var decoder = PackedDecoder()
    var bytes: [UInt8] = []
    var rest = packed
    while true {
      let consumed = unsafe withUnsafeTemporaryAllocation(byteCount: 1 << 13, alignment: 8) { buffer in
        var output = unsafe OutputRawSpan(buffer: buffer, initializedCount: 0)
        let consumed = decoder.decode(rest, into: &output)
        let count = unsafe output.finalize(for: buffer)
        unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        return (bytes: consumed, isFull: count == buffer.count)
      }
      guard bytes.count / 8 <= wordLimit else {
        throw CapnProtoError(.messageTooLarge(words: bytes.count / 8, limitWords: wordLimit))
      }
      rest = rest.extracting(droppingFirst: consumed.bytes)
      if !consumed.isFull { break }
    }
    try decoder.finish()
    return bytes
  }

  /// The stream ends here.
  ///
  /// - Throws: `truncated` unless it may.
  public func finish() throws(CapnProtoError) {
    let needed =
      switch state {
      case .tag: 0
      case .word(_, let missing, let isLiteral): missing.nonzeroBitCount + (isLiteral ? 1 : 0)
      case .zeroCount, .literalCount: 1
      case .ready(_, let words): Int(words) * 8
      case .zeros(let count): count
      case .literal(let byteCount): byteCount
      }
    if needed > 0 || !isBetweenWords { throw CapnProtoError(.truncated(needed: needed, available: 0)) }
  }

  /// Goes from one state to the next; false if that needs more input or more room.
  private mutating func step(
    _ input: UnsafeRawBufferPointer, _ consumed: inout Int, _ output: UnsafeMutableRawBufferPointer, _ count: inout Int
  ) -> Bool {
    let available = input.count - consumed
    let room = output.count - count
    switch state {
    case .tag:
      unsafe decodeWords(input, &consumed, output, &count)
      guard consumed < input.count else { return false }
      let tag = unsafe input[consumed]
      consumed += 1
      state = tag == 0 ? .zeroCount : .word(0, missing: tag, isLiteral: tag == 255)
    case .word(var word, var missing, let isLiteral):
      while missing != 0, consumed < input.count {
        word |= UInt64(unsafe input[consumed]) << UInt64(8 * missing.trailingZeroBitCount)
        consumed += 1
        missing &= missing - 1
      }
      if missing != 0 {
        state = .word(word, missing: missing, isLiteral: isLiteral)
        return false
      }
      state = isLiteral ? .literalCount(word) : .ready(word, literalWords: 0)
    case .zeroCount:
      guard available > 0 else { return false }
      state = .zeros(Int(unsafe input[consumed]) + 1)
      consumed += 1
    case .literalCount(let word):
      guard available > 0 else { return false }
      state = .ready(word, literalWords: unsafe input[consumed])
      consumed += 1
    case .ready(let word, let literalWords):
      guard room >= 8 else { return false }
      unsafe output.storeBytes(of: word, toByteOffset: count, as: UInt64.self)
      count += 8
      state = literalWords > 0 ? .literal(byteCount: Int(literalWords) * 8) : .tag
    case .zeros(let words):
      let fitting = min(words, room / 8)
      guard fitting > 0 else { return false }
      unsafe UnsafeMutableRawBufferPointer(rebasing: output[count..<count + fitting * 8])
        .initializeMemory(as: UInt8.self, repeating: 0)
      count += fitting * 8
      state = fitting < words ? .zeros(words - fitting) : .tag
    case .literal(let byteCount):
      let fitting = min(byteCount, available, room)
      guard fitting > 0 else { return false }
      unsafe UnsafeMutableRawBufferPointer(rebasing: output[count...])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: input[consumed..<consumed + fitting]))
      count += fitting
      consumed += fitting
      state = fitting < byteCount ? .literal(byteCount: byteCount - fitting) : .tag
    }
    return true
  }

  /// The fast path: words that are wholly there, that begin no run, and for which there is room.
  private func decodeWords(
    _ input: UnsafeRawBufferPointer, _ consumed: inout Int, _ output: UnsafeMutableRawBufferPointer, _ count: inout Int
  ) {
    guard let source = input.baseAddress, let target = output.baseAddress else { return }
    var (read, written) = (consumed, count)
    while input.count &- read >= 9, output.count &- written >= 8 {
      // Sound: the tag and the 8 bytes behind it are in the input, and the word has room in the output.
      let tag = unsafe source.load(fromByteOffset: read, as: UInt8.self)
      if tag == 0 || tag == 255 { break }
      var word: UInt64 = 0
      read &+= 1
      for index in 0..<UInt64(8) {
        let bit = UInt64((tag &>> UInt8(index)) & 1)
        word |= (UInt64(unsafe source.load(fromByteOffset: read, as: UInt8.self)) & (0 &- bit)) &<< (8 &* index)
        read &+= Int(bit)
      }
      unsafe target.storeBytes(of: word, toByteOffset: written, as: UInt64.self)
      written &+= 8
    }
    (consumed, count) = (read, written)
  }
}
