/// What the elements of a list can be: integers and floats, `Bool`, ``VoidElement``, generated enums, and every
/// ``PointerSchema``.
public protocol ElementSchema {
  /// An element when reading.
  associatedtype Reader: ListElement & ~Escapable
  /// An element when building.
  associatedtype Builder: ListBuilderElement & ~Escapable
}

/// What a type parameter of a generic schema can be bound to: a pointer type. These are generated structs, ``TextSchema``,
/// ``DataSchema``, ``ListSchema``, and ``AnyPointerSchema`` for parameters that are not bound and for capabilities.
///
/// Generated code for a field whose type is a parameter calls these functions; so can code that is generic itself.
public protocol PointerSchema: ElementSchema {
  /// The value that `pointer` leads to, or the default if it is null.
  @_lifetime(copy pointer)
  static func read(_ pointer: AnyPointerReader) throws(CapnProtoError) -> Reader
  /// The value that `pointer` leads to, for writing. A struct that is not there is created.
  @_lifetime(copy pointer)
  static func edit(_ pointer: AnyPointerBuilder) -> Builder
  /// Lets `pointer` lead to a copy of `value`, with all that it refers to.
  static func assign(_ value: Reader, to pointer: AnyPointerBuilder)
}

extension StructSchema {
  /// The struct that `pointer` leads to, or one of defaults if it is null.
  @inlinable @_lifetime(copy pointer)
  public static func read(_ pointer: AnyPointerReader) throws(CapnProtoError) -> Reader {
    try pointer.asStruct(Self.self)
  }
  /// The struct that `pointer` leads to, created if it is null.
  @inlinable @_lifetime(copy pointer)
  public static func edit(_ pointer: AnyPointerBuilder) -> Builder { pointer.asStruct(Self.self) }
  /// Lets `pointer` lead to a copy of `value`, with all that it refers to.
  @inlinable
  public static func assign(_ value: Reader, to pointer: AnyPointerBuilder) {
    pointer.view.copy(from: value.raw.view)
  }
}

/// `Text` as the argument of a generic schema.
public enum TextSchema: PointerSchema {
  /// Copied out of the message.
  public typealias Reader = String
  /// Copied out of the message.
  public typealias Builder = String
  /// The text, validated.
  @inlinable
  public static func read(_ pointer: AnyPointerReader) throws(CapnProtoError) -> String { try pointer.asText() }
  /// The text; empty if there is none.
  @inlinable
  public static func edit(_ pointer: AnyPointerBuilder) -> String { pointer.view.textForWriting() ?? "" }
  /// Copies `value` into the message.
  @inlinable
  public static func assign(_ value: String, to pointer: AnyPointerBuilder) { pointer.setText(value) }
}

/// `Data` as the argument of a generic schema.
public enum DataSchema: PointerSchema {
  /// The bytes in place.
  public typealias Reader = RawSpan
  /// The bytes in place.
  public typealias Builder = RawSpan
  /// The bytes in place.
  @inlinable @_lifetime(copy pointer)
  public static func read(_ pointer: AnyPointerReader) throws(CapnProtoError) -> RawSpan { try pointer.asData() }
  /// The bytes in place; none if there are none.
  @inlinable @_lifetime(copy pointer)
  public static func edit(_ pointer: AnyPointerBuilder) -> RawSpan {
    unsafe _overrideLifetime(RawSpan(_unsafeBytes: pointer.view.bytesForWriting()), copying: pointer)
  }
  /// Copies `value` into the message.
  @inlinable
  public static func assign(_ value: RawSpan, to pointer: AnyPointerBuilder) { pointer.setData(value) }
}

/// `List(…)` as the argument of a generic schema.
public enum ListSchema<Element: ElementSchema>: PointerSchema {
  /// The list in place.
  public typealias Reader = ListReader<Element.Reader>
  /// The list in place.
  public typealias Builder = ListBuilder<Element.Builder>
  /// The list; empty if there is none.
  @inlinable @_lifetime(copy pointer)
  public static func read(_ pointer: AnyPointerReader) throws(CapnProtoError) -> ListReader<Element.Reader> {
    try pointer.asList()
  }
  /// The list; empty if there is none.
  @inlinable @_lifetime(copy pointer)
  public static func edit(_ pointer: AnyPointerBuilder) -> ListBuilder<Element.Builder> { pointer.asList() }
  /// Copies `value`, with all that it refers to, into the message.
  @inlinable
  public static func assign(_ value: ListReader<Element.Reader>, to pointer: AnyPointerBuilder) {
    pointer.view.copy(from: value.view)
  }
}

/// A pointer of any type: what a type parameter is bound to where the schema says nothing, and what capabilities are.
public enum AnyPointerSchema: PointerSchema {
  /// The pointer, whatever it leads to.
  public typealias Reader = AnyPointerReader
  /// The pointer, whatever it leads to.
  public typealias Builder = AnyPointerBuilder
  /// The pointer itself.
  @inlinable @_lifetime(copy pointer)
  public static func read(_ pointer: AnyPointerReader) throws(CapnProtoError) -> AnyPointerReader { pointer }
  /// The pointer itself.
  @inlinable @_lifetime(copy pointer)
  public static func edit(_ pointer: AnyPointerBuilder) -> AnyPointerBuilder { pointer }
  /// Copies what `value` leads to, with all that it refers to.
  @inlinable
  public static func assign(_ value: AnyPointerReader, to pointer: AnyPointerBuilder) { pointer.set(value) }
}

extension Bool: ElementSchema {
  /// The value.
  public typealias Reader = Bool
  /// The value.
  public typealias Builder = Bool
}

extension VoidElement: ElementSchema {
  /// The value.
  public typealias Reader = VoidElement
  /// The value.
  public typealias Builder = VoidElement
}

extension AnyPointerBuilder: ListBuilderElement {
  /// Lists of pointers, whatever those point to.
  @inlinable
  public static var layout: ElementLayout { ElementLayout(.pointer) }
}

extension ListBuilder where Element == AnyPointerBuilder {
  /// The pointer at `index`, whatever it points to.
  @inlinable
  public subscript(index: Int) -> AnyPointerBuilder {
    @_lifetime(copy self) get {
      view.check(index)
      return unsafe _overrideLifetime(AnyPointerBuilder(unowned: view.pointer(index)), copying: self)
    }
  }
}
