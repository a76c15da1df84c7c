/// What a list's subscript gives: integers and floats, `Bool`, ``VoidElement``, generated enums, generated readers and
/// builders, `String` (Text), `RawSpan` (Data), ``ListReader`` and ``ListBuilder`` (lists of lists).
public protocol ListElement: ~Escapable {
  /// How such a list is expected to be laid out.
  static var layout: ElementLayout { get }
}

/// An element of a list that can be built.
public protocol ListBuilderElement: ListElement, ~Escapable {}

/// A value that stands in a struct's data section or in a list, of 8 to 64 bits.
public protocol ScalarElement: ListBuilderElement, ElementSchema, BitwiseCopyable, Sendable
where Reader == Self, Builder == Self {
  /// The value's encoding.
  associatedtype WireBits: FixedWidthInteger & UnsignedInteger & BitwiseCopyable & Sendable
  /// The value that `wireBits` encodes; every pattern encodes one.
  init(wireBits: WireBits)
  /// The value's encoding.
  var wireBits: WireBits { get }
}

/// A generated `enum`: a case per enumerant, and one that keeps the number of an enumerant unknown here.
public protocol EnumElement: ScalarElement, DeclaredSchema where WireBits == UInt16 {
  /// The enumerant with the number `rawValue`, which may be unknown.
  init(rawValue: UInt16)
  /// The enumerant's number.
  var rawValue: UInt16 { get }
}

extension EnumElement {
  /// The enumerant with the number `wireBits`.
  @inlinable @inline(__always)
  public init(wireBits: UInt16) { self.init(rawValue: wireBits) }
  /// The enumerant's number.
  @inlinable @inline(__always)
  public var wireBits: UInt16 { rawValue }
}

extension ScalarElement {
  /// Elements of the encoding's size.
  @inlinable
  public static var layout: ElementLayout {
    switch WireBits.bitWidth {
    case 8: ElementLayout(.byte)
    case 16: ElementLayout(.twoBytes)
    case 32: ElementLayout(.fourBytes)
    default: ElementLayout(.eightBytes)
    }
  }
}

extension ScalarElement where Self: FixedWidthInteger, WireBits == Magnitude {
  /// The integer in two's complement.
  @inlinable @inline(__always)
  public init(wireBits: WireBits) { self.init(truncatingIfNeeded: wireBits) }
  /// The integer in two's complement.
  @inlinable @inline(__always)
  public var wireBits: WireBits { WireBits(truncatingIfNeeded: self) }
}

extension UInt8: ScalarElement {
  /// The encoding.
  public typealias WireBits = UInt8
}
extension UInt16: ScalarElement {
  /// The encoding.
  public typealias WireBits = UInt16
}
extension UInt32: ScalarElement {
  /// The encoding.
  public typealias WireBits = UInt32
}
extension UInt64: ScalarElement {
  /// The encoding.
  public typealias WireBits = UInt64
}
extension Int8: ScalarElement {
  /// The encoding.
  public typealias WireBits = UInt8
}
extension Int16: ScalarElement {
  /// The encoding.
  public typealias WireBits = UInt16
}
extension Int32: ScalarElement {
  /// The encoding.
  public typealias WireBits = UInt32
}
extension Int64: ScalarElement {
  /// The encoding.
  public typealias WireBits = UInt64
}

extension Float: ScalarElement {
  /// The number with this IEEE 754 encoding.
  @inlinable @inline(__always)
  public init(wireBits: UInt32) { self.init(bitPattern: wireBits) }
  /// The IEEE 754 encoding, every bit of a NaN kept.
  @inlinable @inline(__always)
  public var wireBits: UInt32 { bitPattern }
}

extension Double: ScalarElement {
  /// The number with this IEEE 754 encoding.
  @inlinable @inline(__always)
  public init(wireBits: UInt64) { self.init(bitPattern: wireBits) }
  /// The IEEE 754 encoding, every bit of a NaN kept.
  @inlinable @inline(__always)
  public var wireBits: UInt64 { bitPattern }
}

extension Bool: ListBuilderElement {
  /// One bit per element.
  public static var layout: ElementLayout { ElementLayout(.bit) }
}

/// The element of a `List(Void)`, which has a count and no content.
public struct VoidElement: ListBuilderElement, Sendable, Hashable {
  /// The one value.
  public init() {}
  /// No bits per element.
  public static var layout: ElementLayout { ElementLayout(.void) }
}

extension String: ListBuilderElement {
  /// `List(Text)`: pointers.
  public static var layout: ElementLayout { ElementLayout(.pointer) }
}

extension RawSpan: ListBuilderElement {
  /// `List(Data)`: pointers.
  public static var layout: ElementLayout { ElementLayout(.pointer) }
}
