import SluiceMemory
import SluiceTransport

/// What travels on a lane: what a message is, and where its content stands. The content itself stays where it was built.
///
/// A frame on a link is a ``LaneHeader`` and then this, little-endian:
///
/// | offset | size | field |
/// |---|---|---|
/// | 0 | 1 | kind: see ``Kind`` |
/// | 1 | 1 | number of handles, 0 to 253 |
/// | 2 | 2 | number of segments, 0 to ``segmentCountLimit`` |
/// | 4 | 4 | lease: slot |
/// | 8 | 4 | lease: generation |
/// | 12 | 4 | ticket of the handles, 0 without handles |
/// | 16 | 8 | correlation: the request's number; 0 for a notification |
/// | 24 | 24 each | segments: id (4), zero (4), offset (8), byte count (8) |
/// | 24 | 4 + rest | instead of segments, for a failure: code, then text in UTF-8, at most ``failureTextLimit`` bytes |
///
/// A received envelope is decoded from a private copy of the frame, and each field is checked against what was announced
/// before the memory it names is touched.
public struct Envelope: Sendable, Hashable {
  /// What a message is to the exchange that it belongs to.
  public enum Kind: UInt8, Sendable, CaseIterable {
    /// Expects no answer.
    case notification = 1
    /// Expects one response.
    case request = 2
    /// Answers a request.
    case response = 3
    /// Answers a request with a code and a text instead of a message.
    case failure = 4
  }

  /// A part of a message: a run of bytes in an announced segment.
  public struct Part: Sendable, Hashable {
    /// The id under which the sender announced the segment.
    public var segmentID: UInt32
    /// Where the part begins in the segment, in bytes; a multiple of 8.
    public var offset: UInt64
    /// Its length in bytes; a multiple of 8.
    public var byteCount: UInt64

    /// A part of the given place and length.
    public init(segmentID: UInt32, offset: UInt64, byteCount: UInt64) {
      self.segmentID = segmentID
      self.offset = offset
      self.byteCount = byteCount
    }
  }

  /// What a ``Kind/failure`` says instead of a message.
  public struct Failure: Sendable, Hashable {
    /// The application's code, or one of ``ChannelFailureCode``.
    public var code: UInt32
    /// For people.
    public var text: String

    /// A failure of the given code and text.
    public init(code: UInt32, text: String) {
      self.code = code
      self.text = text
    }
  }

  /// Size of the fixed fields.
  public static let headerByteCount = 24
  /// Size of one part on the wire.
  public static let partByteCount = 24
  /// Most segments that one message may have.
  public static let segmentCountLimit = 1024
  /// Most bytes of text in a failure; more is cut off by its sender.
  public static let failureTextLimit = 1024
  /// Most handles with one message: what the kernel passes at once.
  public static let handleCountLimit = 253
  /// Size of the largest frame, lane header included.
  public static let largestFrameByteCount =
    LaneHeader.byteCount + headerByteCount + segmentCountLimit * partByteCount

  /// What the message is.
  public var kind: Kind
  /// The request's number; 0 for a notification.
  public var correlation: UInt64
  /// The lease under which the parts may be read. Meaningful if there are parts.
  public var lease = Lease(slot: 0, generation: 0)
  /// The message's segments, in their order.
  public var parts: SmallList<Part> = []
  /// How many handles come with the message.
  public var handleCount: UInt8 = 0
  /// Under which ticket they were sent.
  public var handleTicket: UInt32 = 0
  /// What went wrong, for a ``Kind/failure``.
  public var failure: Failure?

  /// An envelope without content.
  public init(kind: Kind, correlation: UInt64) {
    self.kind = kind
    self.correlation = correlation
  }

  /// Size of the frame with its lane header.
  public var frameByteCount: Int {
    let content = failure.map { 4 + $0.text.utf8.count } ?? parts.count * Self.partByteCount
    return LaneHeader.byteCount + Self.headerByteCount + content
  }

  /// Writes the envelope behind the lane header of a frame of ``frameByteCount`` bytes.
  public func encode(into frame: inout MutableRawSpan) {
    let start = LaneHeader.byteCount
    let counts = UInt32(kind.rawValue) | UInt32(handleCount) << 8 | UInt32(truncatingIfNeeded: parts.count) << 16
    frame.storeLittleEndian(counts, at: start)
    frame.storeLittleEndian(lease.slot, at: start + 4)
    frame.storeLittleEndian(lease.generation, at: start + 8)
    frame.storeLittleEndian(handleTicket, at: start + 12)
    frame.storeLittleEndian(correlation, at: start + 16)
    var offset = start + Self.headerByteCount
    if let failure {
      frame.storeLittleEndian(failure.code, at: offset)
      offset += 4
      for byte in failure.text.utf8 {
        frame.storeLittleEndian(byte, at: offset)
        offset += 1
      }
      return
    }
    for part in parts {
      frame.storeLittleEndian(UInt64(part.segmentID), at: offset)
      frame.storeLittleEndian(part.offset, at: offset + 8)
      frame.storeLittleEndian(part.byteCount, at: offset + 16)
      offset += Self.partByteCount
    }
  }

