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
    var bytes: [UInt8] = []
    bytes.reserveCapacity(byteCount)
    Self.append(UInt32(truncatingIfNeeded: segmentWordCounts.count - 1), to: &bytes)
    for count in segmentWordCounts { Self.append(UInt32(truncatingIfNeeded: count), to: &bytes) }
    if bytes.count % 8 != 0 { Self.append(0, to: &bytes) }
    return bytes
  }

  private static func append(_ value: UInt32, to bytes: inout [UInt8]) {
    for shift in stride(from: UInt32(0), to: 32, by: 8) { bytes.append(UInt8(truncatingIfNeeded: value >> shift)) }
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
