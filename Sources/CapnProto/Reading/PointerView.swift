/// A pointer in a message that is being read: where it stands, and how deep. Following it checks everything on the loaded
/// value; what results lies wholly within its segment.
@usableFromInline @safe
struct PointerView {
  @usableFromInline let segment: UnsafePointer<SegmentRecord>
  /// An aligned word in the segment; nil where the struct has no such pointer, which reads as null.
  @usableFromInline let location: UnsafeRawPointer?
  /// Pointers that may still be followed from here down.
  @usableFromInline let nesting: Int32

  @inlinable @inline(__always)
  init(segment: UnsafePointer<SegmentRecord>, location: UnsafeRawPointer?, nesting: Int32) {
    unsafe self.segment = segment
    unsafe self.location = location
    self.nesting = nesting
  }

  /// The pointer, loaded once; null where there is none.
  @inlinable @inline(__always)
  func load() -> WirePointer {
    // Sound: `location`, if there is one, is a word within the segment.
    guard let location = unsafe location else { return WirePointer(bits: 0) }
    return unsafe WirePointer(loading: location)
  }

  @inlinable @inline(__always)
  var isNull: Bool { load().isNull }

  /// What a pointer leads to, far pointers resolved: `wordOffset` is not checked yet.
  @usableFromInline @safe
  struct Target {
    @usableFromInline let tag: WirePointer
    @usableFromInline let segment: UnsafePointer<SegmentRecord>
    @usableFromInline let wordOffset: Int

    @inlinable @inline(__always)
    init(tag: WirePointer, segment: UnsafePointer<SegmentRecord>, wordOffset: Int) {
      self.tag = tag
      unsafe self.segment = segment
      self.wordOffset = wordOffset
    }
  }

  /// Follows `pointer`, the value that was loaded here and is not null.
  @inlinable @inline(__always)
  func resolve(_ pointer: WirePointer) throws(CapnProtoError) -> Target {
    if pointer.kind == .far { return try resolveFar(pointer) }
    // Sound: a pointer that is not null has a location, which lies in the segment.
    return unsafe Target(
      tag: pointer, segment: segment,
      wordOffset: segment.pointee.wordOffset(of: location.unsafelyUnwrapped) &+ 1 &+ pointer.offset)
  }

  /// Follows a far or double-far pointer to its object.
  @usableFromInline @inline(never)
  func resolveFar(_ pointer: WirePointer) throws(CapnProtoError) -> Target {
    let padSegment = unsafe try lookUp(pointer)
    let padWords = pointer.isDoubleFar ? 2 : 1
    guard unsafe padSegment.pointee.contains(offset: pointer.farWordOffset, words: padWords) else {
      throw error(.outOfBounds(wordCount: padWords))
    }
    try charge(padWords)
    // Sound: the landing pad was just found to lie in the segment.
    let pad = unsafe UnsafeRawPointer(padSegment.pointee.start) + pointer.farWordOffset &* 8
    let first = unsafe WirePointer(loading: pad)
    guard pointer.isDoubleFar else {
      return unsafe Target(
        tag: first, segment: padSegment, wordOffset: pointer.farWordOffset &+ 1 &+ first.offset)
    }
    guard first.kind == .far, !first.isDoubleFar else { throw error(.invalidLandingPad) }
    let tag = unsafe WirePointer(loading: pad + 8)
    guard tag.kind != .far else { throw error(.invalidLandingPad) }
    return unsafe Target(tag: tag, segment: try lookUp(first), wordOffset: first.farWordOffset)
  }

  private func lookUp(_ far: WirePointer) throws(CapnProtoError) -> UnsafePointer<SegmentRecord> {
    let message = unsafe segment.pointee.message
    let count = unsafe message.pointee.segmentCount
    guard Int(far.farSegment) < count else {
      throw error(.unknownSegment(far.farSegment, segmentCount: count))
    }
    return unsafe UnsafePointer(message.pointee.segments[Int(far.farSegment)])
  }

  @inlinable @inline(__always)
  func charge(_ words: Int) throws(CapnProtoError) {
    if unsafe !segment.pointee.message.pointee.charge(words) { throw traversalError() }
  }

  /// The nesting for what the pointer leads to.
  @inlinable @inline(__always)
  func descend() throws(CapnProtoError) -> Int32 {
    guard nesting > 0 else { throw nestingError() }
    return nesting &- 1
  }

  @usableFromInline @inline(never)
  func error(_ kind: CapnProtoError.Kind) -> CapnProtoError {
    unsafe CapnProtoError(kind, at: location.map { unsafe segment.pointee.location(of: $0) })
  }

  @usableFromInline @inline(never)
  func traversalError() -> CapnProtoError {
    unsafe error(.traversalLimitExceeded(limitWords: segment.pointee.message.pointee.traversalLimit))
  }

  @usableFromInline @inline(never)
  func nestingError() -> CapnProtoError {
    unsafe error(.nestingLimitExceeded(limit: segment.pointee.message.pointee.nestingLimit))
  }
}
