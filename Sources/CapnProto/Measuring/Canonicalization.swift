extension RawStructReader {
  /// The struct and all that it owns in canonical form: equal structs have equal bytes, so that these can be hashed, signed,
  /// and compared. One segment without framing, objects in preorder, trailing zero words and null pointers left out.
  /// ``MessageView/init(_:segment:limits:)`` reads it.
  ///
  /// - Throws: `capabilityInCanonicalForm`, what is wrong with a pointer, or a limit that was met. Everything is looked at
  ///   twice, which the traversal limit must allow.
  public func canonicalized() throws(CapnProtoError) -> [UInt8] {
    // Trimming makes objects smaller only, so that there is room for all in the first segment.
    let byteCount = try (totalSize().wordCount + 1) * 8
    let allocator = HeapSegmentAllocator(firstSegmentByteCount: byteCount, byteLimit: byteCount)
    let message = unsafe try MessageRecord.allocateForBuilding(allocator: allocator, minimumWords: byteCount / 8)
    // Sound: the message is ours, and nothing of it is left when it is freed.
    defer { unsafe MessageRecord.deallocateAfterBuilding(message) }
    try ObjectCopier.copyCanonically(view, to: unsafe SegmentTable(message: message).rootPointer)
    if let failure = unsafe message.pointee.builder?.pointee.failure { throw failure }
    let segment = unsafe message.pointee.segments[0].pointee
    return unsafe Array(UnsafeRawBufferPointer(start: segment.start, count: segment.wordCount * 8))
  }
}

extension MessageSegments {
  /// Whether the message is in canonical form.
  ///
  /// - Throws: What is wrong with a pointer, or a limit that was met. Looking at an object costs as much as reading it.
  public func isCanonical() throws(CapnProtoError) -> Bool {
    guard unsafe table.message.pointee.segmentCount == 1 else { return false }
    var check = unsafe CanonicalCheck(UnsafePointer(table.message.pointee.segments[0]))
    return try check.run(table.rootPointer)
  }
}

extension MessageReader {
  /// Whether the message is in canonical form, as ``MessageSegments/isCanonical()`` says.
  ///
  /// - Throws: What is wrong with a pointer, or a limit that was met.
  public func isCanonical() throws(CapnProtoError) -> Bool { try segments.isCanonical() }
}

extension MessageView {
  /// Whether the message is in canonical form, as ``MessageSegments/isCanonical()`` says.
  ///
  /// - Throws: What is wrong with a pointer, or a limit that was met.
  public func isCanonical() throws(CapnProtoError) -> Bool { try segments.isCanonical() }
}

/// Follows a message in preorder, and sees whether each object stands where the one before ended.
@safe private struct CanonicalCheck: ~Copyable {
  private let segment: UnsafePointer<SegmentRecord>
  /// Pointers that were not followed yet, the next one last.
  private var pending: [PointerView] = []
  /// Where the next object must begin.
  private var end: UnsafeRawPointer

  init(_ segment: UnsafePointer<SegmentRecord>) {
    unsafe self.segment = segment
    unsafe end = UnsafeRawPointer(segment.pointee.start) + 8
  }

  mutating func run(_ root: PointerView) throws(CapnProtoError) -> Bool {
    guard unsafe root.location != nil else { return false }
    pending.append(root)
    while let pointer = pending.popLast() {
      guard try follow(pointer) else { return false }
    }
    // Sound: every object lies in the segment, hence its end too.
    return unsafe segment.pointee.wordOffset(of: end) == segment.pointee.wordCount
  }

  private mutating func follow(_ pointer: PointerView) throws(CapnProtoError) -> Bool {
    guard pointer.load().kind != .far else { return false }
    switch try pointer.content() {
    case .null: return true
    case .other: return false
    case .structure(let structure):
      // An empty struct is said to stand where the pointer does.
      if structure.size.words == 0 { return unsafe structure.data == pointer.location }
      guard unsafe structure.data == end, structure.trimmedSize == structure.size else { return false }
      unsafe end += structure.size.words &* 8
      addPointers(of: structure)
      return true
    case .list(let list): return isCanonical(list, pointer.load())
    }
  }

  private mutating func isCanonical(_ list: ListView, _ pointer: WirePointer) -> Bool {
    let isComposite = list.elementSize == .composite
    guard unsafe list.start == end + (isComposite ? 8 : 0) else { return false }
    if isComposite {
      guard pointer.listCount == list.contentWords, list.trimmedSize == list.elementStructSize else { return false }
      unsafe end += 8
    }
    unsafe end += list.contentWords &* 8
    guard list.pointerCount > 0 else { return isComposite || hasZeroPadding(list) }
    for index in stride(from: Int(list.count) - 1, through: 0, by: -1) { addPointers(of: list.structure(index)) }
    return true
  }

  /// Whether the bits behind the last element are zero.
  private func hasZeroPadding(_ list: ListView) -> Bool {
    let used = Int(list.count) &* Int(list.stepBits) & 63
    if used == 0 { return true }
    // Sound: the list's last word, which lies in the segment.
    let last = unsafe list.start.load(fromByteOffset: (list.contentWords &- 1) &* 8, as: UInt64.self)
    return last &>> UInt64(used) == 0
  }

  private mutating func addPointers(of structure: StructView) {
    for index in stride(from: Int(structure.pointerCount) - 1, through: 0, by: -1) {
      let inner = structure.pointer(index)
      if !inner.isNull { pending.append(inner) }
    }
  }
}

extension StructView {
  /// The size without trailing zero words and null pointers.
  var trimmedSize: StructSize {
    var bytes = Int(dataBits) &>> 3
    // Sound: bytes of the data section.
    while bytes > 0, unsafe data.load(fromByteOffset: bytes &- 1, as: UInt8.self) == 0 { bytes &-= 1 }
    var pointers = Int(pointerCount)
    while pointers > 0, pointer(pointers &- 1).isNull { pointers &-= 1 }
    return StructSize(
      dataWords: UInt16(truncatingIfNeeded: (bytes &+ 7) &>> 3), pointers: UInt16(truncatingIfNeeded: pointers))
  }
}

extension ListView {
  /// Of a struct list: the size that its elements need, the largest one deciding.
  var trimmedSize: StructSize {
    var size = StructSize(dataWords: 0, pointers: 0)
    for index in 0..<Int(count) where size != elementStructSize { size = size.union(structure(index).trimmedSize) }
    return size
  }
}
