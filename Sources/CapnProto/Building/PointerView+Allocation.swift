/// Room for an object, not yet pointed to.
@usableFromInline @safe
struct Reservation {
  @usableFromInline let segment: UnsafeMutablePointer<SegmentRecord>
  /// The object's first word. What stands there is undefined.
  @usableFromInline let start: UnsafeMutableRawPointer
  @usableFromInline let words: Int
  /// Whether the word before `start` is reserved as a landing pad, since the pointer is in another segment.
  @usableFromInline let hasLandingPad: Bool

  @inlinable @inline(__always)
  init(
    segment: UnsafeMutablePointer<SegmentRecord>, start: UnsafeMutableRawPointer, words: Int, hasLandingPad: Bool
  ) {
    unsafe self.segment = segment
    unsafe self.start = start
    self.words = words
    self.hasLandingPad = hasLandingPad
  }

  /// Fills the room with zeros.
  @inlinable @inline(__always)
  func zero() {
    // Sound: the room is within the segment, and ours.
    unsafe start.initializeMemory(as: UInt64.self, repeating: 0, count: words)
  }

  /// Gives back all but the first `kept` words, so that nothing of what stands there becomes visible.
  @usableFromInline
  func shorten(toWords kept: Int) {
    // Sound: the room is within the segment, and ours.
    let end = unsafe segment.pointee.start + segment.pointee.wordCount &* 8
    if unsafe start + words &* 8 == end {
      unsafe segment.pointee.wordCount &-= words &- kept
    } else {
      unsafe (start + kept &* 8).initializeMemory(as: UInt64.self, repeating: 0, count: words &- kept)
    }
  }

  /// Gives all of it back.
  @usableFromInline
  func cancel() {
    if hasLandingPad { unsafe (start - 8).storeBytes(of: 0, as: UInt64.self) }
    shorten(toWords: 0)
  }
}

/// Writing: only for messages under construction, whose records and memory are mutable.
extension PointerView {
  /// Writes the pointer word, where there is one.
  @inlinable @inline(__always)
  func store(_ pointer: WirePointer) {
    // Sound: the location is a word in a segment of a message under construction.
    guard let location = unsafe location else { return }
    unsafe UnsafeMutableRawPointer(mutating: location).storeBytes(of: pointer.bits, as: UInt64.self)
  }

  /// Records what went wrong, unless something did before.
  @usableFromInline @inline(never)
  func fail(_ error: CapnProtoError) {
    guard let builder = unsafe segment.pointee.message.pointee.builder else { return }
    if unsafe builder.pointee.failure == nil { unsafe builder.pointee.failure = error }
  }

  /// Whether something failed in the message that this pointer belongs to.
  var hasFailed: Bool {
    guard let builder = unsafe segment.pointee.message.pointee.builder else { return false }
    return unsafe builder.pointee.failure != nil
  }

  /// Reserves `words` words: in the segment of the pointer if there is room, else in another. Nil on failure, which is
  /// recorded.
  @inlinable @inline(__always)
  func reserve(_ words: Int, _ field: FieldName = .none) -> Reservation? {
    // Sound: the record is a builder's, hence mutable, and only one thread writes a message.
    let segment = unsafe UnsafeMutablePointer(mutating: segment)
    let used = unsafe segment.pointee.wordCount
    guard unsafe words <= segment.pointee.capacity &- used else { return reserveElsewhere(words, field) }
    unsafe segment.pointee.wordCount = used &+ words
    return unsafe Reservation(
      segment: segment, start: segment.pointee.start + used &* 8, words: words, hasLandingPad: false)
  }

  @usableFromInline @inline(never)
  func reserveElsewhere(_ words: Int, _ field: FieldName = .none) -> Reservation? {
    let message = unsafe segment.pointee.message
    guard let builder = unsafe message.pointee.builder else { return nil }
    do {
      let other = unsafe try MessageRecord.segment(withRoomFor: words &+ 1, in: message, builder: builder)
      let used = unsafe other.pointee.wordCount
      unsafe other.pointee.wordCount = used &+ words &+ 1
      return unsafe Reservation(
        segment: other, start: other.pointee.start + (used &+ 1) &* 8, words: words, hasLandingPad: true)
    } catch {
      fail(error.named(field))
      return nil
    }
  }

  /// Points to the object in `reservation`, whose kind and size `tag` says; through its landing pad if it has one.
  @inlinable @inline(__always)
  func commit(_ tag: WirePointer, to reservation: Reservation) {
    guard let location = unsafe location else { return }
    if reservation.words == 0 {
      // An empty list stands right behind its pointer: at the end of the used part it would be left outside when something
      // before it is given back.
      store(tag.withOffset(0))
    } else if reservation.hasLandingPad {
      commitFar(tag, to: reservation)
    } else {
      // Sound: both lie in one segment.
      store(tag.withOffset(unsafe (UnsafeRawPointer(reservation.start) - location) &>> 3 &- 1))
    }
  }

  @usableFromInline @inline(never)
  func commitFar(_ tag: WirePointer, to reservation: Reservation) {
    // Sound: the landing pad is the reserved word before the object.
    let pad = unsafe reservation.start - 8
    unsafe pad.storeBytes(of: tag.withOffset(0).bits, as: UInt64.self)
    let record = unsafe reservation.segment.pointee
    store(.far(segment: record.index, wordOffset: unsafe record.wordOffset(of: pad), isDouble: false))
  }
}
