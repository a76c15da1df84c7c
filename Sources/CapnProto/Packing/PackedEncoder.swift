/// Packs words as the encoding specification says: zero bytes, of which messages have many, are left out. A pure value:
/// feed the bytes in any pieces, take what comes out.
///
/// | tag | what follows it | what it means |
/// |---|---|---|
/// | 0 | a count | a zero word, and as many more as the count says |
/// | 255 | a word, a count, words | the word, and as many more as the count says, as they are |
/// | else | a byte for each set bit | a word with these bytes, from the lowest, and zeros elsewhere |
///
/// What comes out does not depend on how the input was cut. Cost: about a nanosecond per word. At most 255 words are held
/// back.
public struct PackedEncoder: Sendable {
  /// What was emitted last may go on: with more zero words, or with more words that do not pay to pack.
  private enum Run: Sendable {
    case none
    /// A zero word's tag was emitted, and this many zero words followed.
    case zeros(UInt8)
    /// A full word was emitted; the words that followed are in `literal`.
    case literal
  }

  private var run = Run.none
  private var literal: [UInt8] = []
  /// The beginning of a word of which not all bytes came yet.
  private var partial: UInt64 = 0
  private var partialByteCount = 0

  /// An encoder for a stream's beginning.
  public init() {}

  /// The most bytes that `byteCount` bytes may take when they are packed, in one call or many.
  public static func maximumByteCount(packing byteCount: Int) -> Int { (byteCount + 7) / 8 * 10 }

  /// Packs `bytes`, whose end need not be that of a word.
  ///
  /// - Parameters:
  ///   - bytes: The next bytes of the stream.
  ///   - output: The packed bytes are appended here.
  public mutating func encode(_ bytes: RawSpan, to output: inout [UInt8]) {
    unsafe bytes.withUnsafeBytes { unsafe encode($0, to: &output) }
  }

  /// Ends the current run, so that everything fed so far is in the output. libcapnp's decoder wants this after a message's
  /// header and after its last segment.
  ///
  /// - Parameter output: The packed bytes are appended here.
  /// - Throws: `truncated` if what was fed ends within a word.
  public mutating func finish(to output: inout [UInt8]) throws(CapnProtoError) {
    guard partialByteCount == 0 else { throw CapnProtoError(.truncated(needed: 8, available: partialByteCount)) }
    endRun(&output)
  }

  private mutating func encode(_ bytes: UnsafeRawBufferPointer, to output: inout [UInt8]) {
    var rest = unsafe bytes
    if partialByteCount > 0 {
      let count = min(8 - partialByteCount, rest.count)
      unsafe keep(UnsafeRawBufferPointer(rebasing: rest.prefix(count)))
      unsafe rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
      guard partialByteCount == 8 else { return }
      let word = partial
      (partial, partialByteCount) = (0, 0)
      unsafe withUnsafeBytes(of: word) { unsafe encodeWords($0, to: &output) }
    }
    let whole = rest.count & ~7
    unsafe encodeWords(UnsafeRawBufferPointer(rebasing: rest.prefix(whole)), to: &output)
    unsafe keep(UnsafeRawBufferPointer(rebasing: rest.dropFirst(whole)))
  }

  /// Adds fewer bytes to the partial word than it lacks, or as many.
  private mutating func keep(_ bytes: UnsafeRawBufferPointer) {
    for index in bytes.indices {
      partial |= UInt64(unsafe bytes[index]) << UInt64(8 * partialByteCount)
      partialByteCount += 1
    }
  }

  private mutating func encodeWords(_ words: UnsafeRawBufferPointer, to output: inout [UInt8]) {
    var offset = unsafe continueRun(words, &output)
    let chunkByteCount = 1 << 11
    unsafe withUnsafeTemporaryAllocation(byteCount: Self.maximumByteCount(packing: chunkByteCount), alignment: 8) {
      (buffer: UnsafeMutableRawBufferPointer) in
      while offset < words.count {
        let end = min(offset + chunkByteCount, words.count)
        var produced = 0
        while offset < end {
          // Sound: whole words of `words`; a word takes at most 10 bytes of the buffer, 9 of them before its run's count.
          let word = unsafe words.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
          let tag = word.nonzeroByteMask
          unsafe buffer[produced] = tag
          for index in 0..<UInt64(8) {
            unsafe buffer[produced + 1] = UInt8(truncatingIfNeeded: word &>> (8 &* index))
            produced &+= Int((tag &>> UInt8(index)) & 1)
          }
          produced &+= 1
          offset &+= 8
          guard tag == 0 || tag == 255 else { continue }
          if tag == 0 {
            // A run of zeros that ends within the chunk needs no book-keeping. It takes one byte more.
            var count = 0
            while offset < end, count < 255, unsafe words.loadUnaligned(fromByteOffset: offset, as: UInt64.self) == 0 {
              offset &+= 8
              count &+= 1
            }
            if offset < end {
              unsafe buffer[produced] = UInt8(truncatingIfNeeded: count)
              produced &+= 1
              continue
            }
            offset &-= count &* 8
          }
          // The run goes straight to the output, behind what was packed before it.
          unsafe output.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<produced]))
          produced = 0
          run = tag == 0 ? .zeros(0) : .literal
          offset += unsafe continueRun(UnsafeRawBufferPointer(rebasing: words[offset...]), &output)
        }
        unsafe output.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<produced]))
      }
    }
  }

  /// Adds to the current run what of `words` belongs to it, and ends it if they go on otherwise; returns how many bytes.
  private mutating func continueRun(_ words: UnsafeRawBufferPointer, _ output: inout [UInt8]) -> Int {
    let limit: Int
    var end = 0
    switch run {
    case .none: return 0
    case .zeros(let count):
      limit = min(words.count, (255 - Int(count)) * 8)
      // Sound, here and below: `limit` is a multiple of 8 within `words`.
      while end < limit, unsafe words.loadUnaligned(fromByteOffset: end, as: UInt64.self) == 0 { end += 8 }
      run = .zeros(count + UInt8(end / 8))
    case .literal:
      limit = min(words.count, 255 * 8 - literal.count)
      while end < limit, unsafe words.loadUnaligned(fromByteOffset: end, as: UInt64.self).hasAtMostOneZeroByte {
        end += 8
      }
      unsafe literal.append(contentsOf: words[..<end])
    }
    if end < words.count { endRun(&output) }
    return end
  }

  private mutating func endRun(_ output: inout [UInt8]) {
    switch run {
    case .none: return
    case .zeros(let count): output.append(count)
    case .literal:
      output.append(UInt8(literal.count / 8))
      output.append(contentsOf: literal)
      literal.removeAll(keepingCapacity: true)
    }
    run = .none
  }
}

extension UInt64 {
  /// A bit for each byte that is not zero, from the lowest.
  fileprivate var nonzeroByteMask: UInt8 {
    let low: UInt64 = 0x7F7F_7F7F_7F7F_7F7F
    // The highest bit of each byte tells whether it has any; the product gathers these bits in its highest byte.
    let marks = (((self & low) &+ low) | self) & ~low
    return UInt8(truncatingIfNeeded: ((marks &>> 7) &* 0x0102_0408_1020_4080) &>> 56)
  }

  fileprivate var hasAtMostOneZeroByte: Bool { nonzeroByteMask.nonzeroBitCount >= 7 }
}
