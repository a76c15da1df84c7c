/// A struct in a message under construction, untyped: what generated builders write to. A small value without reference
/// counting; copies write to the same struct. It lives no longer than its message, and is not for two threads at once.
///
/// Nothing here throws. What fails (no memory, a list that is too long, memory that somebody tampered with) is recorded in
/// the message (``MessageBuilder/failure``) with the name that `field` gave, and what would have been written is dropped.
@safe
public struct RawStructBuilder: ~Escapable {
  @usableFromInline let view: StructView

  @inlinable @inline(__always) @_lifetime(immortal)
  init(unowned view: StructView) { self.view = view }

  /// The same struct for reading.
  public var asReader: RawStructReader {
    @inlinable @_lifetime(copy self) get {
      unsafe _overrideLifetime(RawStructReader(unowned: view), copying: self)
    }
  }

  // MARK: Data section

  /// The scalar at `index`, counted in elements of its size from the start of the data section.
  @inlinable @inline(__always)
  public func load<T: ScalarElement>(_ type: T.Type = T.self, at index: Int) -> T {
    T(wireBits: view.load(T.WireBits.self, at: index))
  }

  /// The scalar at `index`, whose default is `defaultValue`.
  @inlinable @inline(__always)
  public func load<T: ScalarElement>(_ type: T.Type = T.self, at index: Int, default defaultValue: T) -> T {
    T(wireBits: view.load(T.WireBits.self, at: index) ^ defaultValue.wireBits)
  }

  /// The bit `bitIndex`, counted from the start of the data section.
  @inlinable @inline(__always)
  public func loadBool(atBit bitIndex: Int, default defaultValue: Bool = false) -> Bool {
    view.loadBit(bitIndex) != defaultValue
  }

  /// Writes the scalar at `index`, counted in elements of its size from the start of the data section.
  @inlinable @inline(__always)
  public func store<T: ScalarElement>(_ value: T, at index: Int) {
    view.store(value.wireBits, at: index)
  }

  /// Writes the scalar at `index`, whose default is `defaultValue`.
  @inlinable @inline(__always)
  public func store<T: ScalarElement>(_ value: T, at index: Int, default defaultValue: T) {
    view.store(value.wireBits ^ defaultValue.wireBits, at: index)
  }

  /// Writes the bit `bitIndex`, counted from the start of the data section.
  @inlinable @inline(__always)
  public func storeBool(_ value: Bool, atBit bitIndex: Int, default defaultValue: Bool = false) {
    view.storeBit(value != defaultValue, at: bitIndex)
  }

  /// Whether the union whose tag is the 16-bit value `index` has `member` set. If not, this records `wrongUnionMember`.
  @inlinable
  public func expectMember(_ member: UInt16, at index: Int, field: StaticString = "") -> Bool {
    let found = view.load(UInt16.self, at: index)
    if found == member { return true }
    view.refuseMember(expected: member, found: found, FieldName(field))
    return false
  }

  /// A struct without content: what is written to it is dropped. The value of a getter whose union member is not set.
  @_lifetime(copy self)
  public func dropped() -> RawStructBuilder {
    unsafe _overrideLifetime(RawStructBuilder(unowned: StructView(emptyIn: view.segment)), copying: self)
  }

  // MARK: Pointer section

  /// Whether the pointer at `index` is not null.
  @inlinable
  public func hasPointer(at index: Int) -> Bool { !view.pointer(index).isNull }

  /// Zeroes what the pointer at `index` leads to, and the pointer.
  @inlinable
  public func clearPointer(at index: Int) {
    let pointer = view.pointer(index)
    if !pointer.isNull { pointer.erase() }
  }

  /// The pointer at `index`, whatever it points to.
  @inlinable @_lifetime(copy self)
  public func pointer(at index: Int) -> AnyPointerBuilder {
    unsafe _overrideLifetime(AnyPointerBuilder(unowned: view.pointer(index)), copying: self)
  }

  /// The text at pointer `index`; `defaultValue` if the pointer is null.
  @inlinable
  public func text(at index: Int, default defaultValue: String = "", field: StaticString = "") -> String {
    view.pointer(index).textForWriting(FieldName(field)) ?? defaultValue
  }

