/// Lists in a message under construction that get longer or shorter.
extension PointerView {
  /// Gives the list `count` elements: those that are too many are zeroed, with all that they own, and new ones are zero. A
  /// list at the end of its segment's used part stays where it is and gives back or takes words; one that cannot grow in
  /// place moves. Failures are recorded.
  func resizeList(_ layout: ElementLayout, to count: Int, _ field: FieldName = .none) {
    do {
      guard let list = try list(of: .void) else {
        if count != 0 { _ = initList(layout, count: count, field) }
        return
      }
      guard count >= 0, list.words(count) <= WirePointer.maximumListCount, count <= WirePointer.maximumListCount else {
        _ = refuseList(layout, count: count, field)
        return
      }
      if count < Int(list.count) {
        try shrink(list, to: count)
      } else if count > Int(list.count) {
        try grow(list, to: count)
      }
    } catch {
      fail(error.named(field))
    }
  }

  /// Gives the text `byteCount` bytes, the terminator not counted.
  func resizeText(to byteCount: Int, _ field: FieldName = .none) {
    guard byteCount >= 0, byteCount < WirePointer.maximumListCount else {
      _ = refuseList(ElementLayout(.byte), count: byteCount, field)
      return
    }
    do {
      unsafe _ = try bytes()
    } catch {
      return fail(error.named(field))
    }
    if isNull, byteCount == 0 { return }
    resizeList(ElementLayout(.byte), to: byteCount &+ 1, field)
    // Sound: the blob is in the message; where the list was shortened, its last byte was one of the text.
    let bytes = unsafe UnsafeMutableRawBufferPointer(mutating: bytesForWriting(field))
    if bytes.count == byteCount &+ 1 { unsafe bytes[byteCount] = 0 }
  }

  private func shrink(_ list: ListView, to count: Int) throws(CapnProtoError) {
    if list.pointerCount > 0 {
      var pointers: [PointerView] = []
      for index in count..<Int(list.count) {
        let element = list.structure(index)
        for inner in 0..<Int(element.pointerCount) { pointers.append(element.pointer(inner)) }
      }
      var eraser = ObjectEraser(pointers, of: self)
      try eraser.run()
    }
    // Sound: from the first bit that is not kept to the end of the list's last word, all within the segment.
    let start = unsafe UnsafeMutableRawPointer(mutating: list.start)
    let kept = count &* Int(list.stepBits)
    let words = list.contentWords
    if kept & 7 != 0 {
      let last = unsafe start.load(fromByteOffset: kept &>> 3, as: UInt8.self)
      unsafe start.storeBytes(
        of: last & (1 &<< UInt8(kept & 7) &- 1), toByteOffset: kept &>> 3, as: UInt8.self)
    }
    let firstFree = (kept &+ 7) &>> 3
    unsafe (start + firstFree).initializeMemory(as: UInt8.self, repeating: 0, count: words &* 8 &- firstFree)
    let isLast = freeWords(behind: list) != nil
    try setCount(count, of: list)
    if isLast { unsafe UnsafeMutablePointer(mutating: list.segment).pointee.wordCount &-= words &- list.words(count) }
  }

  private func grow(_ list: ListView, to count: Int) throws(CapnProtoError) {
    let more = list.words(count) &- list.contentWords
    if more > 0, list.contentWords == 0, list.elementSize != .composite {
      _ = initList(ElementLayout(list.elementSize), count: count)
      return
    }
    if more > 0 {
      guard let free = freeWords(behind: list), more <= free else { return move(list, count: count) }
      // Sound: the words are in the segment, behind its used part.
      let end = unsafe UnsafeMutableRawPointer(mutating: list.start) + list.contentWords &* 8
      unsafe end.initializeMemory(as: UInt64.self, repeating: 0, count: more)
      unsafe UnsafeMutablePointer(mutating: list.segment).pointee.wordCount &+= more
    }
    try setCount(count, of: list)
  }

  /// Words that the segment has left behind the list; nil if something else stands there.
  private func freeWords(behind list: ListView) -> Int? {
    let record = unsafe list.segment.pointee
    let end = unsafe record.wordOffset(of: list.start) &+ list.contentWords
    return end == record.wordCount ? record.capacity &- end : nil
  }

  /// Moves the list to where it has room for `count` elements.
  private func move(_ list: ListView, count: Int) {
    guard let slot = reserveSlot() else { return }
    let copy = slot.initList(ElementLayout(list.elementSize, structSize: list.elementStructSize), count: count)
    guard !hasFailed, copy.stepBits == list.stepBits else { return }
    // Sound: the new list has more elements of the same size.
    let target = unsafe UnsafeMutableRawPointer(mutating: copy.start)
    if list.pointerCount == 0 {
      unsafe target.copyMemory(from: list.start, byteCount: (Int(list.count) &* Int(list.stepBits) &+ 7) &>> 3)
    } else {
      for index in 0..<Int(list.count) {
        let (from, to) = (list.structure(index), copy.structure(index))
        unsafe UnsafeMutableRawPointer(mutating: to.data).copyMemory(
          from: from.data, byteCount: Int(from.dataBits) &>> 3)
        for inner in 0..<Int(from.pointerCount) { to.pointer(inner).transfer(from: from.pointer(inner)) }
      }
    }
    erase()
    take(slot)
  }

  /// Writes the number of elements where the list's pointer (or its landing pad) and its tag have it.
  private func setCount(_ count: Int, of list: ListView) throws(CapnProtoError) {
    let value = load()
    if list.elementSize != .composite, list.words(count) == 0 {
      // What it took is zero, and so are its landing pads then: an empty list stands where its pointer does.
      erase()
      return store(.list(offset: 0, elementSize: list.elementSize, count: count))
    }
    guard let holder = unsafe try tagLocation(value) else { return }
    // Sound: a word of a segment: the pointer, or a landing pad that was checked; and the tag, before the elements.
    let tag = unsafe WirePointer(loading: holder)
    let isComposite = list.elementSize == .composite
    let counted = isComposite ? list.words(count) : count
    unsafe holder.storeBytes(of: tag.bits & 0x7_FFFF_FFFF | UInt64(counted) &<< 35, as: UInt64.self)
    guard isComposite else { return }
    unsafe UnsafeMutableRawPointer(mutating: list.start - 8).storeBytes(
      of: WirePointer.structure(offset: count, size: list.elementStructSize).bits, as: UInt64.self)
  }

  /// Where the word stands that describes the object: the pointer itself, or a word of its landing pad.
  private func tagLocation(_ value: WirePointer) throws(CapnProtoError) -> UnsafeMutableRawPointer? {
    guard value.kind == .far else { return unsafe UnsafeMutableRawPointer(mutating: location) }
    _ = try resolve(value)
    // Sound: that the landing pad lies in that segment was checked when the pointer was resolved.
    let pad = unsafe segment.pointee.message.pointee.segments[Int(value.farSegment)].pointee.start
    return unsafe pad + (value.farWordOffset &+ (value.isDoubleFar ? 1 : 0)) &* 8
  }
}

extension ListView {
  /// Words that `count` elements take, without a struct list's tag.
  func words(_ count: Int) -> Int { (count &* Int(stepBits) &+ 63) &>> 6 }
}
