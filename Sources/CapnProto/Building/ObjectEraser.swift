/// Zeroes an object and all that it owns, so that what was replaced does not travel with the message.
///
/// A message that a peer can write to may have been tampered with, so everything is checked as when reading, without
/// recursion, and the work is bounded: in a sound message no object is owned twice, hence no more words can be zeroed than
/// are in use.
struct ObjectEraser: ~Copyable {
  private var pending: [PointerView]
  private var budget: Int

  init(_ pointer: PointerView) {
    pending = [pointer]
    budget = unsafe pointer.segment.pointee.message.pointee.usedWordCount()
  }

  /// Erases what `pointers`, all in the message of `owner`, lead to.
  init(_ pointers: [PointerView], of owner: PointerView) {
    pending = pointers
    budget = unsafe owner.segment.pointee.message.pointee.usedWordCount()
  }

  mutating func run() throws(CapnProtoError) {
    while let next = pending.popLast() { try erase(next) }
  }

  private mutating func erase(_ pointer: PointerView) throws(CapnProtoError) {
    let value = pointer.load()
    if value.isNull { return }
    pointer.store(WirePointer(bits: 0))
    if value.kind == .other { return }
    let target = try pointer.resolve(value)
    if value.kind == .far {
      // Sound: that the landing pad lies in that segment was checked when the pointer was resolved.
      let pad = unsafe pointer.segment.pointee.message.pointee.segments[Int(value.farSegment)].pointee.start
      unsafe try zero(unsafe pad + value.farWordOffset &* 8, words: value.isDoubleFar ? 2 : 1, pointer)
    }
    switch target.tag.kind {
    case .structure: try eraseStructure(target, pointer)
    case .list: try eraseList(target, pointer)
    case .far: throw pointer.error(.invalidLandingPad)
    case .other: return
    }
  }

  private mutating func eraseStructure(_ target: PointerView.Target, _ pointer: PointerView) throws(CapnProtoError) {
    let size = target.tag.structSize
    let start = unsafe try check(target, words: size.words, pointer)
    try unsafe eraseElement(start, size, in: target.segment, pointer)
  }

  private mutating func eraseList(_ target: PointerView.Target, _ pointer: PointerView) throws(CapnProtoError) {
    let count = target.tag.listCount
    guard target.tag.elementSize == .composite else {
      let step = Int(target.tag.elementSize.stepBits)
      let words = (count &* step &+ 63) &>> 6
      let start = unsafe try check(target, words: words, pointer)
      guard target.tag.elementSize == .pointer else { return try unsafe zero(start, words: words, pointer) }
      for index in 0..<count {
        try unsafe eraseElement(
          start + index &* 8, StructSize(dataWords: 0, pointers: 1), in: target.segment, pointer)
      }
      return
    }
    let start = unsafe try check(target, words: count &+ 1, pointer)
    let tag = unsafe WirePointer(loading: start)
    let size = tag.structSize
    guard tag.kind == .structure else { throw pointer.error(.invalidListTag) }
    guard tag.tagElementCount &* size.words <= count else {
      throw pointer.error(.listOverrun(elementCount: tag.tagElementCount, wordCount: count))
    }
    try unsafe zero(start, words: 1, pointer)
    guard size.words > 0 else { return }
    for index in 0..<tag.tagElementCount {
      let element = unsafe start + (1 &+ index &* size.words) &* 8
      try unsafe eraseElement(element, size, in: target.segment, pointer)
    }
  }

  /// Zeroes an element's data, and queues its pointers.
  private mutating func eraseElement(
    _ start: UnsafeMutableRawPointer, _ size: StructSize, in segment: UnsafePointer<SegmentRecord>,
    _ pointer: PointerView
  ) throws(CapnProtoError) {
    try unsafe zero(start, words: Int(size.dataWords), pointer)
    try spend(Int(size.pointers), pointer)
    for index in Int(size.dataWords)..<size.words {
      let inner = unsafe PointerView(segment: segment, location: start + index &* 8, nesting: .max)
      if !inner.isNull { pending.append(inner) }
    }
  }

  private func check(
    _ target: PointerView.Target, words: Int, _ pointer: PointerView
  ) throws(CapnProtoError) -> UnsafeMutableRawPointer {
    guard unsafe target.segment.pointee.contains(offset: target.wordOffset, words: words) else {
      throw pointer.error(.outOfBounds(wordCount: words))
    }
    return unsafe target.segment.pointee.start + target.wordOffset &* 8
  }

  private mutating func zero(
    _ start: UnsafeMutableRawPointer, words: Int, _ pointer: PointerView
  ) throws(CapnProtoError) {
    try spend(words, pointer)
    // Sound: the callers found these words within a segment.
    unsafe start.initializeMemory(as: UInt64.self, repeating: 0, count: words)
  }

  private mutating func spend(_ words: Int, _ pointer: PointerView) throws(CapnProtoError) {
    guard words <= budget else { throw pointer.error(.traversalLimitExceeded(limitWords: budget)) }
    budget -= words
  }
}

extension PointerView {
  /// Zeroes the object that the pointer leads to, all that it owns, and the pointer. What is malformed stays, and is
  /// recorded as a failure.
  @usableFromInline @inline(never)
  func erase() {
    var eraser = ObjectEraser(self)
    do {
      try eraser.run()
    } catch {
      fail(error)
    }
  }
}
