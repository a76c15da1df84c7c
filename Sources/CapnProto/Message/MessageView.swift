/// A message in stream framing that is read where its bytes stand: in a mapped file, a buffer, an array. Nothing is copied
/// but the segment table. The compiler sees to it that the view does not outlive the bytes.
@safe
public struct MessageView<Root: StructSchema>: ~Copyable, ~Escapable {
  @usableFromInline let segments: MessageSegments

  /// The one message that `bytes` hold in stream framing.
  ///
  /// - Parameters:
  ///   - root: The schema of the root struct.
  ///   - bytes: The message, at an address divisible by 8.
  ///   - limits: What the message may hold and reading it may cost.
  /// - Throws: `misalignedSegment` (read it with ``MessageReader``, which copies), `truncated`, `trailingBytes`,
  ///   `tooManySegments`, or `messageTooLarge`.
  @_lifetime(copy bytes)
  public init(_ root: Root.Type = Root.self, stream bytes: RawSpan, limits: ReadLimits = .stream) throws(CapnProtoError)
  {
    var rest = bytes
    let parts = try Self.segments(&rest, limits)
    guard rest.byteCount == 0 else { throw CapnProtoError(.trailingBytes(count: rest.byteCount)) }
    segments = parts
  }

  /// The first of the messages that `bytes` hold in stream framing, which is dropped from them.
  ///
  /// - Parameters:
  ///   - root: The schema of the root struct.
  ///   - bytes: The messages, at an address divisible by 8.
  ///   - limits: What the message may hold and reading it may cost.
  /// - Throws: As ``init(_:stream:limits:)``, but for `trailingBytes`.
  @_lifetime(copy bytes)
  @_lifetime(bytes: copy bytes)
  public init(
    _ root: Root.Type = Root.self, prefixOf bytes: inout RawSpan, limits: ReadLimits = .stream
  ) throws(CapnProtoError) {
    segments = try Self.segments(&bytes, limits)
  }

  /// The message whose only segment is `segment`, without framing: canonical messages come so.
  ///
  /// - Parameters:
  ///   - root: The schema of the root struct.
  ///   - segment: Whole words at an address divisible by 8.
  ///   - limits: What reading may cost.
  /// - Throws: `misalignedSegment` or `messageTooLarge`.
  @_lifetime(copy segment)
  public init(
    _ root: Root.Type = Root.self, segment: RawSpan, limits: ReadLimits = .stream
  ) throws(CapnProtoError) {
    // Sound: the view lives no longer than the bytes.
    segments = unsafe try segment.withUnsafeBytes { (bytes) throws(CapnProtoError) in
      unsafe try MessageSegments([bytes], limits: limits)
    }
  }

  /// Calls `body` with the root struct of the one message that `bytes` hold in stream framing. Where the bytes are those of
  /// an array's span, the compiler does not let a view be kept in a variable; this needs none.
  ///
  /// - Parameters:
  ///   - root: The schema of the root struct.
  ///   - bytes: The message, at an address divisible by 8.
  ///   - limits: What the message may hold and reading it may cost.
  ///   - body: What is to be done with the message.
  /// - Throws: As ``init(_:stream:limits:)``, and what is wrong with the root pointer, or what `body` throws.
  @inlinable
  public static func read<Result>(
    _ root: Root.Type = Root.self, stream bytes: RawSpan, limits: ReadLimits = .stream,
    _ body: (Root.Reader) throws -> Result
  ) throws -> Result {
    var rest = bytes
    let segments = try Self.segments(&rest, limits)
    guard rest.byteCount == 0 else { throw CapnProtoError(.trailingBytes(count: rest.byteCount)) }
    return try body(segments.root(as: root))
  }

  @_lifetime(bytes: copy bytes)
  @usableFromInline static func segments(_ bytes: inout RawSpan, _ limits: ReadLimits) throws(CapnProtoError)
    -> MessageSegments
  {
    // Most messages have one segment: read without an array.
    let sole = try StreamHeader.soleSegmentWordCount(decoding: bytes, limits: limits)
    let header = sole == nil ? try StreamHeader(decoding: bytes, limits: limits) : nil
    let (headerByteCount, words) = (header?.byteCount ?? 8, sole ?? header?.totalWords ?? 0)
    let (needed, available) = (words * 8, bytes.byteCount - headerByteCount)
    guard available >= needed else { throw CapnProtoError(.truncated(needed: needed, available: available)) }
    let body = bytes.extracting(headerByteCount..<headerByteCount + needed)
    let segments = unsafe try body.withUnsafeBytes { (body) throws(CapnProtoError) in
      guard let header else { return unsafe try MessageSegments(sole: body, limits: limits) }
      return unsafe try MessageSegments(in: body, wordCounts: header.segmentWordCounts, limits: limits)
    }
    bytes = bytes.extracting(droppingFirst: headerByteCount + needed)
    return segments
  }

  /// The root struct.
  ///
  /// - Throws: What is wrong with the root pointer.
  @inlinable
  public var root: Root.Reader {
    @_lifetime(borrow self) get throws(CapnProtoError) {
      let structure = try segments.table.rootStructure(Root.self)
      return Root.Reader(unsafe _overrideLifetime(RawStructReader(unowned: structure), borrowing: self))
    }
  }

  /// Calls `body` with the root struct.
  ///
  /// - Throws: What is wrong with the root pointer, or what `body` throws.
  public func read<Result>(_ body: (Root.Reader) throws -> Result) throws -> Result {
    try body(root)
  }
}
