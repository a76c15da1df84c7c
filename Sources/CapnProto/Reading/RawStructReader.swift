/// A struct in a message, untyped: what generated readers read from. A small value without reference counting; copying it
/// is free. It lives no longer than its message.
///
/// Every getter checks bounds, depth and the traversal limit. Fields that the struct is too small for, because an older
/// version of the schema wrote it, read as their defaults.
@safe
public struct RawStructReader: StructReader, ~Escapable, @unchecked Sendable {
  // Sound as Sendable: reading is safe from any thread.
  @usableFromInline let view: StructView

  /// The same reader: `ListReader<RawStructReader>` reads a list of structs of any type.
  @inlinable @inline(__always) @_lifetime(copy raw)
  public init(_ raw: RawStructReader) { self = raw }

  /// This reader.
  @inlinable
  public var raw: RawStructReader { @_lifetime(copy self) get { self } }

  @inlinable @inline(__always) @_lifetime(immortal)
  init(unowned view: StructView) { self.view = view }

  /// The size that the struct has in this message; the element of a primitive list counts as a word.
  public var size: StructSize { view.size }

  // MARK: Data section

  /// The scalar at `index`, counted in elements of its size from the start of the data section.
  @inlinable @inline(__always)
  public func load<T: ScalarElement>(_ type: T.Type = T.self, at index: Int) -> T {
    T(wireBits: view.load(T.WireBits.self, at: index))
  }

  /// The scalar at `index`, whose default is `defaultValue`: stored values are XORed with it.
  @inlinable @inline(__always)
  public func load<T: ScalarElement>(_ type: T.Type = T.self, at index: Int, default defaultValue: T) -> T {
    T(wireBits: view.load(T.WireBits.self, at: index) ^ defaultValue.wireBits)
  }

  /// The bit `bitIndex`, counted from the start of the data section.
  @inlinable @inline(__always)
  public func loadBool(atBit bitIndex: Int, default defaultValue: Bool = false) -> Bool {
    view.loadBit(bitIndex) != defaultValue
  }

  /// Throws `wrongUnionMember` unless the union whose tag is the 16-bit value `index` has `member` set.
  @inlinable @inline(__always)
  public func expectMember(_ member: UInt16, at index: Int) throws(CapnProtoError) {
    let found = view.load(UInt16.self, at: index)
    if found != member { throw wrongMember(expected: member, found: found) }
  }

  @usableFromInline @inline(never)
  func wrongMember(expected: UInt16, found: UInt16) -> CapnProtoError {
    unsafe CapnProtoError(
      .wrongUnionMember(expected: expected, found: found), at: view.segment.pointee.location(of: view.data))
  }

  // MARK: Pointer section

  /// Whether the pointer at `index` is not null.
  @inlinable
  public func hasPointer(at index: Int) -> Bool { !view.pointer(index).isNull }

  /// The pointer at `index`, whatever it points to.
  @inlinable @_lifetime(copy self)
  public func pointer(at index: Int) -> AnyPointerReader {
    unsafe _overrideLifetime(AnyPointerReader(unowned: view.pointer(index)), copying: self)
  }

  /// The text at pointer `index`, copied and then validated as UTF-8; `defaultValue` if the pointer is null.
  @inlinable
  public func text(at index: Int, default defaultValue: String = "") throws(CapnProtoError) -> String {
    try view.pointer(index).text() ?? defaultValue
  }

  /// The bytes of the text at pointer `index` in place, without the terminating NUL; empty if the pointer is null. They
  /// are not checked to be UTF-8, and in shared memory they may change while they are looked at.
  @inlinable @_lifetime(copy self)
  public func textBytes(at index: Int) throws(CapnProtoError) -> RawSpan {
    let bytes = unsafe try view.pointer(index).textBytes() ?? UnsafeRawBufferPointer(start: view.data, count: 0)
    return unsafe _overrideLifetime(RawSpan(_unsafeBytes: bytes), copying: self)
  }

  /// The blob at pointer `index` in place; empty if the pointer is null. In shared memory its bytes may change while they
  /// are looked at.
  @inlinable @_lifetime(copy self)
  public func data(at index: Int) throws(CapnProtoError) -> RawSpan {
    let bytes = unsafe try view.pointer(index).bytes() ?? UnsafeRawBufferPointer(start: view.data, count: 0)
    return unsafe _overrideLifetime(RawSpan(_unsafeBytes: bytes), copying: self)
  }

  /// The blob at pointer `index` in place; `defaultValue` if the pointer is null.
  @_lifetime(copy self)
  public func data(at index: Int, default defaultValue: EncodedValue) throws(CapnProtoError) -> RawSpan {
    let pointer = view.pointer(index)
    let bytes = unsafe try (pointer.isNull ? defaultValue.root : pointer).bytes()
    return unsafe _overrideLifetime(
      RawSpan(_unsafeBytes: bytes ?? UnsafeRawBufferPointer(start: view.data, count: 0)), copying: self)
  }

  /// The struct at pointer `index`; one whose fields are all defaults if the pointer is null.
  @inlinable @_lifetime(copy self)
  public func structure(at index: Int) throws(CapnProtoError) -> RawStructReader {
    let structure = unsafe try view.pointer(index).structure() ?? StructView(emptyIn: view.segment)
    return unsafe _overrideLifetime(RawStructReader(unowned: structure), copying: self)
  }

  /// The struct at pointer `index`; `defaultValue` if the pointer is null.
  @_lifetime(copy self)
  public func structure(at index: Int, default defaultValue: EncodedValue) throws(CapnProtoError) -> RawStructReader {
    let pointer = view.pointer(index)
    let structure = try (pointer.isNull ? defaultValue.root : pointer).structure()
    return unsafe _overrideLifetime(
      RawStructReader(unowned: structure ?? StructView(emptyIn: view.segment)), copying: self)
  }

  /// The list at pointer `index`; an empty one if the pointer is null.
  @inlinable @_lifetime(copy self)
  public func list<Element: ListElement & ~Escapable>(
    at index: Int, of type: Element.Type = Element.self
  ) throws(CapnProtoError) -> ListReader<Element> {
    let expected = Element.layout.elementSize
    let list =
      unsafe try view.pointer(index).list(of: expected) ?? ListView(emptyIn: view.segment, elementSize: expected)
    return unsafe _overrideLifetime(ListReader(unowned: list), copying: self)
  }

  /// The list at pointer `index`; `defaultValue` if the pointer is null.
  @_lifetime(copy self)
  public func list<Element: ListElement & ~Escapable>(
    at index: Int, of type: Element.Type = Element.self, default defaultValue: EncodedValue
  ) throws(CapnProtoError) -> ListReader<Element> {
    let expected = Element.layout.elementSize
    let pointer = view.pointer(index)
    let list = try (pointer.isNull ? defaultValue.root : pointer).list(of: expected)
    return unsafe _overrideLifetime(
      ListReader(unowned: list ?? ListView(emptyIn: view.segment, elementSize: expected)), copying: self)
  }
}
