/// A message that was read from a stream, with its bytes.
@safe
public struct MessageReader<Root: StructSchema>: ~Copyable, @unchecked Sendable {
  // Sound as Sendable: constant, but for the traversal counter, which is atomic.
  private let memory: UnsafeMutableRawBufferPointer
  @usableFromInline let segments: MessageSegments

  /// The one message that `bytes` hold in stream framing. Copies them.
  ///
  /// - Throws: `truncated`, `trailingBytes`, `tooManySegments`, or `messageTooLarge`.
  public init(
    _ root: Root.Type = Root.self, stream bytes: [UInt8], limits: ReadLimits = .stream
  ) throws(CapnProtoError) {
    unsafe try self.init(root, stream: bytes.span.bytes, limits: limits)
  }

  /// The one message that `bytes` hold in stream framing. Copies them.
  ///
  /// - Throws: `truncated`, `trailingBytes`, `tooManySegments`, or `messageTooLarge`.
  public init(_ root: Root.Type = Root.self, stream bytes: RawSpan, limits: ReadLimits = .stream) throws(CapnProtoError)
  {
    let header = try StreamHeader(decoding: bytes, limits: limits)
    let available = bytes.byteCount - header.byteCount
    let needed = header.totalWords * 8
    guard available >= needed else { throw CapnProtoError(.truncated(needed: needed, available: available)) }
    guard available == needed else { throw CapnProtoError(.trailingBytes(count: available - needed)) }
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: needed, alignment: 8)
    // Sound: as many bytes are behind the header as the new memory has.
    unsafe bytes.withUnsafeBytes {
      unsafe memory.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0.dropFirst(header.byteCount)))
    }
    try unsafe self.init(owning: memory, header: header, limits: limits)
  }

  /// The one message that `bytes` hold in packed stream framing.
  ///
  /// - Throws: `truncated`, `trailingBytes`, `tooManySegments`, or `messageTooLarge`.
  public init(_ root: Root.Type = Root.self, packed bytes: RawSpan, limits: ReadLimits = .stream) throws(CapnProtoError)
  {
    var decoder = StreamDecoder(root, encoding: .packed, limits: limits)
    var rest = bytes
    guard let message = try decoder.next(from: &rest) else {
      try decoder.finish()
      throw CapnProtoError(.truncated(needed: 8, available: 0))
    }
    guard rest.byteCount == 0, decoder.isBetweenMessages else {
      throw CapnProtoError(.trailingBytes(count: max(rest.byteCount, 1)))
    }
    self = message
  }

  /// Reads one message in stream framing from `source`; nil if the source ends before it began.
  ///
  /// - Parameters:
  ///   - root: The schema of the root struct.
  ///   - limits: What the message may hold and reading it may cost. Memory is allocated after the header was checked.
  ///   - source: Reads some bytes into the buffer, which is not empty, and returns how many; 0 at the end.
  /// - Throws: What `source` throws, or a ``CapnProtoError`` (`truncated`, `tooManySegments`, `messageTooLarge`).
  public static func read(
    _ root: Root.Type = Root.self, limits: ReadLimits = .stream,
    from source: (inout MutableRawSpan) throws -> Int
  ) throws -> MessageReader? {
    var header = [UInt8](repeating: 0, count: 8)
    let first = try Self.fill(&header, from: 0, source)
    if first == 0 { return nil }
    guard first == 8 else { throw CapnProtoError(.truncated(needed: 8, available: first)) }
    let headerSize = unsafe try StreamHeader.byteCount(ofHeaderBeginningWith: header.span.bytes, limits: limits) ?? 8
    if headerSize > 8 {
      header.append(contentsOf: repeatElement(0, count: headerSize - 8))
      let size = try Self.fill(&header, from: 8, source)
      guard size == headerSize else { throw CapnProtoError(.truncated(needed: headerSize, available: size)) }
    }
    let decoded = unsafe try StreamHeader(decoding: header.span.bytes, limits: limits)
    let memory = unsafe Self.allocate(byteCount: decoded.totalWords * 8)
    do {
      var filled = 0
      while filled < memory.count {
        var rest = unsafe MutableRawSpan(_unsafeBytes: UnsafeMutableRawBufferPointer(rebasing: memory[filled...]))
        let count = try source(&rest)
        guard count > 0, count <= memory.count - filled else {
          throw unsafe CapnProtoError(.truncated(needed: memory.count, available: filled))
        }
        filled += count
      }
    } catch {
      unsafe memory.deallocate()
      throw error
    }
    return try unsafe MessageReader(owning: memory, header: decoded, limits: limits)
  }

  /// Fills `bytes` from `start` on as far as the source goes; returns how many bytes there are then.
  private static func fill(
    _ bytes: inout [UInt8], from start: Int, _ source: (inout MutableRawSpan) throws -> Int
  ) throws -> Int {
    var filled = start
    while filled < bytes.count {
      var span = bytes.mutableSpan
      var raw = unsafe span.mutableBytes
      var rest = raw._mutatingExtracting(filled..<raw.byteCount)
      let count = try source(&rest)
      guard count > 0 else { return filled }
      guard count <= bytes.count - filled else {
        throw CapnProtoError(.truncated(needed: bytes.count, available: filled))
      }
      filled += count
    }
    return filled
  }

  private static func allocate(byteCount: Int) -> UnsafeMutableRawBufferPointer {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 8)
    unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
    return unsafe memory
  }

  /// Takes over `memory`, also if this throws, which has the bytes that `header` counts.
  init(
    owning memory: UnsafeMutableRawBufferPointer, header: StreamHeader, limits: ReadLimits
  ) throws(CapnProtoError) {
    do {
      segments = unsafe try MessageSegments(
        in: UnsafeRawBufferPointer(memory), wordCounts: header.segmentWordCounts, limits: limits)
    } catch {
      unsafe memory.deallocate()
      throw error
    }
    unsafe self.memory = memory
  }

  deinit { unsafe memory.deallocate() }

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
