/// The sizes of a struct's two sections.
public struct StructSize: Sendable, Hashable {
  /// Words of the data section.
  public let dataWords: UInt16
  /// Pointers in the pointer section, one word each.
  public let pointers: UInt16

  /// A struct with `dataWords` words of data and `pointers` pointers.
  @inlinable
  public init(dataWords: UInt16, pointers: UInt16) {
    self.dataWords = dataWords
    self.pointers = pointers
  }

  /// Both sections together, in words.
  @inlinable
  public var words: Int { Int(dataWords) &+ Int(pointers) }
}

extension StructSize: CustomStringConvertible {
  /// The size in words, as in "2 data words and 1 pointers".
  public var description: String { "\(dataWords) data words and \(pointers) pointers" }
}

/// What the code generator makes of a `struct`: a caseless enum that carries its reader and builder.
public protocol StructSchema: PointerSchema, DeclaredSchema where Reader: StructReader, Builder: StructBuilder {
  /// The size that this version of the schema gives new structs.
  static var size: StructSize { get }
}

/// A generated reader: typed properties over a ``RawStructReader``. It lives no longer than its message.
public protocol StructReader: ListElement, Sendable, ~Escapable {
  /// The struct, untyped.
  var raw: RawStructReader { @_lifetime(copy self) get }
  /// The typed view of `raw`.
  @_lifetime(copy raw)
  init(_ raw: RawStructReader)
}

/// A generated builder: typed properties over a ``RawStructBuilder``. It lives no longer than its message.
public protocol StructBuilder: ListBuilderElement, ~Escapable {
  /// The size of a new struct of this type (for a group, of the struct that holds it).
  static var size: StructSize { get }
  /// The typed view of `raw`.
  @_lifetime(copy raw)
  init(_ raw: RawStructBuilder)
}

extension StructReader where Self: ~Escapable {
  /// Struct lists; their element size is read from the message.
  @inlinable
  public static var layout: ElementLayout { ElementLayout(.composite) }
}

extension StructBuilder where Self: ~Escapable {
  /// Struct lists with elements of ``size``.
  @inlinable
  public static var layout: ElementLayout { ElementLayout(.composite, structSize: size) }
}
