/// The eight bytes before each message of a queue transport. All numbers are little-endian.
///
/// | offset | bytes | meaning |
/// |---|---|---|
/// | 0 | 2 | magic: 0x5AE2, so that a stranger's message is refused |
/// | 2 | 1 | kind: 1 = a frame begins, 2 = it goes on, 3 = the sender has finished; others are refused |
/// | 3 | 1 | zero when sent, ignored when received |
/// | 4 | 4 | kind 1: the blob's byte count; kind 2: where in the blob this part belongs; kind 3: zero |
/// | 8 | n | a part of the blob: as much as is left and fits |
struct FragmentHeader: Sendable, Hashable {
  static let byteCount = 8
  static let magic: UInt16 = 0x5AE2

  enum Kind: UInt8, Sendable, Hashable {
    case first = 1
    case continuation = 2
    case end = 3
  }

  let kind: Kind
  let value: Int

  init(_ kind: Kind, _ value: Int) {
    self.kind = kind
    self.value = value
  }

  /// Reads the eight bytes, as a number in this machine's byte order.
  init(word: UInt64) throws(FrameError) {
    let word = UInt64(littleEndian: word)
    let magic = UInt16(truncatingIfNeeded: word)
    guard magic == FragmentHeader.magic else { throw .wrongMagic(magic) }
    let number = UInt8(truncatingIfNeeded: word >> 16)
    guard let kind = Kind(rawValue: number) else { throw .unknownKind(number) }
    self.kind = kind
    value = Int(word >> 32)
  }

  /// The eight bytes, as a number in this machine's byte order. The value is at most 1 GiB.
  var word: UInt64 {
    (UInt64(FragmentHeader.magic) | UInt64(kind.rawValue) << 16 | UInt64(value) << 32).littleEndian
  }
}

/// Joins fragments to frames. A pure value: it sees headers and sizes, and says what to do with the bytes.
///
/// Each fragment but a frame's last one is full, so that a frame of the largest size is so many messages and no more.
struct FragmentAssembler: Sendable, Hashable {
  /// How many bytes a blob may have.
  let maxBlobSize: Int
  /// How many bytes of a blob a full message carries; at least 1.
  let payloadByteCount: Int
  /// The byte count of the blob that is being joined; `nil` between frames.
  private(set) var blobByteCount: Int?
  /// How much of it is there: where the next fragment's bytes belong.
  private(set) var receivedByteCount = 0

  enum Step: Sendable, Hashable {
    /// More fragments follow.
    case incomplete
    /// A whole frame is there.
    case frame(byteCount: Int)
    /// The sender has finished. Within a frame, it has broken off.
    case end
  }

  init(maxBlobSize: Int, payloadByteCount: Int) {
    self.maxBlobSize = maxBlobSize
    self.payloadByteCount = payloadByteCount
  }

  /// Takes a message of `messageByteCount` bytes that begins with `word` (if it is that long).
  mutating func accept(word: UInt64, messageByteCount: Int) throws(FrameError) -> Step {
    guard messageByteCount >= FragmentHeader.byteCount else { throw .fragmentTooShort(byteCount: messageByteCount) }
    let header = try FragmentHeader(word: word)
    let byteCount = messageByteCount - FragmentHeader.byteCount
    switch header.kind {
    case .first:
      guard blobByteCount == nil else { throw .misplacedFragment(offset: 0, expected: receivedByteCount) }
      guard header.value <= maxBlobSize else { throw .blobTooLarge(byteCount: header.value, limit: maxBlobSize) }
      blobByteCount = header.value
    case .continuation:
      guard blobByteCount != nil, header.value == receivedByteCount else {
        throw .misplacedFragment(offset: header.value, expected: receivedByteCount)
      }
    case .end:
      return .end
    }
    let total = blobByteCount ?? 0
    let expected = min(total - receivedByteCount, payloadByteCount)
    guard byteCount == expected else { throw .wrongFragmentSize(byteCount: byteCount, expected: expected) }
    receivedByteCount += byteCount
    guard receivedByteCount == total else { return .incomplete }
    blobByteCount = nil
    receivedByteCount = 0
    return .frame(byteCount: total)
  }
}
