/// Moving objects between pointers of one message under construction, without copying them.
extension PointerView {
  /// A null pointer of its own in the message, in the segment of this one if there is room. Nil on failure, which is
  /// recorded.
  func reserveSlot() -> PointerView? {
    guard let slot = reserve(1) else { return nil }
    slot.zero()
    // Sound: a landing pad that is not needed is the reserved word before.
    if slot.hasLandingPad { unsafe (slot.start - 8).storeBytes(of: 0, as: UInt64.self) }
    return unsafe PointerView(segment: slot.segment, location: UnsafeRawPointer(slot.start), nesting: .max)
  }

  /// Points to what `other`, in the same message, points to; `other` becomes null. If the object is in another segment, this
  /// takes a word there as a landing pad, or two words elsewhere where that segment is full. On failure, which is recorded,
  /// nothing changes.
  func transfer(from other: PointerView) {
    let value = other.load()
    guard !value.isNull, let location = unsafe location, let from = unsafe other.location else { return }
    guard value.kind != .far, value.kind != .other, !value.isEmptyObject else {
      other.store(WirePointer(bits: 0))
      return store(value)
    }
    let record = unsafe other.segment.pointee
    let target = unsafe record.wordOffset(of: from) &+ 1 &+ value.offset
    if unsafe other.segment == segment {
      store(value.withOffset(unsafe target &- record.wordOffset(of: location) &- 1))
    } else if let pad = unsafe reservePad(in: UnsafeMutablePointer(mutating: other.segment)) {
      unsafe pad.start.storeBytes(of: value.withOffset(target &- pad.wordOffset &- 1).bits, as: UInt64.self)
      unsafe store(.far(segment: record.index, wordOffset: pad.wordOffset, isDouble: false))
    } else {
      guard let room = reserveElsewhere(1) else { return }
      // Sound: two words were reserved, the first of them before `start`.
      let pad = unsafe room.start - 8
      unsafe pad.storeBytes(
        of: WirePointer.far(segment: record.index, wordOffset: target, isDouble: false).bits, as: UInt64.self)
      unsafe room.start.storeBytes(of: value.withOffset(0).bits, as: UInt64.self)
      let holder = unsafe room.segment.pointee
      store(.far(segment: holder.index, wordOffset: unsafe holder.wordOffset(of: pad), isDouble: true))
    }
    other.store(WirePointer(bits: 0))
  }

  /// Points to what `slot` points to, a pointer of its own in the same message, which is given up: it becomes the landing
  /// pad where one is needed, and else is given back if nothing follows it.
  func take(_ slot: PointerView) {
    let value = slot.load()
    guard !value.isNull, let from = unsafe slot.location else { return slot.giveBack() }
    let record = unsafe slot.segment.pointee
    if unsafe slot.segment == segment || value.kind == .far || value.kind == .other || value.isEmptyObject {
      transfer(from: slot)
      slot.giveBack()
    } else {
      store(.far(segment: record.index, wordOffset: unsafe record.wordOffset(of: from), isDouble: false))
    }
  }

  /// Gives the word of a null pointer of its own back if it is the last one in use of its segment.
  func giveBack() {
    guard isNull, let location = unsafe location else { return }
    // Sound: the record is a builder's, hence mutable, and only one thread writes a message.
    let record = unsafe UnsafeMutablePointer(mutating: segment)
    if unsafe record.pointee.wordOffset(of: location) == record.pointee.wordCount &- 1 {
      unsafe record.pointee.wordCount &-= 1
    }
  }

  /// Moves what this points to, to a pointer of its own; one without a place if there is nothing to move, or on failure,
  /// which is recorded.
  func disown() -> PointerView {
    if !isNull, let slot = reserveSlot() {
      slot.transfer(from: self)
      if !slot.isNull { return slot }
    }
    return unsafe PointerView(segment: segment, location: nil, nesting: 0)
  }

  private func reservePad(
    in segment: UnsafeMutablePointer<SegmentRecord>
  ) -> (start: UnsafeMutableRawPointer, wordOffset: Int)? {
    let used = unsafe segment.pointee.wordCount
    guard unsafe used < segment.pointee.capacity else { return nil }
    unsafe segment.pointee.wordCount = used &+ 1
    return unsafe (segment.pointee.start + used &* 8, used)
  }
}

extension WirePointer {
  /// Whether this is a pointer to a struct or list without content, which stands where its pointer does.
  var isEmptyObject: Bool {
    kind == .structure ? structSize.words == 0 : kind == .list && isEmptyList
  }

  /// Of a list: whether it takes no words.
  var isEmptyList: Bool { elementSize != .composite && listCount &* Int(elementSize.stepBits) == 0 }
}
