/// The segments of a message that somebody else keeps alive, with the limits for reading them. Whoever may write to the
/// bytes, even while they are read, can falsify values but nothing else.
@safe
public struct MessageSegments: ~Copyable, @unchecked Sendable {
  // Sound as Sendable: constant, but for the traversal counter, which is atomic.
  @usableFromInline let table: SegmentTable

  /// Checks `segments` against `limits`.
  ///
  /// - Parameters:
  ///   - segments: Each aligned to 8 and of whole words. They stay mapped as long as the value lives, and keep their place.
  ///   - limits: What reading may cost.
  /// - Throws: `noSegments`, `tooManySegments`, `messageTooLarge`, or `misalignedSegment`.
  @unsafe
  public init(_ segments: [UnsafeRawBufferPointer], limits: ReadLimits) throws(CapnProtoError) {
    table = unsafe try segments.withUnsafeBufferPointer { (segments) throws(CapnProtoError) in
      unsafe try Self.makeTable(segments, limits)
    }
  }

  /// As ``init(_:limits:)``, for segments of `wordCounts` that stand one after another in `body`, which is at least as long.
  @unsafe
  init(
    in body: UnsafeRawBufferPointer, wordCounts: [Int], limits: ReadLimits
  ) throws(CapnProtoError) {
    guard wordCounts.count != 1 else {
      // Most messages: without an array.
      unsafe try self.init(sole: UnsafeRawBufferPointer(rebasing: body[..<(wordCounts[0] * 8)]), limits: limits)
      return
    }
    var parts: [UnsafeRawBufferPointer] = unsafe []
    var offset = 0
    for words in wordCounts {
      unsafe parts.append(UnsafeRawBufferPointer(rebasing: body[offset..<offset + words * 8]))
      offset += words * 8
    }
    unsafe try self.init(parts, limits: limits)
  }

  /// As ``init(_:limits:)``, for one segment.
  @unsafe
  package init(sole segment: UnsafeRawBufferPointer, limits: ReadLimits) throws(CapnProtoError) {
    table = unsafe try withUnsafePointer(to: segment) { (segment) throws(CapnProtoError) in
      unsafe try Self.makeTable(UnsafeBufferPointer(start: segment, count: 1), limits)
    }
  }

  /// A copy of a message of one segment.
  ///
  /// - Parameter segment: Whole words; its alignment does not matter.
  package init(copying segment: RawSpan, limits: ReadLimits) throws(CapnProtoError) {
    // Sound: the span stands for the time of the copy.
    table = unsafe try segment.withUnsafeBytes { (bytes) throws(CapnProtoError) in
      unsafe try withUnsafePointer(to: bytes) { (segment) throws(CapnProtoError) in
        unsafe try Self.makeTable(UnsafeBufferPointer(start: segment, count: 1), limits, copying: true)
      }
    }
  }

  /// The bytes of the first segment; valid as long as this value is, and what it stands for.
  @unsafe
  package var firstSegment: UnsafeRawBufferPointer {
    // Sound: a table has one segment at least.
    let record = unsafe table.message.pointee.segments[0].pointee
    return unsafe UnsafeRawBufferPointer(start: record.start, count: record.wordCount * 8)
  }

  /// As ``init(_:limits:)``, without an array.
  @unsafe
  package init(
    _ segments: UnsafeBufferPointer<UnsafeRawBufferPointer>, limits: ReadLimits
  ) throws(CapnProtoError) {
    table = unsafe try Self.makeTable(segments, limits)
  }

  private static func makeTable(
    _ segments: UnsafeBufferPointer<UnsafeRawBufferPointer>, _ limits: ReadLimits, copying: Bool = false
  ) throws(CapnProtoError) -> SegmentTable {
    guard !segments.isEmpty else { throw CapnProtoError(.noSegments) }
    let count = segments.count
    guard count <= limits.segmentCount else {
      throw CapnProtoError(.tooManySegments(count: count, limit: limits.segmentCount))
    }
    var words = 0
    for index in segments.indices {
      let segment = unsafe segments[index]
      let address = UInt(bitPattern: segment.baseAddress)
      guard address & 7 == 0 || copying, segment.count & 7 == 0 else {
        throw CapnProtoError(.misalignedSegment(index: index))
      }
      words &+= segment.count / 8
      guard words <= limits.totalWords else {
        throw CapnProtoError(.messageTooLarge(words: words, limitWords: limits.totalWords))
      }
    }
    return unsafe SegmentTable.allocate(
      segments: segments, copying: copying, traversalLimit: max(0, limits.traversalWords),
      nestingLimit: max(0, limits.nesting))
  }

  deinit { table.deallocate() }

  /// The root struct, read as one of `schema`.
  ///
  /// - Throws: What is wrong with the root pointer.
  @inlinable @_lifetime(borrow self)
  public func root<Schema: StructSchema>(as schema: Schema.Type = Schema.self) throws(CapnProtoError) -> Schema.Reader {
    let structure = try table.rootStructure(Schema.self)
    return Schema.Reader(unsafe _overrideLifetime(RawStructReader(unowned: structure), borrowing: self))
  }

  /// As ``root(as:)``, for a message in an object that the compiler cannot see to live long enough: the caller ties the
  /// reader to what keeps this value.
  @unsafe @inlinable @_lifetime(immortal)
  public func unownedRoot<Schema: StructSchema>(
    as schema: Schema.Type = Schema.self
  ) throws(CapnProtoError) -> Schema.Reader {
    let structure = try table.rootStructure(Schema.self)
    return Schema.Reader(unsafe _overrideLifetime(RawStructReader(unowned: structure), borrowing: ()))
  }

  /// The root pointer, whatever it points to.
  @inlinable
  public var rootPointer: AnyPointerReader {
    @_lifetime(borrow self) get {
      unsafe _overrideLifetime(AnyPointerReader(unowned: table.rootPointer), borrowing: self)
    }
  }
}
