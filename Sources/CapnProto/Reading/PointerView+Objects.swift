extension PointerView {
  /// The struct that the pointer leads to; nil for a null pointer.
  @inlinable
  func structure() throws(CapnProtoError) -> StructView? {
    let pointer = load()
    if pointer.isNull { return nil }
    let nesting = try descend()
    let target = try resolve(pointer)
    guard target.tag.kind == .structure else {
      throw error(.wrongPointerKind(expected: .structure, found: target.tag.kind))
    }
    let size = target.tag.structSize
    guard unsafe target.segment.pointee.contains(offset: target.wordOffset, words: size.words) else {
      throw error(.outOfBounds(wordCount: size.words))
    }
    try charge(size.words)
    // Sound: both sections lie in the segment.
    return unsafe StructView(
      segment: target.segment, data: UnsafeRawPointer(target.segment.pointee.start) + target.wordOffset &* 8,
      dataBits: UInt32(size.dataWords) &* 64, pointerCount: size.pointers, nesting: nesting)
  }

  /// The list that the pointer leads to, if its elements can be read as `expected`; nil for a null pointer.
  @inlinable
  func list(of expected: ElementSize) throws(CapnProtoError) -> ListView? {
    let pointer = load()
    if pointer.isNull { return nil }
    let nesting = try descend()
    let target = try resolve(pointer)
    guard target.tag.kind == .list else {
      throw error(.wrongPointerKind(expected: .list, found: target.tag.kind))
    }
    let found = target.tag.elementSize
    if found == .composite { return try structList(target, of: expected, nesting: nesting) }
    let count = target.tag.listCount
    let step = found.stepBits
    let words = (count &* Int(step) &+ 63) &>> 6
    guard unsafe target.segment.pointee.contains(offset: target.wordOffset, words: words) else {
      throw error(.outOfBounds(wordCount: words))
    }
    // Elements without size cost nothing on the wire, but walking them takes time.
    try charge(found == .void ? count : words)
    if expected == .composite {
      guard found != .bit else { throw error(.incompatibleElements(expected: expected, found: found)) }
    } else {
      guard expected.dataBits <= found.dataBits, expected.pointerCount <= found.pointerCount else {
        throw error(.incompatibleElements(expected: expected, found: found))
      }
    }
    // Sound: all elements lie in the segment.
    return unsafe ListView(
      segment: target.segment, start: UnsafeRawPointer(target.segment.pointee.start) + target.wordOffset &* 8,
      count: UInt32(truncatingIfNeeded: count), stepBits: step, dataBits: found.dataBits,
      pointerCount: found.pointerCount, elementSize: found, nesting: nesting)
  }

  /// A list whose elements are structs with a tag word; read as the first field of each where that was asked for.
  @inlinable
  func structList(_ target: Target, of expected: ElementSize, nesting: Int32) throws(CapnProtoError) -> ListView {
    let words = target.tag.listCount
    guard unsafe target.segment.pointee.contains(offset: target.wordOffset, words: words &+ 1) else {
      throw error(.outOfBounds(wordCount: words &+ 1))
    }
    try charge(words &+ 1)
    // Sound: the tag lies in the segment. It is loaded once.
    let start = unsafe UnsafeRawPointer(target.segment.pointee.start) + target.wordOffset &* 8
    let tag = unsafe WirePointer(loading: start)
    guard tag.kind == .structure else { throw error(.invalidListTag) }
    let size = tag.structSize
    let count = tag.tagElementCount
    guard count &* size.words <= words else { throw error(.listOverrun(elementCount: count, wordCount: words)) }
    if size.words == 0 { try charge(count) }
    switch expected {
    case .composite, .void: break
    case .bit: throw error(.incompatibleElements(expected: expected, found: .composite))
    case .pointer:
      guard size.pointers > 0 else { throw error(.incompatibleElements(expected: expected, found: .composite)) }
    case .byte, .twoBytes, .fourBytes, .eightBytes:
      guard size.dataWords > 0 else { throw error(.incompatibleElements(expected: expected, found: .composite)) }
    }
    // Sound: all elements lie in the segment, after the tag.
    return unsafe ListView(
      segment: target.segment, start: start + 8, count: UInt32(truncatingIfNeeded: count),
      stepBits: UInt32(truncatingIfNeeded: size.words &* 64), dataBits: UInt32(size.dataWords) &* 64,
      pointerCount: size.pointers, elementSize: .composite, nesting: nesting)
  }

  /// The bytes that the pointer leads to, in place; nil for a null pointer. Stable bounds, content that may change.
  @inlinable
  func bytes() throws(CapnProtoError) -> UnsafeRawBufferPointer? {
    let pointer = load()
    if pointer.isNull { return nil }
    let target = try resolve(pointer)
    guard target.tag.kind == .list else {
      throw error(.wrongPointerKind(expected: .list, found: target.tag.kind))
    }
    guard target.tag.elementSize == .byte else {
      throw error(.incompatibleElements(expected: .byte, found: target.tag.elementSize))
    }
    let count = target.tag.listCount
    let words = (count &+ 7) &>> 3
    guard unsafe target.segment.pointee.contains(offset: target.wordOffset, words: words) else {
      throw error(.outOfBounds(wordCount: words))
    }
    try charge(words)
    // Sound: the bytes lie in the segment.
    return unsafe UnsafeRawBufferPointer(
      start: UnsafeRawPointer(target.segment.pointee.start) + target.wordOffset &* 8, count: count)
  }

  /// The text's bytes without the terminating NUL, in place; nil for a null pointer.
  @inlinable
  func textBytes() throws(CapnProtoError) -> UnsafeRawBufferPointer? {
    guard let bytes = unsafe try bytes() else { return nil }
    // The terminator is judged on the one value that is loaded here; nothing relies on it afterwards.
    guard let last = unsafe bytes.last, last == 0 else { throw error(.textNotTerminated) }
    return unsafe UnsafeRawBufferPointer(rebasing: bytes.dropLast())
  }

  /// The text, copied first and then validated on the copy; nil for a null pointer.
  @inlinable
  func text() throws(CapnProtoError) -> String? {
    guard let bytes = unsafe try textBytes() else { return nil }
    guard let text = unsafe String(copyingUTF8: bytes) else { throw error(.textNotUTF8) }
    return text
  }
}

extension String {
  /// The string whose UTF-8 form `bytes` is, or nil if it is none. Reads `bytes` once, before looking at them: they may
  /// change meanwhile.
  @usableFromInline
  init?(copyingUTF8 bytes: UnsafeRawBufferPointer) {
    if unsafe bytes.isEmpty {
      self = ""
      return
    }
    let copy: String? = unsafe withUnsafeTemporaryAllocation(byteCount: bytes.count, alignment: 1) { buffer in
      unsafe buffer.copyMemory(from: bytes)
      return unsafe String(validating: buffer.assumingMemoryBound(to: UInt8.self), as: UTF8.self)
    }
    guard let copy else { return nil }
    self = copy
  }
}
