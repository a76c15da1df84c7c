/// Copies an object and all that it owns, checked as when reading, without recursion. Fields that this program's schema
/// does not know are copied too. Capability pointers are copied as they are.
///
/// The work is bounded: by the traversal limit of a message that is read, and for one under construction (which a peer may
/// be able to write to) by its size, since in a sound message no object is owned twice. It ends when the target fails.
struct ObjectCopier: ~Copyable {
  private var pending: [(source: PointerView, target: PointerView)] = []
  private var budget: Int
  private let isCanonical: Bool

  private init(source: UnsafePointer<SegmentRecord>, isCanonical: Bool = false) {
    self.isCanonical = isCanonical
    let message = unsafe source.pointee.message
    budget = unsafe message.pointee.builder == nil ? .max : message.pointee.usedWordCount()
  }

  /// Lets `target` point to a copy of what `source` points to.
  static func copy(_ source: PointerView, to target: PointerView) throws(CapnProtoError) {
    var copier = unsafe ObjectCopier(source: source.segment)
    copier.pending.append((source, target))
    try copier.drain()
  }

  /// Lets `target` point to a copy of `source` in canonical form, if all of it fits the segment of `target`.
  static func copyCanonically(_ source: StructView, to target: PointerView) throws(CapnProtoError) {
    var copier = unsafe ObjectCopier(source: source.segment, isCanonical: true)
    copier.fill(target.initStructure(source.trimmedSize), from: source)
    try copier.drain()
  }

  /// Lets `target` point to a new struct of `size`, or larger if `source` is, with the content of `source`.
  static func copy(
    _ source: StructView, to target: PointerView, size: StructSize
  ) throws(CapnProtoError) -> StructView {
    var copier = unsafe ObjectCopier(source: source.segment)
    let copy = target.initStructure(size.union(source.size))
    copier.fill(copy, from: source)
    try copier.drain()
    return copy
  }

  /// Fills `target`, which is zero, with the content of `source` as far as there is room.
  static func copy(_ source: StructView, into target: StructView) throws(CapnProtoError) {
    var copier = unsafe ObjectCopier(source: source.segment)
    copier.fill(target, from: source)
    try copier.drain()
  }

  /// Lets `target` point to a new struct list whose elements have the size `size`, or larger if those of `source` are.
  static func copy(
    _ source: ListView, to target: PointerView, size: StructSize
  ) throws(CapnProtoError) -> ListView {
    var copier = unsafe ObjectCopier(source: source.segment)
    let layout = ElementLayout(.composite, structSize: size.union(source.elementStructSize))
    let copy = target.initList(layout, count: Int(source.count))
    copier.fillElements(copy, from: source)
    try copier.drain()
    return copy
  }

  /// Lets `target` point to a new list of the kind and with the content of `source`.
  static func copy(_ source: ListView, to target: PointerView) throws(CapnProtoError) {
    var copier = unsafe ObjectCopier(source: source.segment)
    copier.copyList(source, to: target)
    try copier.drain()
  }

  private mutating func drain() throws(CapnProtoError) {
    while let next = pending.popLast(), !next.target.hasFailed { try follow(next.source, next.target) }
  }

  private mutating func follow(_ source: PointerView, _ target: PointerView) throws(CapnProtoError) {
    let value = source.load()
    guard !value.isNull else { return target.erase() }
    let tag = value.kind == .far ? try source.resolve(value).tag : value
    switch tag.kind {
    case .structure:
      guard let structure = try source.structure() else { return }
      try spend(structure.size.words, source)
      fill(target.initStructure(isCanonical ? structure.trimmedSize : structure.size), from: structure)
    case .list: try copyList(source, to: target)
    case .other:
      if isCanonical { throw source.error(.capabilityInCanonicalForm) }
      target.erase()
      target.store(tag)
    case .far: throw source.error(.invalidLandingPad)
    }
  }

  private mutating func spend(_ words: Int, _ source: PointerView) throws(CapnProtoError) {
    guard words <= budget else { throw source.error(.traversalLimitExceeded(limitWords: budget)) }
    budget -= words
  }

  private mutating func copyList(_ source: PointerView, to target: PointerView) throws(CapnProtoError) {
    guard let list = try source.list(of: .void) else { return }
    try spend((Int(list.count) &* Int(list.stepBits) &+ 63) &>> 6, source)
    copyList(list, to: target)
  }

  private mutating func copyList(_ list: ListView, to target: PointerView) {
    let elementSize = isCanonical && list.elementSize == .composite ? list.trimmedSize : list.elementStructSize
    let layout = ElementLayout(list.elementSize, structSize: elementSize)
    let copy = target.initList(layout, count: Int(list.count))
    if isCanonical, copy.contentWords == 0, list.elementSize != .composite { target.moveEmptyListToEnd() }
    switch list.elementSize {
    case .composite, .pointer: fillElements(copy, from: list)
    case .void: break
    case .bit, .byte, .twoBytes, .fourBytes, .eightBytes: copyBits(list, to: copy)
    }
  }

  /// Copies the elements of a list without pointers. Bits of the last byte that belong to no element are left out.
  private func copyBits(_ list: ListView, to copy: ListView) {
    guard copy.dataBits == list.dataBits else { return }
    let bits = Int(list.count) &* Int(list.stepBits)
    let bytes = (bits &+ 7) &>> 3
    // Sound: both lists have as many bits.
    let destination = unsafe UnsafeMutableRawPointer(mutating: copy.start)
    unsafe destination.copyMemory(from: list.start, byteCount: bytes)
    guard bits & 7 != 0 else { return }
    let last = unsafe destination.load(fromByteOffset: bytes &- 1, as: UInt8.self)
    unsafe destination.storeBytes(
      of: last & (1 &<< UInt8(bits & 7) &- 1), toByteOffset: bytes &- 1, as: UInt8.self)
  }

