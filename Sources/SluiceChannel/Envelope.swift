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
/// | 4 | 4 | lease: slot; for ``Kind/more`` the number of items |
/// | 8 | 4 | lease: generation |
/// | 12 | 4 | ticket of the handles, 0 without handles |
/// | 16 | 5 | the request's number, 0 if the message belongs to none |
/// | 21 | 3 | for a request, milliseconds until its deadline, 0 for none; else 0 |
/// | 24 | 24 each | segments: id (4), zero (4), offset (8), byte count (8) |
/// | 24 | rest | instead of segments: the content itself, one segment of at least a word |
/// | 24 | 16 + rest | instead of segments, for a failure: code (4), bytes of text (4), type of details (8), text, details |
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
    /// Answers a request with a code and a text instead of a message; also ends a stream.
    case failure = 4
    /// The sender sends no more notifications and requests on this lane.
    case finish = 5
    /// The requester wants no answer any more: its handler may stop.
    case cancel = 6
    /// One of a stream of responses to a request.
    case item = 7
    /// The requester takes more items of a stream.
    case more = 8
    /// No more items of a stream will come.
    case end = 9
    /// An answer to a request came that nobody waits for. Not answered.
    case late = 10

    /// Whether the kind carries a message.
    var hasContent: Bool {
      switch self {
      case .notification, .request, .response, .item: true
      case .failure, .finish, .cancel, .more, .end, .late: false
      }
    }

    /// Whether the message waits in a queue of the lane until somebody takes it, and so costs a credit.
    var isCharged: Bool { self == .notification || self == .request }
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
    /// For programs: the application's own.
    public var details: Metadata

    /// A failure of the given code and text.
    public init(code: UInt32, text: String, details: Metadata = .none) {
      self.code = code
      self.text = text
      self.details = details
    }

    /// Size of what stands before the text.
    static let headerByteCount = 16
    var byteCount: Int { Self.headerByteCount + text.utf8.count + details.bytes.count }
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

  /// The largest number of a request.
  public static let largestCorrelation: UInt64 = 1 << 40 - 1
  /// The longest timeout that a request can name, in milliseconds.
  public static let longestTimeout: UInt32 = 1 << 24 - 1

  /// What the message is.
  public var kind: Kind
  /// The request's number; 0 for a notification.
  public var correlation: UInt64
  /// For a request: milliseconds until its deadline; 0 for none.
  public var timeout: UInt32 = 0
  /// For ``Kind/more``: how many items.
  public var itemCount: UInt32 = 0
  /// How many bytes of content stand in the frame itself; 0 if it stands in segments, or there is none.
  public var inlineByteCount = 0
  /// The lease under which the parts may be read. Meaningful if there are parts.
  public var lease = Lease(slot: 0, generation: 0)
  /// The message's segments, in their order.
  public var parts = Parts()
  /// How many handles come with the message.
  public var handleCount: UInt8 = 0
  /// Under which ticket they were sent.
  public var handleTicket: UInt32 = 0
  /// What went wrong, for a ``Kind/failure``.
  public var failure: Failure? {
    get { boxedFailure.map { $0.failure } }
    set { boxedFailure = newValue.map { .failure($0) } }
  }
  private var boxedFailure: BoxedFailure?

  /// Keeps what few envelopes have out of all the others, which are copied often.
  private indirect enum BoxedFailure: Hashable {
    case failure(Failure)

    var failure: Failure {
      switch self {
      case .failure(let failure): failure
      }
    }
  }

  /// An envelope without content.
  public init(kind: Kind, correlation: UInt64) {
    self.kind = kind
    self.correlation = correlation
  }

  /// Size of the frame with its lane header.
  public var frameByteCount: Int {
    if boxedFailure == nil { return Self.contentOffset + parts.count * Self.partByteCount + inlineByteCount }
    return Self.contentOffset + (failure?.byteCount ?? 0)
  }

  /// Where, in the frame, the content or the segments begin.
  static let contentOffset = LaneHeader.byteCount + headerByteCount

  /// Writes the envelope behind the lane header of a frame of ``frameByteCount`` bytes. Content that stands in the frame is
  /// left to the caller.
  public func encode(into frame: inout MutableRawSpan) {
    let start = LaneHeader.byteCount
    let counts = UInt32(kind.rawValue) | UInt32(handleCount) << 8 | UInt32(truncatingIfNeeded: parts.count) << 16
    frame.storeLittleEndian(counts, at: start)
    frame.storeLittleEndian(kind == .more ? itemCount : lease.slot, at: start + 4)
    frame.storeLittleEndian(lease.generation, at: start + 8)
    frame.storeLittleEndian(handleTicket, at: start + 12)
    frame.storeLittleEndian(correlation | UInt64(timeout) << 40, at: start + 16)
    var offset = start + Self.headerByteCount
    if boxedFailure != nil, let failure {
      frame.storeLittleEndian(failure.code, at: offset)
      frame.storeLittleEndian(UInt32(failure.text.utf8.count), at: offset + 4)
      frame.storeLittleEndian(failure.details.typeID, at: offset + 8)
      offset += Failure.headerByteCount
      for byte in failure.text.utf8 {
        frame.storeLittleEndian(byte, at: offset)
        offset += 1
      }
      for byte in failure.details.bytes {
        frame.storeLittleEndian(byte, at: offset)
        offset += 1
      }
      return
    }
    parts.forEachPart { part in
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
    let numbers: UInt64 = frame.littleEndian(at: start + 16)
    self.init(kind: kind, correlation: numbers & Self.largestCorrelation)
    timeout = UInt32(numbers >> 40)
    handleCount = UInt8(truncatingIfNeeded: counts >> 8)
    handleTicket = frame.littleEndian(at: start + 12)
    let slot: UInt32 = frame.littleEndian(at: start + 4)
    guard timeout == 0 || kind == .request else { throw .reservedBitsSet }
    guard handleCount <= Self.handleCountLimit else { throw .tooManyHandles(Int(handleCount)) }
    guard correlation == 0 || kind != .notification && kind != .finish else {
      throw .correlatedNotification(correlation)
    }

    let partCount = Int(counts >> 16)
    guard partCount <= Self.segmentCountLimit else { throw .tooManySegments(partCount) }
    let content = Self.contentOffset
    guard kind.hasContent else {
      guard partCount == 0, handleCount == 0 else { throw .contentWithout(kind) }
      if kind == .failure {
        failure = try Self.decodeFailure(frame, at: content)
      } else {
        guard frame.byteCount == content else { throw .wrongSize(byteCount: frame.byteCount, segments: 0) }
        if kind == .more { itemCount = slot }
      }
      return
    }
    lease = Lease(slot: slot, generation: frame.littleEndian(at: start + 8))
    guard partCount > 0 else {
      inlineByteCount = frame.byteCount - content
      guard inlineByteCount > 0 else { throw .noContent }
      guard inlineByteCount % 8 == 0 else { throw .misaligned(offset: 0, byteCount: UInt64(inlineByteCount)) }
      return
    }
    guard frame.byteCount == content + partCount * Self.partByteCount else {
      throw .wrongSize(byteCount: frame.byteCount, segments: partCount)
    }
    parts.reserveCapacity(partCount)
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
    let rest = start + Failure.headerByteCount
    guard frame.byteCount >= rest else { throw .truncated(byteCount: frame.byteCount) }
    let textByteCount: UInt32 = frame.littleEndian(at: start + 4)
    guard textByteCount <= failureTextLimit else { throw .failureTextTooLong(Int(textByteCount)) }
    let details = rest + Int(textByteCount)
    guard details <= frame.byteCount else { throw .truncated(byteCount: frame.byteCount) }
    guard frame.byteCount - details <= Metadata.byteCountLimit else {
      throw .failureDetailsTooLong(frame.byteCount - details)
    }
    func bytes(_ range: Range<Int>) -> [UInt8] { range.map { frame.littleEndian(UInt8.self, at: $0) } }
    return Failure(
      code: frame.littleEndian(at: start), text: String(decoding: bytes(rest..<details), as: UTF8.self),
      details: Metadata(typeID: frame.littleEndian(at: start + 8), bytes: bytes(details..<frame.byteCount)))
  }
}