  /// Copies `text` into the message.
  @inlinable
  public func setText(_ text: String, at index: Int, field: StaticString = "") {
    view.pointer(index).setText(text, FieldName(field))
  }

  /// The blob at pointer `index`; empty if the pointer is null.
  @inlinable @_lifetime(copy self)
  public func data(at index: Int, field: StaticString = "") -> RawSpan {
    unsafe _overrideLifetime(
      RawSpan(_unsafeBytes: view.pointer(index).bytesForWriting(FieldName(field))), copying: self)
  }

  /// The blob at pointer `index`; `defaultValue` if the pointer is null.
  @_lifetime(copy self)
  public func data(
    at index: Int, default defaultValue: EncodedValue, field: StaticString = ""
  ) -> RawSpan {
    let pointer = view.pointer(index)
    return unsafe _overrideLifetime(
      RawSpan(_unsafeBytes: (pointer.isNull ? defaultValue.root : pointer).bytesForWriting(FieldName(field))),
      copying: self)
  }

  /// The blob at pointer `index` for changing it; empty if the pointer is null.
  @inlinable @_lifetime(copy self)
  public func mutableData(at index: Int, field: StaticString = "") -> MutableRawSpan {
    let bytes = unsafe view.pointer(index).bytesForWriting(FieldName(field))
    return unsafe _overrideLifetime(
      MutableRawSpan(_unsafeBytes: UnsafeMutableRawBufferPointer(mutating: bytes)), copying: self)
  }

  /// Copies `bytes` into the message.
  @inlinable
  public func setData(_ bytes: RawSpan, at index: Int, field: StaticString = "") {
    unsafe bytes.withUnsafeBytes { unsafe view.pointer(index).setBytes($0, FieldName(field)) }
  }

  /// Copies `bytes` into the message.
  @inlinable
  public func setData(_ bytes: [UInt8], at index: Int, field: StaticString = "") {
    unsafe bytes.withUnsafeBytes { unsafe view.pointer(index).setBytes($0, FieldName(field)) }
  }

  /// A new blob of `byteCount` zeros, for filling.
  @inlinable @_lifetime(copy self)
  public func initData(at index: Int, byteCount: Int, field: StaticString = "") -> MutableRawSpan {
    unsafe _overrideLifetime(
      MutableRawSpan(_unsafeBytes: view.pointer(index).initBytes(byteCount, FieldName(field))), copying: self)
  }

