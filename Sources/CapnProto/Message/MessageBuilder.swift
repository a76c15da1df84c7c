/// A message under construction, whose root is a struct of type `Root`. It owns its segments through its allocator.
///
/// Reading and copying out of it are safe from any thread while nobody writes; the `mutating` accessor of the root makes
/// the compiler see to that.
@safe
public struct MessageBuilder<Root: StructSchema>: ~Copyable, @unchecked Sendable {
  // Sound as Sendable: writing goes through `mutating`; what borrowing methods touch is constant, or atomic.
  @usableFromInline let message: UnsafeMutablePointer<MessageRecord>
  @usableFromInline let rootView: StructView
  /// Where the segments come from, and who frees them.
  public let allocator: any SegmentAllocator

  /// An empty message with its root struct.
  ///
  /// - Parameters:
  ///   - root: The schema of the root struct.
  ///   - allocator: Gives the segments, to this message alone.
  /// - Throws: `allocationFailed` when there is no memory for the root.
  public init(
    _ root: Root.Type = Root.self, allocator: any SegmentAllocator = HeapSegmentAllocator()
  ) throws(CapnProtoError) {
    self.allocator = allocator
    unsafe message = try MessageRecord.allocateForBuilding(
      allocator: allocator, minimumWords: 1 + Root.size.words)
    // Sound: the first segment has the root pointer, and room for the root.
    let pointer = unsafe SegmentTable(message: message).rootPointer
    rootView = pointer.initStructure(Root.size)
  }

  deinit {
    // Sound: no builder or reader of the message outlives it; the compiler sees to that.
    unsafe MessageRecord.deallocateAfterBuilding(message)
  }

  /// The root struct for writing.
  @inlinable
  public var root: Root.Builder {
    @_lifetime(&self) mutating get {
      Root.Builder(unsafe _overrideLifetime(RawStructBuilder(unowned: rootView), mutating: &self))
    }
  }

  /// Makes the message empty, with a root struct of zeros and without a failure, and keeps its memory: building a message of
  /// the same kind again allocates nothing.
  public mutating func reset() {
    unsafe MessageRecord.reset(message)
    // The root takes the same place as before, for which the first segment has room.
    _ = unsafe SegmentTable(message: message).rootPointer.initStructure(rootView.size)
  }

  /// What went wrong first while the message was written; nil if nothing did. A message that failed is incomplete and must
  /// not be sent: ``serialized()`` and everything else that hands it on throws this.
  public var failure: CapnProtoError? {
    unsafe built.failure
  }

  /// How many segments there are.
  public var segmentCount: Int { unsafe built.segmentCount }

  /// The used part of segment `index`, which is in range. Valid until the message is written to or ends.
  @unsafe
  public func segment(at index: Int) -> UnsafeRawBufferPointer { unsafe built.segment(at: index) }

  /// What there is to send, without the type of its root. Valid until the message is written to or ends.
  @unsafe @inlinable package var built: BuiltSegments { unsafe BuiltSegments(message: message, allocator: allocator) }

  /// The bytes of all segments together.
  public var byteCount: Int {
    (0..<segmentCount).reduce(0) { unsafe $0 + segment(at: $1).count }
  }

  /// Calls `body` with the root struct for reading.
  ///
  /// - Throws: ``failure``, or what `body` throws.
  public func read<Result>(_ body: (Root.Reader) throws -> Result) throws -> Result {
    if let failure { throw failure }
    return try body(reader())
  }

  @_lifetime(borrow self)
  private func reader() -> Root.Reader {
    Root.Reader(unsafe _overrideLifetime(RawStructReader(unowned: rootView), borrowing: self))
  }

  /// The header of the message in stream framing.
  var streamHeader: StreamHeader {
    StreamHeader(segmentWordCounts: (0..<segmentCount).map { unsafe segment(at: $0).count / 8 })
  }

  /// The message in stream framing: a segment table and the segments, in one array.
  ///
  /// - Throws: ``failure``.
  public func serialized() throws(CapnProtoError) -> [UInt8] {
    if let failure { throw failure }
    let headerByteCount = StreamHeader.byteCount(segmentCount: segmentCount)
    return unsafe [UInt8](unsafeUninitializedCapacity: headerByteCount + byteCount) { buffer, count in
      // Sound: the header and the segments fill the buffer exactly.
      let memory = UnsafeMutableRawBufferPointer(buffer)
      unsafe StreamHeader.encode(segmentCount: segmentCount, into: memory) { unsafe segment(at: $0).count / 8 }
      count = headerByteCount
      for index in 0..<segmentCount {
        let segment = unsafe segment(at: index)
        unsafe UnsafeMutableRawBufferPointer(rebasing: memory[count...]).copyMemory(from: segment)
        count += segment.count
      }
    }
  }

  /// Writes the message in stream framing: `sink` is called with the header, and then with each segment.
  ///
  /// - Throws: ``failure``, or what `sink` throws.
  public func write(to sink: (RawSpan) throws -> Void) throws {
    if let failure { throw failure }
    unsafe try sink(streamHeader.encoded.span.bytes)
    for index in 0..<segmentCount { try sink(unsafe RawSpan(_unsafeBytes: segment(at: index))) }
  }
}
