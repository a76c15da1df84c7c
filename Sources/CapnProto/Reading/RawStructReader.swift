/// A struct in a message, untyped: what generated readers read from. A small value without reference counting; copying it
/// is free. It lives no longer than its message.
///
/// Every getter checks bounds, depth and the traversal limit. Fields that the struct is too small for, because an older
/// version of the schema wrote it, read as their defaults. `field`, as in `Cache.fileName`, is what an error names.
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
  public func expectMember(_ member: UInt16, at index: Int, field: StaticString = "") throws(CapnProtoError) {
    let found = view.load(UInt16.self, at: index)
    if found != member { throw view.wrongMember(expected: member, found: found, FieldName(field)) }
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
  public func text(
    at index: Int, default defaultValue: String = "", field: StaticString = ""
  ) throws(CapnProtoError) -> String {
    do { return try view.pointer(index).text() ?? defaultValue } catch { throw error.named(FieldName(field)) }
  }

  /// The bytes of the text at pointer `index` in place, without the terminating NUL; empty if the pointer is null. They
  /// are not checked to be UTF-8, and in shared memory they may change while they are looked at.
  @inlinable @_lifetime(copy self)
  public func textBytes(at index: Int, field: StaticString = "") throws(CapnProtoError) -> RawSpan {
    let bytes: UnsafeRawBufferPointer
    do {
      unsafe bytes = try view.pointer(index).textBytes() ?? UnsafeRawBufferPointer(start: view.data, count: 0)
    } catch {
      throw error.named(FieldName(field))
    }
    return unsafe _overrideLifetime(RawSpan(_unsafeBytes: bytes), copying: self)
  }

  /// The blob at pointer `index` in place; empty if the pointer is null. In shared memory its bytes may change while they
  /// are looked at.
  @inlinable @_lifetime(copy self)
  public func data(at index: Int, field: StaticString = "") throws(CapnProtoError) -> RawSpan {
    let bytes: UnsafeRawBufferPointer
    do {
      unsafe bytes = try view.pointer(index).bytes() ?? UnsafeRawBufferPointer(start: view.data, count: 0)
    } catch {
      throw error.named(FieldName(field))
    }
    return unsafe _overrideLifetime(RawSpan(_unsafeBytes: bytes), copying: self)
  }

  /// The blob at pointer `index` in place; `defaultValue` if the pointer is null.
  @_lifetime(copy self)
  public func data(
    at index: Int, default defaultValue: EncodedValue, field: StaticString = ""
  ) throws(CapnProtoError) -> RawSpan {
    let pointer = view.pointer(index)
    let bytes: UnsafeRawBufferPointer?
    do {
      unsafe bytes = try (pointer.isNull ? defaultValue.root : pointer).bytes()
    } catch {
      throw error.named(FieldName(field))
    }
    return unsafe _overrideLifetime(
      RawSpan(_unsafeBytes: bytes ?? UnsafeRawBufferPointer(start: view.data, count: 0)), copying: self)
  }

  /// The struct at pointer `index`; one whose fields are all defaults if the pointer is null.
  @inlinable @_lifetime(copy self)
  public func structure(at index: Int, field: StaticString = "") throws(CapnProtoError) -> RawStructReader {
    let structure: StructView
    do {
      structure = unsafe try view.pointer(index).structure() ?? StructView(emptyIn: view.segment)
    } catch {
      throw error.named(FieldName(field))
    }
    return unsafe _overrideLifetime(RawStructReader(unowned: structure), copying: self)
  }

  /// The struct at pointer `index`; `defaultValue` if the pointer is null.
  @_lifetime(copy self)
  public func structure(
    at index: Int, default defaultValue: EncodedValue, field: StaticString = ""
  ) throws(CapnProtoError) -> RawStructReader {
    let pointer = view.pointer(index)
    let structure: StructView?
    do {
      structure = try (pointer.isNull ? defaultValue.root : pointer).structure()
    } catch {
      throw error.named(FieldName(field))
    }
    return unsafe _overrideLifetime(
      RawStructReader(unowned: structure ?? StructView(emptyIn: view.segment)), copying: self)
  }

  /// The list at pointer `index`; an empty one if the pointer is null.
  @inlinable @_lifetime(copy self)
  public func list<Element: ListElement & ~Escapable>(
    at index: Int, of type: Element.Type = Element.self, field: StaticString = ""
  ) throws(CapnProtoError) -> ListReader<Element> {
    let expected = Element.layout.elementSize
    let list: ListView
    do {
      list = unsafe try view.pointer(index).list(of: expected) ?? ListView(emptyIn: view.segment, elementSize: expected)
    } catch {
      throw error.named(FieldName(field))
    }
    return unsafe _overrideLifetime(ListReader(unowned: list), copying: self)
  }

  /// The list at pointer `index`; `defaultValue` if the pointer is null.
  @_lifetime(copy self)
  public func list<Element: ListElement & ~Escapable>(
    at index: Int, of type: Element.Type = Element.self, default defaultValue: EncodedValue,
    field: StaticString = ""
  ) throws(CapnProtoError) -> ListReader<Element> {
    let expected = Element.layout.elementSize
    let pointer = view.pointer(index)
    let list: ListView?
    do {
      list = try (pointer.isNull ? defaultValue.root : pointer).list(of: expected)
    } catch {
      throw error.named(FieldName(field))
    }
    return unsafe _overrideLifetime(
      ListReader(unowned: list ?? ListView(emptyIn: view.segment, elementSize: expected)), copying: self)
  }

  /// The value at pointer `index` of the type that a parameter of a generic schema is bound to.
  @inlinable @_lifetime(copy self)
  public func value<Schema: PointerSchema>(
    _ schema: Schema.Type = Schema.self, at index: Int, field: StaticString = ""
  ) throws(CapnProtoError) -> Schema.Reader {
    do { return try Schema.read(pointer(at: index)) } catch { throw error.named(FieldName(field)) }
  }
}

extension StructView {
  @usableFromInline @inline(never)
  func wrongMember(expected: UInt16, found: UInt16, _ field: FieldName) -> CapnProtoError {
    let kind = CapnProtoError.Kind.wrongUnionMember(expected: expected, found: found)
    return unsafe CapnProtoError(kind, at: segment.pointee.location(of: data), subject: field.subject)
  }
}
