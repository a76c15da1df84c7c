/// A pointer in a message under construction whose type the writer chooses: the value of an `AnyPointer` field. Failures
/// are recorded in the message, as ``RawStructBuilder`` says.
@safe
public struct AnyPointerBuilder: ~Escapable {
  @usableFromInline let view: PointerView

  @inlinable @inline(__always) @_lifetime(immortal)
  init(unowned view: PointerView) { self.view = view }

  /// Whether nothing is set.
  @inlinable
  public var isNull: Bool { view.isNull }

  /// The same pointer for reading.
  public var asReader: AnyPointerReader {
    @inlinable @_lifetime(copy self) get {
      unsafe _overrideLifetime(AnyPointerReader(unowned: view), copying: self)
    }
  }

  /// Zeroes what the pointer leads to, and the pointer.
  public func clear() { view.erase() }

  /// Copies what `source` points to, all that it owns included.
  public func set(_ source: AnyPointerReader) { view.copy(from: source.view) }

  /// Copies `text` into the message.
  public func setText(_ text: String) { view.setText(text) }

  /// Copies `bytes` into the message.
  public func setData(_ bytes: RawSpan) { unsafe bytes.withUnsafeBytes { unsafe view.setBytes($0) } }

  /// A new struct of type `schema`.
  @_lifetime(copy self)
  public func initStruct<Schema: StructSchema>(_ schema: Schema.Type) -> Schema.Builder {
    Schema.Builder(
      unsafe _overrideLifetime(
        RawStructBuilder(unowned: view.initStructure(Schema.size)), copying: self))
  }

  /// The struct, as one of type `schema`, created if the pointer is null.
  @_lifetime(copy self)
  public func asStruct<Schema: StructSchema>(_ schema: Schema.Type) -> Schema.Builder {
    Schema.Builder(
      unsafe _overrideLifetime(
        RawStructBuilder(unowned: view.structureForWriting(Schema.size)), copying: self))
  }

  /// A new list of `count` elements.
  @_lifetime(copy self)
  public func initList<Element: ListBuilderElement & ~Escapable>(
    of type: Element.Type = Element.self, count: Int
  ) -> ListBuilder<Element> {
    unsafe _overrideLifetime(ListBuilder(unowned: view.initList(Element.layout, count: count)), copying: self)
  }

  /// The list, as one of `Element`, without elements if the pointer is null.
  @_lifetime(copy self)
  public func asList<Element: ListBuilderElement & ~Escapable>(
    of type: Element.Type = Element.self
  ) -> ListBuilder<Element> {
    unsafe _overrideLifetime(ListBuilder(unowned: view.listForWriting(Element.layout)), copying: self)
  }
}