/// What is wrong with an envelope. Its sender broke the protocol.
public enum EnvelopeError: Error, Sendable, Hashable, CustomStringConvertible {
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
  /// Segments or handles with a kind that has no content.
  case contentWithout(Envelope.Kind)
  /// A failure with more text than ``Envelope/failureTextLimit``.
  case failureTextTooLong(Int)
  /// A failure with more details than ``Metadata/byteCountLimit``.
  case failureDetailsTooLong(Int)
  /// A message without a segment.
  case noContent
  /// The frame is not as long as its number of segments says.
  case wrongSize(byteCount: Int, segments: Int)
  /// Bits that must be zero are not.
  case reservedBitsSet
  /// A part does not begin or end on a word.
  case misaligned(offset: UInt64, byteCount: UInt64)

  /// What is wrong, with the limit that it breaks.
  public var description: String {
    switch self {
    case .truncated(let byteCount): "an envelope of \(byteCount) bytes ends before its fixed fields do"
    case .unknownKind(let kind): "kind \(kind) of message is unknown"
    case .tooManyHandles(let count): "\(count) handles; at most \(Envelope.handleCountLimit) are allowed"
    case .tooManySegments(let count): "\(count) segments; at most \(Envelope.segmentCountLimit) are allowed"
    case .correlatedNotification(let number): "a notification that belongs to request \(number)"
    case .contentWithout(let kind): "content with a message of kind \(kind), which has none"
    case .failureTextTooLong(let byteCount):
      "a failure with \(byteCount) bytes of text; at most \(Envelope.failureTextLimit) are allowed"
    case .failureDetailsTooLong(let byteCount):
      "a failure with \(byteCount) bytes of details; at most \(Metadata.byteCountLimit) are allowed"
    case .noContent: "a message without a segment"
    case .wrongSize(let byteCount, let segments): "an envelope of \(byteCount) bytes that names \(segments) segments"
    case .reservedBitsSet: "bits that must be zero are not"
    case .misaligned(let offset, let byteCount): "\(byteCount) bytes at \(offset) do not begin and end on words"
    }
  }
}