  /// A new blob that `fill` writes, of as many bytes as it wrote and at most `byteCount`. The memory is not zeroed first.
  /// If `fill` throws, the pointer is null; if there is no memory, `fill` is not called.
  @inlinable
  public func initData<Failure: Error>(
    at index: Int, byteCount: Int, field: StaticString = "",
    fill: (inout OutputRawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    try view.pointer(index).initBytes(capacity: byteCount, FieldName(field), fill: fill)
  }

  /// The struct at pointer `index`, created with `size` if the pointer is null.
  @inlinable @_lifetime(copy self)
  public func structure(at index: Int, size: StructSize, field: StaticString = "") -> RawStructBuilder {
    unsafe _overrideLifetime(
      RawStructBuilder(unowned: view.pointer(index).structureForWriting(size, FieldName(field))), copying: self)
  }

  /// The struct at pointer `index`, created as a copy of `defaultValue` if the pointer is null.
  @_lifetime(copy self)
  public func structure(
    at index: Int, size: StructSize, default defaultValue: EncodedValue, field: StaticString = ""
  ) -> RawStructBuilder {
    let pointer = view.pointer(index)
    if pointer.isNull { pointer.copy(from: defaultValue.root, FieldName(field)) }
    return structure(at: index, size: size, field: field)
  }

  /// A new struct of `size` at pointer `index`.
  @inlinable @_lifetime(copy self)
  public func initStructure(at index: Int, size: StructSize, field: StaticString = "") -> RawStructBuilder {
    unsafe _overrideLifetime(
      RawStructBuilder(unowned: view.pointer(index).initStructure(size, FieldName(field))), copying: self)
  }

  /// Copies `source`, all that it owns included, into the message.
  @inlinable
  public func setStructure(_ source: RawStructReader, at index: Int, field: StaticString = "") {
    view.pointer(index).copy(from: source.view, FieldName(field))
  }

  /// Copies `source`, all that it owns included, into the message.
  @inlinable
  public func setList<Element: ListElement & ~Escapable>(
    _ source: ListReader<Element>, at index: Int, field: StaticString = ""
  ) {
    view.pointer(index).copy(from: source.view, FieldName(field))
  }

  /// The list at pointer `index`, without elements if the pointer is null.
  @inlinable @_lifetime(copy self)
  public func list<Element: ListBuilderElement & ~Escapable>(
    at index: Int, of type: Element.Type = Element.self, field: StaticString = ""
  ) -> ListBuilder<Element> {
    unsafe _overrideLifetime(
      ListBuilder(unowned: view.pointer(index).listForWriting(Element.layout, FieldName(field))), copying: self)
  }

  /// The list at pointer `index`, created as a copy of `defaultValue` if the pointer is null.
  @_lifetime(copy self)
  public func list<Element: ListBuilderElement & ~Escapable>(
    at index: Int, of type: Element.Type = Element.self, default defaultValue: EncodedValue,
    field: StaticString = ""
  ) -> ListBuilder<Element> {
    let pointer = view.pointer(index)
    if pointer.isNull { pointer.copy(from: defaultValue.root, FieldName(field)) }
    return list(at: index, field: field)
  }

  /// A new list of `count` elements, all zero, at pointer `index`.
  @inlinable @_lifetime(copy self)
  public func initList<Element: ListBuilderElement & ~Escapable>(
    at index: Int, count: Int, of type: Element.Type = Element.self, field: StaticString = ""
  ) -> ListBuilder<Element> {
    unsafe _overrideLifetime(
      ListBuilder(unowned: view.pointer(index).initList(Element.layout, count: count, FieldName(field))), copying: self)
  }
}

extension StructView {
  /// Writes the bits at `index`, counted in units of their own size; dropped behind the end of the data section.
  @inlinable @inline(__always)
  func store<Bits: FixedWidthInteger & BitwiseCopyable>(_ bits: Bits, at index: Int) {
    guard (index &+ 1) &* Bits.bitWidth <= Int(dataBits) else { return }
    // Sound: in the data section of a struct in a message under construction, whose memory is ours to write.
    unsafe UnsafeMutableRawPointer(mutating: data)
      .storeBytes(of: bits, toByteOffset: index &* (Bits.bitWidth &>> 3), as: Bits.self)
  }

  @inlinable @inline(__always)
  func storeBit(_ value: Bool, at index: Int) {
    guard index < Int(dataBits) else { return }
    // Sound: as in `store`.
    unsafe setBit(UnsafeMutableRawPointer(mutating: data), index, value)
  }

  @usableFromInline @inline(never)
  func refuseMember(expected: UInt16, found: UInt16, _ field: FieldName) {
    let pointer = unsafe PointerView(segment: segment, location: data, nesting: 0)
    pointer.fail(wrongMember(expected: expected, found: found, field))
  }
}

/// Writes bit `index` from `start` on, where a whole byte may be written.
@inlinable @inline(__always)
func setBit(_ start: UnsafeMutableRawPointer, _ index: Int, _ value: Bool) {
  let mask = UInt8(1) &<< UInt8(index & 7)
  let byte = unsafe start.load(fromByteOffset: index &>> 3, as: UInt8.self)
  unsafe start.storeBytes(of: value ? byte | mask : byte & ~mask, toByteOffset: index &>> 3, as: UInt8.self)
}

extension PointerView {
  /// The text; nil for a null pointer, and on failure, which is recorded.
  @usableFromInline
  func textForWriting(_ field: FieldName = .none) -> String? {
    do {
      return try text()
    } catch {
      fail(error.named(field))
      return nil
    }
  }

  /// The blob; empty for a null pointer, and on failure, which is recorded.
  @usableFromInline
  func bytesForWriting(_ field: FieldName = .none) -> UnsafeRawBufferPointer {
    do {
      return unsafe try bytes() ?? UnsafeRawBufferPointer(start: nil, count: 0)
    } catch {
      fail(error.named(field))
      return unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    }
  }
}
