/// How messages stand in a stream, behind their segment table.
public enum StreamEncoding: Sendable, Hashable {
  /// Word by word.
  case plain
  /// Without most zero bytes, as ``PackedEncoder`` does it.
  case packed
}

/// Takes messages out of a stream that comes in pieces of any size. It does no input itself: feed it, and get each message
/// when its last byte came.
///
///     var rest = piece.span.bytes
///     while let message = try decoder.next(from: &rest) { … }
///
/// A message's memory is allocated once its header was found to be within the limits; the system provides it as it is
/// filled. Bytes are copied once, into the message.
@safe
public struct StreamDecoder<Root: StructSchema>: ~Copyable, @unchecked Sendable {
  // Sound as Sendable: it alone owns its memory.
  private let limits: ReadLimits
  private let encoding: StreamEncoding
  private var unpacking = PackedDecoder()
  /// The header as far as it came, with room for as much of it as is known to follow.
  private var header: [UInt8]
  private var headerFilled = 0
  /// The message whose header came, as far as it came.
  private var message: (header: StreamHeader, memory: UnsafeMutableRawBufferPointer, filled: Int)?
  private var failure: CapnProtoError?

  /// A decoder for a stream's beginning.
  ///
  /// - Parameters:
  ///   - root: The schema of the messages' root structs.
  ///   - encoding: Whether the stream is packed.
  ///   - limits: What each message may hold and reading it may cost.
  public init(_ root: Root.Type = Root.self, encoding: StreamEncoding = .plain, limits: ReadLimits = .stream) {
    self.limits = limits
    self.encoding = encoding
    header = [UInt8](repeating: 0, count: 8)
  }

  deinit {
    if let message = unsafe message { unsafe message.memory.deallocate() }
  }

  /// The next message, once it is whole; nil when all of `input` was taken and more is needed.
  ///
  /// - Parameter input: The stream's next bytes; those that were taken are dropped from it.
  /// - Throws: `tooManySegments` or `messageTooLarge`, and the same again from then on, since what follows is lost.
  @_lifetime(input: copy input)
  public mutating func next(from input: inout RawSpan) throws(CapnProtoError) -> MessageReader<Root>? {
    if let failure { throw failure }
    do {
      guard try takeHeader(&input) else { return nil }
      return try takeBody(&input)
    } catch {
      failure = error
      throw error
    }
  }

  /// Whether the stream may end here.
  public var isBetweenMessages: Bool {
    unsafe message == nil && headerFilled == 0 && unpacking.isBetweenWords && failure == nil
  }

  /// The stream ends here.
  ///
  /// - Throws: `truncated` if that is within a message, or what ``next(from:)`` threw before.
  public func finish() throws(CapnProtoError) {
    if let failure { throw failure }
    if let message = unsafe message {
      throw unsafe CapnProtoError(.truncated(needed: message.memory.count, available: message.filled))
    }
    if headerFilled > 0 { throw CapnProtoError(.truncated(needed: header.count, available: headerFilled)) }
    try unpacking.finish()
  }

  /// Takes what is left of the header; true when it is whole.
  @_lifetime(input: copy input)
  private mutating func takeHeader(_ input: inout RawSpan) throws(CapnProtoError) -> Bool {
    if unsafe message != nil { return true }
    while true {
      let (encoding, filled) = (encoding, headerFilled)
      headerFilled += unsafe header.withUnsafeMutableBytes {
        unsafe Self.take(
          &input, into: UnsafeMutableRawBufferPointer(rebasing: $0[filled...]), encoding, &unpacking)
      }
      guard headerFilled == header.count else { return false }
      let byteCount = unsafe try StreamHeader.byteCount(ofHeaderBeginningWith: header.span.bytes, limits: limits) ?? 8
      if byteCount == header.count { break }
      header += repeatElement(0, count: byteCount - header.count)
    }
    let decoded = unsafe try StreamHeader(decoding: header.span.bytes, limits: limits)
    unsafe message = (
      decoded, UnsafeMutableRawBufferPointer.allocate(byteCount: decoded.totalWords * 8, alignment: 8), 0
    )
    header.removeSubrange(8...)
    headerFilled = 0
    return true
  }

  /// Takes what is left of the message; returns it when it is whole.
  @_lifetime(input: copy input)
  private mutating func takeBody(_ input: inout RawSpan) throws(CapnProtoError) -> MessageReader<Root>? {
    guard var current = unsafe message else { return nil }
    let room = unsafe UnsafeMutableRawBufferPointer(rebasing: current.memory[current.filled...])
    unsafe current.filled += Self.take(&input, into: room, encoding, &unpacking)
    guard unsafe current.filled == current.memory.count else {
      unsafe message = current
      return nil
    }
    // The reader owns the memory from here on, also if its initialiser throws.
    unsafe message = nil
    return unsafe try MessageReader(owning: current.memory, header: current.header, limits: limits)
  }

  /// Moves bytes from the stream to `room` until either ends; returns how many are in `room`.
  @_lifetime(input: copy input)
  private static func take(
    _ input: inout RawSpan, into room: UnsafeMutableRawBufferPointer, _ encoding: StreamEncoding,
    _ unpacking: inout PackedDecoder
  ) -> Int {
    var output = unsafe OutputRawSpan(buffer: room, initializedCount: 0)
    let consumed: Int
    switch encoding {
    case .plain:
      consumed = min(input.byteCount, output.freeCapacity)
      // Sound: as many bytes are in the input, and have room.
      unsafe output.withUnsafeMutableBytes { (buffer: UnsafeMutableRawBufferPointer, count: inout Int) in
        unsafe input.withUnsafeBytes {
          unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<consumed]))
        }
        count = consumed
      }
    case .packed: consumed = unpacking.decode(input, into: &output)
    }
    input = input.extracting(droppingFirst: consumed)
    return unsafe output.finalize(for: room)
  }
}
