/// The size of a list's elements, as a list pointer encodes it.
public enum ElementSize: UInt8, Sendable, Hashable {
  /// No bits: `List(Void)`.
  case void = 0
  /// One bit: `List(Bool)`.
  case bit = 1
  /// One byte: also `Text` and `Data`.
  case byte = 2
  /// Two bytes.
  case twoBytes = 3
  /// Four bytes.
  case fourBytes = 4
  /// Eight bytes that are not a pointer.
  case eightBytes = 5
  /// A pointer: lists of text, data, lists, and the like.
  case pointer = 6
  /// Structs, whose size stands in a tag word before the elements.
  case composite = 7

  /// Bits of data in an element; 0 for pointers and structs.
  @inlinable
  public var dataBits: UInt32 {
    switch self {
    case .void, .pointer, .composite: 0
    case .bit: 1
    case .byte: 8
    case .twoBytes: 16
    case .fourBytes: 32
    case .eightBytes: 64
    }
  }

  /// Pointers in an element; 0 for structs, where the tag says it.
  @inlinable
  public var pointerCount: UInt16 { self == .pointer ? 1 : 0 }

  /// Bits from one element to the next; 0 for structs, where the tag says it.
  @inlinable
  public var stepBits: UInt32 { self == .pointer ? 64 : dataBits }
}

/// How a list of some element type is laid out when it is built, and what is expected when it is read.
public struct ElementLayout: Sendable, Hashable {
  /// The element size for the list pointer.
  public let elementSize: ElementSize
  /// For ``ElementSize/composite``: the size of a new element.
  public let structSize: StructSize

  /// Elements of size `elementSize`; those of struct lists have the size `structSize`.
  @inlinable
  public init(_ elementSize: ElementSize, structSize: StructSize = StructSize(dataWords: 0, pointers: 0)) {
    self.elementSize = elementSize
    self.structSize = structSize
  }
}
