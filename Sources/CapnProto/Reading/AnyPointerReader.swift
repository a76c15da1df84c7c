/// A pointer in a message whose type the reader chooses: the value of an `AnyPointer` field, or of a branded parameter.
@safe
public struct AnyPointerReader: ListElement, ~Escapable, @unchecked Sendable {
  // Sound as Sendable: reading is safe from any thread.
  @usableFromInline let view: PointerView

  @inlinable @inline(__always) @_lifetime(immortal)
  init(unowned view: PointerView) { self.view = view }

  /// Lists of pointers, whatever those point to.
  @inlinable
  public static var layout: ElementLayout { ElementLayout(.pointer) }

  /// Whether nothing was set.
  @inlinable
  public var isNull: Bool { view.isNull }

  /// The text, copied and then validated as UTF-8; empty if the pointer is null.
  @inlinable
  public func asText() throws(CapnProtoError) -> String { try view.text() ?? "" }

  /// The blob in place; empty if the pointer is null.
  @inlinable @_lifetime(copy self)
  public func asData() throws(CapnProtoError) -> RawSpan {
    let bytes =
      unsafe try view.bytes()
      ?? UnsafeRawBufferPointer(start: UnsafeRawPointer(view.segment.pointee.start), count: 0)
    return unsafe _overrideLifetime(RawSpan(_unsafeBytes: bytes), copying: self)
  }

  /// The struct, untyped; one whose fields are all defaults if the pointer is null.
  @inlinable @_lifetime(copy self)
  public func asRawStruct() throws(CapnProtoError) -> RawStructReader {
    let structure = unsafe try view.structure() ?? StructView(emptyIn: view.segment)
    return unsafe _overrideLifetime(RawStructReader(unowned: structure), copying: self)
  }

  /// The struct, read as one of `schema`; one whose fields are all defaults if the pointer is null.
  @inlinable @_lifetime(copy self)
  public func asStruct<Schema: StructSchema>(_ schema: Schema.Type) throws(CapnProtoError) -> Schema.Reader {
    Schema.Reader(try asRawStruct())
  }

  /// The list, read as one of `Element`; an empty one if the pointer is null.
  @inlinable @_lifetime(copy self)
  public func asList<Element: ListElement & ~Escapable>(
    of type: Element.Type = Element.self
  ) throws(CapnProtoError) -> ListReader<Element> {
    let expected = Element.layout.elementSize
    let list = unsafe try view.list(of: expected) ?? ListView(emptyIn: view.segment, elementSize: expected)
    return unsafe _overrideLifetime(ListReader(unowned: list), copying: self)
  }
}

extension EncodedValue {
  /// The value: a constant of the schema, or a field's default.
  public var pointer: AnyPointerReader {
    // Sound: the value is never freed.
    @_lifetime(immortal) get { AnyPointerReader(unowned: root) }
  }
}