  /// Copies the elements of a list of structs or pointers, unless the copy has none or they have no content.
  private mutating func fillElements(_ copy: ListView, from source: ListView) {
    guard copy.stepBits > 0, source.stepBits > 0 else { return }
    for index in stride(from: Int(source.count) - 1, through: 0, by: -1) {
      fill(copy.structure(index), from: source.structure(index))
    }
  }

  /// Copies data, and queues the pointers so that the first is followed first.
  private mutating func fill(_ copy: StructView, from source: StructView) {
    let bytes = Int(min(copy.dataBits, source.dataBits)) &>> 3
    // Sound: both data sections have as many bytes.
    unsafe UnsafeMutableRawPointer(mutating: copy.data).copyMemory(from: source.data, byteCount: bytes)
    for index in stride(from: Int(min(copy.pointerCount, source.pointerCount)) - 1, through: 0, by: -1) {
      let inner = source.pointer(index)
      if !inner.isNull { pending.append((inner, copy.pointer(index))) }
    }
  }
}

extension StructSize {
  /// The smallest size that has room for both.
  func union(_ other: StructSize) -> StructSize {
    StructSize(dataWords: max(dataWords, other.dataWords), pointers: max(pointers, other.pointers))
  }
}

extension StructView {
  /// The size in whole words; an element of a primitive list counts as a word.
  @usableFromInline
  var size: StructSize {
    StructSize(dataWords: UInt16(truncatingIfNeeded: (dataBits &+ 63) &>> 6), pointers: pointerCount)
  }
}

extension ListView {
  /// The size of the elements, read as structs.
  var elementStructSize: StructSize {
    StructSize(dataWords: UInt16(truncatingIfNeeded: (dataBits &+ 63) &>> 6), pointers: pointerCount)
  }
}

extension PointerView {
  /// Lets the pointer to an empty list point to the end of what is in use: in canonical form it stands where it would if it
  /// had content.
  fileprivate func moveEmptyListToEnd() {
    guard let location = unsafe location else { return }
    // Sound: the pointer is in the segment.
    let (end, place) = unsafe (segment.pointee.wordCount, segment.pointee.wordOffset(of: location))
    store(load().withOffset(end &- place &- 1))
  }

  /// Lets the pointer, in a message under construction, point to a copy of what `source` points to, even if that is a part
  /// of what it points to now. On failure, which is recorded, what was copied so far may be there.
  @usableFromInline @inline(never)
  func copy(from source: PointerView, _ field: FieldName = .none) {
    do {
      if isNull { return try ObjectCopier.copy(source, to: self) }
      try replacing { (target) throws(CapnProtoError) in try ObjectCopier.copy(source, to: target) }
    } catch {
      fail(error.named(field))
    }
  }

  /// Lets the pointer, in a message under construction, point to a copy of `source`, even if that is a part of what it points
  /// to now. On failure, which is recorded, what was copied so far may be there.
  @usableFromInline @inline(never)
  func copy(from source: StructView, _ field: FieldName = .none) {
    let size = StructSize(dataWords: 0, pointers: 0)
    do {
      if isNull {
        _ = try ObjectCopier.copy(source, to: self, size: size)
      } else {
        _ = try replacing { (target) throws(CapnProtoError) in
          try ObjectCopier.copy(source, to: target, size: size)
        }
      }
    } catch {
      fail(error.named(field))
    }
  }

  /// The same for a list.
  @usableFromInline @inline(never)
  func copy(from source: ListView, _ field: FieldName = .none) {
    do {
      if isNull { return try ObjectCopier.copy(source, to: self) }
      try replacing { (target) throws(CapnProtoError) in try ObjectCopier.copy(source, to: target) }
    } catch {
      fail(error.named(field))
    }
  }

  /// The struct for writing: a new one for a null pointer, and a larger copy where the one that is there was made by an
  /// older schema. Without content on failure, which is recorded.
  @usableFromInline
  func structureForWriting(_ size: StructSize, _ field: FieldName = .none) -> StructView {
    do {
      guard let found = try structure() else { return initStructure(size, field) }
      if found.size.union(size) == found.size { return found }
      return try replacing { (target) throws(CapnProtoError) in try ObjectCopier.copy(found, to: target, size: size) }
    } catch {
      fail(error.named(field))
      return unsafe StructView(emptyIn: segment)
    }
  }

  /// The list for writing, without elements for a null pointer; a larger copy of a struct list whose elements were made by
  /// an older schema. Without elements on failure, which is recorded.
  @usableFromInline
  func listForWriting(_ layout: ElementLayout, _ field: FieldName = .none) -> ListView {
    do {
      guard let found = try list(of: layout.elementSize) else { return void(layout, count: 0) }
      guard layout.elementSize == .composite, found.count > 0 else { return found }
      let size = found.elementStructSize
      if found.elementSize == .composite, size.union(layout.structSize) == size { return found }
      let copy = try replacing { (target) throws(CapnProtoError) in
        try ObjectCopier.copy(found, to: target, size: layout.structSize)
      }
      return hasFailed ? void(layout, count: 0) : copy
    } catch {
      fail(error.named(field))
      return void(layout, count: 0)
    }
  }

  /// Runs `copy` with a pointer of its own, erases what this one points to, and then lets it point to the copy.
  private func replacing<Result>(
    _ copy: (PointerView) throws(CapnProtoError) -> Result
  ) throws(CapnProtoError) -> Result {
    guard let temporary = reserveSlot() else {
      return try copy(unsafe PointerView(segment: segment, location: nil, nesting: 0))
    }
    let result = try copy(temporary)
    erase()
    take(temporary)
    return result
  }
}
