/// Why bytes are not a frame.
public enum FrameError: Error, Sendable, Hashable, CustomStringConvertible {
  /// They do not begin as a frame does.
  case wrongMagic(UInt16)
  /// A frame of a kind that this version does not know.
  case unknownKind(UInt8)
  /// The frame announces more bytes than the receiver accepts.
  case blobTooLarge(byteCount: Int, limit: Int)
  /// The frame announces more handles than a frame can have, or the transport carries none.
  case tooManyHandles(count: Int, limit: Int)
  /// The frame announces other handles than came with it.
  case handlesMismatch(announced: Int, received: Int)
  /// A message of a queue has no whole header.
  case fragmentTooShort(byteCount: Int)
  /// A part of a frame came where another one was due.
  case misplacedFragment(offset: Int, expected: Int)
  /// A part of a frame has other bytes than are left and fit.
  case wrongFragmentSize(byteCount: Int, expected: Int)

  /// What is wrong, with the limit that was met.
  public var description: String {
    switch self {
    case .wrongMagic(let magic):
      "begins with 0x\(String(magic, radix: 16)), as nothing of this protocol does"
    case .unknownKind(let kind): "kind \(kind) is unknown"
    case .blobTooLarge(let byteCount, let limit): "announces \(byteCount) bytes, the limit is \(limit)"
    case .tooManyHandles(let count, let limit): "announces \(count) handles, the limit is \(limit)"
    case .handlesMismatch(let announced, let received): "announces \(announced) handles, \(received) came with it"
    case .fragmentTooShort(let byteCount): "a message of \(byteCount) bytes has no header"
    case .misplacedFragment(let offset, let expected):
      "a part of a frame that belongs at byte \(offset) came at byte \(expected)"
    case .wrongFragmentSize(let byteCount, let expected):
      "a part of a frame has \(byteCount) bytes, not \(expected)"
    }
  }
}

/// The eight bytes before each blob on a stream of bytes. All numbers are little-endian.
///
/// | offset | bytes | meaning |
/// |---|---|---|
/// | 0 | 2 | magic: 0x5AE1, so that garbage is refused at the first frame |
/// | 2 | 1 | kind: 1 = blob; others are refused |
/// | 3 | 1 | how many handles come with the frame's first byte, at most 253 |
/// | 4 | 4 | the blob's byte count |
/// | 8 | n | the blob |
/// | 8 + n | 0 to 7 | padding up to a multiple of 8: zero when sent, ignored when received |
public struct FrameHeader: Sendable, Hashable {
  /// The header's size on the wire.
  public static let byteCount = 8
  /// How many handles one frame can carry: what the kernel takes in one message.
  public static let maxHandleCount = 253
  /// The largest `maxBlobSize`.
  public static let maxBlobByteCount = 1 << 30
  static let magic: UInt16 = 0x5AE1
  static let blobKind: UInt8 = 1

  /// The blob's byte count.
  public let blobByteCount: Int
  /// How many handles come with the frame.
  public let handleCount: Int

  /// Describes a frame; `FrameEncoder` checks the limits.
  init(blobByteCount: Int, handleCount: Int) {
    self.blobByteCount = blobByteCount
    self.handleCount = handleCount
  }

  /// Reads a header, checking it against the limits.
  ///
  /// - Parameter word: The eight bytes, as a number in this machine's byte order.
  public init(word: UInt64, maxBlobSize: Int, maxHandleCount: Int) throws(FrameError) {
    let word = UInt64(littleEndian: word)
    let magic = UInt16(truncatingIfNeeded: word)
    guard magic == FrameHeader.magic else { throw .wrongMagic(magic) }
    let kind = UInt8(truncatingIfNeeded: word >> 16)
    guard kind == FrameHeader.blobKind else { throw .unknownKind(kind) }
    handleCount = Int(UInt8(truncatingIfNeeded: word >> 24))
    guard handleCount <= maxHandleCount else { throw .tooManyHandles(count: handleCount, limit: maxHandleCount) }
    blobByteCount = Int(word >> 32)
    guard blobByteCount <= maxBlobSize else { throw .blobTooLarge(byteCount: blobByteCount, limit: maxBlobSize) }
  }

  /// The eight bytes, as a number in this machine's byte order.
  public var word: UInt64 {
    let front = UInt64(FrameHeader.magic) | UInt64(FrameHeader.blobKind) << 16
    return (front | UInt64(handleCount) << 24 | UInt64(blobByteCount) << 32).littleEndian
  }

  /// How many bytes of padding follow the blob.
  public var paddingByteCount: Int { -blobByteCount & 7 }

  /// How many bytes the frame has on the wire: header, blob and padding.
  public var frameByteCount: Int { FrameHeader.byteCount + blobByteCount + paddingByteCount }
}
