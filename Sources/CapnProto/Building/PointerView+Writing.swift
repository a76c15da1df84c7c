extension PointerView {
  /// Points to a new struct of zeros. Without content on failure, which is recorded.
  @inlinable
  func initStructure(_ size: StructSize, _ field: FieldName = .none) -> StructView {
    guard unsafe location != nil else { return unsafe StructView(emptyIn: segment) }
    if !isNull { erase() }
    guard size.words > 0 else {
      // An offset of -1 tells an empty struct from a null pointer.
      store(.structure(offset: -1, size: size))
      return unsafe StructView(emptyIn: segment)
    }
    guard let reservation = reserve(size.words, field) else { return unsafe StructView(emptyIn: segment) }
    reservation.zero()
    commit(.structure(offset: 0, size: size), to: reservation)
    return unsafe StructView(
      segment: reservation.segment, data: UnsafeRawPointer(reservation.start), dataBits: UInt32(size.dataWords) &* 64,
      pointerCount: size.pointers, nesting: .max)
  }

  /// Points to a new list of `count` zero elements. On failure, which is recorded, its elements have no content.
  @inlinable
  func initList(_ layout: ElementLayout, count: Int, _ field: FieldName = .none) -> ListView {
    guard unsafe location != nil else { return void(layout, count: count) }
    if !isNull { erase() }
    guard count >= 0, count <= WirePointer.maximumListCount else {
      return refuseList(layout, count: count, field)
    }
    guard layout.elementSize != .composite else { return initStructList(layout, count: count, field) }
    let size = layout.elementSize
    guard let reservation = reserve((count &* Int(size.stepBits) &+ 63) &>> 6, field) else {
      return void(layout, count: count)
    }
    reservation.zero()
    commit(.list(offset: 0, elementSize: size, count: count), to: reservation)
    return unsafe ListView(
      segment: reservation.segment, start: UnsafeRawPointer(reservation.start),
      count: UInt32(truncatingIfNeeded: count), stepBits: size.stepBits, dataBits: size.dataBits,
      pointerCount: size.pointerCount, elementSize: size, nesting: .max)
  }

  @inlinable
  func initStructList(_ layout: ElementLayout, count: Int, _ field: FieldName) -> ListView {
    let size = layout.structSize
    let words = count &* size.words
    guard words <= WirePointer.maximumListCount else {
      return refuseList(layout, count: count, words: words, field)
    }
    guard let reservation = reserve(words &+ 1, field) else { return void(layout, count: count) }
    reservation.zero()
    // Sound: the first reserved word is the tag, which looks like a struct pointer with the count as its offset.
    unsafe reservation.start.storeBytes(of: WirePointer.structure(offset: count, size: size).bits, as: UInt64.self)
    commit(.list(offset: 0, elementSize: .composite, count: words), to: reservation)
    return unsafe ListView(
      segment: reservation.segment, start: UnsafeRawPointer(reservation.start) + 8,
      count: UInt32(truncatingIfNeeded: count), stepBits: UInt32(truncatingIfNeeded: size.words &* 64),
      dataBits: UInt32(size.dataWords) &* 64, pointerCount: size.pointers, elementSize: .composite, nesting: .max)
  }

  /// A list of `count` elements without content: what is written to it is dropped.
  @usableFromInline
  func void(_ layout: ElementLayout, count: Int) -> ListView {
    unsafe ListView(
      segment: segment, start: UnsafeRawPointer(segment.pointee.start), count: UInt32(clamping: count), stepBits: 0,
      dataBits: 0, pointerCount: 0, elementSize: layout.elementSize, nesting: 0)
  }

  @usableFromInline @inline(never)
  func refuseList(
    _ layout: ElementLayout, count: Int, words: Int? = nil, _ field: FieldName = .none
  ) -> ListView {
    fail(error(.invalidListCount(words ?? count, limit: WirePointer.maximumListCount)).named(field))
    return void(layout, count: count)
  }

  /// Reserves room for a list of `byteCount` bytes; nil on failure, which is recorded.
  @inlinable
  func reserveBytes(_ byteCount: Int, _ field: FieldName) -> Reservation? {
    guard unsafe location != nil else { return nil }
    guard byteCount >= 0, byteCount <= WirePointer.maximumListCount else {
      _ = refuseList(ElementLayout(.byte), count: byteCount, field)
      return nil
    }
    return reserve((byteCount &+ 7) &>> 3, field)
  }

  /// Erases what was pointed to and points to the blob in `reservation`. The old object goes only now, since the new one may
  /// have been copied from it.
  @inlinable
  func replace(with tag: WirePointer, in reservation: Reservation) {
    if !isNull { erase() }
    commit(tag, to: reservation)
  }

  /// Points to a copy of `bytes`, followed by `terminator` zero bytes.
  @inlinable
  func setBytes(_ bytes: UnsafeRawBufferPointer, terminator: Int = 0, _ field: FieldName = .none) {
    let count = bytes.count &+ terminator
    guard let reservation = reserveBytes(count, field) else { return }
    // Sound: the room has as many bytes. The last word is zeroed first, for the terminator and the padding.
    if reservation.words > 0 {
      unsafe (reservation.start + (reservation.words &- 1) &* 8).storeBytes(of: 0, as: UInt64.self)
    }
    if let source = bytes.baseAddress {
      unsafe reservation.start.copyMemory(from: source, byteCount: bytes.count)
    }
    replace(with: .list(offset: 0, elementSize: .byte, count: count), in: reservation)
  }

  /// Points to a copy of `text`.
  @inlinable
  func setText(_ text: String, _ field: FieldName = .none) {
    // A string is never a part of the message, so that what it replaces can go at once.
    if !isNull { erase() }
    var text = text
    text.withUTF8 { unsafe setBytes(UnsafeRawBufferPointer($0), terminator: 1, field) }
  }

  /// Points to a new blob of zeros. On failure, which is recorded, the memory is a stand-in of the same size, if that is
  /// one that a blob can have.
  @inlinable
  func initBytes(_ byteCount: Int, _ field: FieldName = .none) -> UnsafeMutableRawBufferPointer {
    guard let reservation = reserveBytes(byteCount, field) else { return unsafe standIn(byteCount) }
    reservation.zero()
    replace(with: .list(offset: 0, elementSize: .byte, count: byteCount), in: reservation)
    return unsafe UnsafeMutableRawBufferPointer(start: reservation.start, count: byteCount)
  }

  @usableFromInline @inline(never)
  func standIn(_ byteCount: Int) -> UnsafeMutableRawBufferPointer {
    guard let builder = unsafe segment.pointee.message.pointee.builder, byteCount > 0,
      byteCount <= WirePointer.maximumListCount
    else { return unsafe UnsafeMutableRawBufferPointer(start: nil, count: 0) }
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 8)
    unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
    if let base = memory.baseAddress { unsafe builder.pointee.scratch.append(base) }
    return unsafe memory
  }

  /// Points to a blob that `fill` writes, of as many bytes as it wrote. The memory is not zeroed first, and no byte that
  /// `fill` did not write becomes visible. If it throws, the pointer is null.
  @inlinable
  func initBytes<Failure: Error>(
    capacity: Int, _ field: FieldName = .none, fill: (inout OutputRawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    guard let reservation = reserveBytes(capacity, field) else { return }
    // Sound: the room has as many bytes, and only what `fill` initialised is kept.
    let buffer = unsafe UnsafeMutableRawBufferPointer(start: reservation.start, count: capacity)
    var output = unsafe OutputRawSpan(buffer: buffer, initializedCount: 0)
    do {
      try fill(&output)
    } catch {
      reservation.cancel()
      if !isNull { erase() }
      throw error
    }
    let count = unsafe output.finalize(for: buffer)
    guard count > 0 else {
      reservation.cancel()
      if !isNull { erase() }
      return store(.list(offset: 0, elementSize: .byte, count: 0))
    }
    let padding = (8 &- count & 7) & 7
    if padding > 0 {
      unsafe (reservation.start + count).initializeMemory(as: UInt8.self, repeating: 0, count: padding)
    }
    reservation.shorten(toWords: (count &+ 7) &>> 3)
    replace(with: .list(offset: 0, elementSize: .byte, count: count), in: reservation)
  }
}
