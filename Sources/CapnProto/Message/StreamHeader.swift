/// The header of a message in stream framing: how many segments follow, and how long each is.
///
/// | bytes | content |
/// |---|---|
/// | 0–3 | number of segments minus one |
/// | 4–7, 8–11, … | words of each segment |
/// | | zeros up to a multiple of 8 |
public struct StreamHeader: Sendable, Hashable {
  /// Words of each segment, in order; one segment at least.
  public let segmentWordCounts: [Int]

  /// A header for segments of the given sizes in words, each of which fits 32 bits.
  public init(segmentWordCounts: [Int]) {
    self.segmentWordCounts = segmentWordCounts
  }

  /// Words of all segments together.
  public var totalWords: Int { segmentWordCounts.reduce(0, +) }

  /// The header's size for `segmentCount` segments, in bytes.
  public static func byteCount(segmentCount: Int) -> Int { (segmentCount / 2 + 1) * 8 }

  /// The header's size, in bytes.
  public var byteCount: Int { Self.byteCount(segmentCount: segmentWordCounts.count) }

  /// The header's bytes.
  public var encoded: [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
      unsafe encode(into: UnsafeMutableRawBufferPointer(buffer))
      count = byteCount
    }
  }

  @unsafe private func encode(into memory: UnsafeMutableRawBufferPointer) {
    unsafe Self.encode(segmentCount: segmentWordCounts.count, into: memory) { segmentWordCounts[$0] }
  }

  /// Writes the bytes of a header to the start of `memory`, which has room for them.
  @unsafe static func encode(
    segmentCount: Int, into memory: UnsafeMutableRawBufferPointer, wordCount: (_ index: Int) -> Int
  ) {
    func store(_ value: Int, at index: Int) {
      unsafe memory.storeBytes(
        of: UInt32(truncatingIfNeeded: value).littleEndian, toByteOffset: index * 4, as: UInt32.self)
    }
    store(segmentCount - 1, at: 0)
    for index in 0..<segmentCount { store(wordCount(index), at: index + 1) }
    if segmentCount % 2 == 0 { store(0, at: segmentCount + 1) }
  }

  /// What follows the header at the start of `bytes`, if that is one of one segment: its size in words. Without an array.
  ///
  /// - Throws: `truncated`, `tooManySegments`, or `messageTooLarge`.
  static func soleSegmentWordCount(decoding bytes: RawSpan, limits: ReadLimits) throws(CapnProtoError) -> Int? {
    guard bytes.byteCount >= 8 else { throw CapnProtoError(.truncated(needed: 8, available: bytes.byteCount)) }
    guard try segmentCount(bytes, limits) == 1 else { return nil }
    let words = Int(load(bytes, at: 4))
    guard words <= limits.totalWords else {
      throw CapnProtoError(.messageTooLarge(words: words, limitWords: limits.totalWords))
    }
    return words
  }

  /// The size of the header that begins with `prefix`, in bytes; nil if `prefix` has less than 4 bytes.
  ///
  /// - Throws: `tooManySegments`.
  public static func byteCount(
    ofHeaderBeginningWith prefix: RawSpan, limits: ReadLimits
  ) throws(CapnProtoError) -> Int? {
    guard prefix.byteCount >= 4 else { return nil }
    return byteCount(segmentCount: try segmentCount(prefix, limits))
  }

  /// Decodes the header at the start of `bytes`.
  ///
  /// - Throws: `truncated`, `tooManySegments`, or `messageTooLarge`.
  public init(decoding bytes: RawSpan, limits: ReadLimits) throws(CapnProtoError) {
    guard bytes.byteCount >= 4 else { throw CapnProtoError(.truncated(needed: 8, available: bytes.byteCount)) }
    let count = try Self.segmentCount(bytes, limits)
    let needed = Self.byteCount(segmentCount: count)
    guard bytes.byteCount >= needed else {
      throw CapnProtoError(.truncated(needed: needed, available: bytes.byteCount))
    }
    var words: [Int] = []
    words.reserveCapacity(count)
    var total = 0
    for index in 0..<count {
      let size = Int(Self.load(bytes, at: 4 + index * 4))
      total += size
      guard total <= limits.totalWords else {
        throw CapnProtoError(.messageTooLarge(words: total, limitWords: limits.totalWords))
      }
      words.append(size)
    }
    segmentWordCounts = words
  }

  private static func segmentCount(_ bytes: RawSpan, _ limits: ReadLimits) throws(CapnProtoError) -> Int {
    let count = Int(load(bytes, at: 0)) + 1
    guard count <= limits.segmentCount else {
      throw CapnProtoError(.tooManySegments(count: count, limit: limits.segmentCount))
    }
    return count
  }

  private static func load(_ bytes: RawSpan, at offset: Int) -> UInt32 {
    // Bounds are checked, and any bits are an integer.
    UInt32(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }
}