  /// Decodes what stands behind the lane header of `frame`, which must be private memory.
  ///
  /// - Throws: ``EnvelopeError``, which names the field and what is wrong with it.
  public init(decoding frame: RawSpan) throws(EnvelopeError) {
    let start = LaneHeader.byteCount
    guard frame.byteCount >= start + Self.headerByteCount else { throw .truncated(byteCount: frame.byteCount) }
    let counts = frame.littleEndian(UInt32.self, at: start)
    guard let kind = Kind(rawValue: UInt8(truncatingIfNeeded: counts)) else {
      throw .unknownKind(UInt8(truncatingIfNeeded: counts))
    }
    self.init(kind: kind, correlation: frame.littleEndian(at: start + 16))
    handleCount = UInt8(truncatingIfNeeded: counts >> 8)
    handleTicket = frame.littleEndian(at: start + 12)
    lease = Lease(slot: frame.littleEndian(at: start + 4), generation: frame.littleEndian(at: start + 8))
    guard handleCount <= Self.handleCountLimit else { throw .tooManyHandles(Int(handleCount)) }
    guard kind != .notification || correlation == 0 else { throw .correlatedNotification(correlation) }

    let partCount = Int(counts >> 16)
    guard partCount <= Self.segmentCountLimit else { throw .tooManySegments(partCount) }
    let content = start + Self.headerByteCount
    if kind == .failure {
      guard partCount == 0, handleCount == 0 else { throw .failureWithContent }
      failure = try Self.decodeFailure(frame, at: content)
      return
    }
    guard partCount > 0 else { throw .noContent }
    guard frame.byteCount == content + partCount * Self.partByteCount else {
      throw .wrongSize(byteCount: frame.byteCount, segments: partCount)
    }
    for index in 0..<partCount {
      let offset = content + index * Self.partByteCount
      let id: UInt64 = frame.littleEndian(at: offset)
      let part = Part(
        segmentID: UInt32(truncatingIfNeeded: id), offset: frame.littleEndian(at: offset + 8),
        byteCount: frame.littleEndian(at: offset + 16))
      guard id >> 32 == 0 else { throw .reservedBitsSet }
      guard part.offset % 8 == 0, part.byteCount % 8 == 0 else {
        throw .misaligned(offset: part.offset, byteCount: part.byteCount)
      }
      parts.append(part)
    }
  }

  private static func decodeFailure(_ frame: RawSpan, at start: Int) throws(EnvelopeError) -> Failure {
    guard frame.byteCount >= start + 4 else { throw .truncated(byteCount: frame.byteCount) }
    let textByteCount = frame.byteCount - start - 4
    guard textByteCount <= failureTextLimit else { throw .failureTextTooLong(textByteCount) }
    let bytes = (start + 4..<frame.byteCount).map { frame.littleEndian(UInt8.self, at: $0) }
    return Failure(code: frame.littleEndian(at: start), text: String(decoding: bytes, as: UTF8.self))
  }
}

/// What is wrong with an envelope. Its sender broke the protocol.
public enum EnvelopeError: Error, Sendable, Hashable {
  /// The frame ends before the fixed fields do.
  case truncated(byteCount: Int)
  /// No such kind of message.
  case unknownKind(UInt8)
  /// More handles than the kernel passes at once.
  case tooManyHandles(Int)
  /// More segments than ``Envelope/segmentCountLimit``.
  case tooManySegments(Int)
  /// A notification that claims to belong to a request.
  case correlatedNotification(UInt64)
  /// A failure with segments or handles.
  case failureWithContent
  /// A failure with more text than ``Envelope/failureTextLimit``.
  case failureTextTooLong(Int)
  /// A message without a segment.
  case noContent
  /// The frame is not as long as its number of segments says.
  case wrongSize(byteCount: Int, segments: Int)
  /// Bits that must be zero are not.
  case reservedBitsSet
  /// A part does not begin or end on a word.
  case misaligned(offset: UInt64, byteCount: UInt64)
}
