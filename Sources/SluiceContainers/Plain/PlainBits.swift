/// A type of which every bit pattern is a valid value and which has no padding, so that it can be read from memory that
/// another process writes to, and written to memory that another process reads.
///
/// Fixed-width integers, floating-point numbers, SIMD vectors, `InlineArray`s of these, ``SharedBool`` and ``SharedEnum``
/// conform. A program's own struct may conform if all its stored properties do:
/// ```swift
/// struct Quote: PlainBits { var price: Double; var volume: Int64 }
/// ```
/// The conformance *promises* both. Before such values are written or read, the promise is checked as far as the program
/// knows its own types: each stored property is itself `PlainBits`, and their sizes add up to the struct's, so that no
/// padding could carry other bytes of this process away. A type that breaks it is refused with
/// ``SharedError/unsuitableType(_:reason:)``.
///
/// `BitwiseCopyable` alone would not do: it admits `Bool`, enums and pointers, of which a stray bit pattern is undefined
/// behaviour. Nor are `Int` and `UInt` here: containers of them would differ between builds; see ``SharedSource``.
public protocol PlainBits: BitwiseCopyable, Sendable, SharedValue, SharedSource where Stored == Self {}

extension PlainBits {
  /// The size of the value, which has no padding behind it.
  @inlinable
  public static var slotByteCount: Int { MemoryLayout<Self>.stride }

  /// The alignment of the value.
  @inlinable
  public static var slotAlignment: Int { MemoryLayout<Self>.alignment }

  /// The value at `position`, wherever that is within the region.
  @inlinable @inline(__always)
  public init(loading region: SharedRegion, at position: Int) throws(SharedError) {
    self = try region.load(Self.self, at: position, "a value")
  }

  /// The structures of the stored properties, in order.
  public static func structure() throws(SharedError) -> String { try PlainLayout.structure(of: Self.self) }
}

// MARK: - Integers, which can also be keys

extension FixedWidthInteger where Self: PlainBits {
  /// The integer's bytes, little-endian.
  @inlinable @inline(__always)
  public static func withBytes<Result>(of key: Self, _ body: (RawSpan) -> Result) -> Result {
    var bits = key.littleEndian
    // Sound: the span lives no longer than the variable.
    return unsafe withUnsafeBytes(of: &bits) { body(unsafe RawSpan(_unsafeBytes: $0)) }
  }

  /// Whether the integer at `position` has these bytes.
  @inlinable @inline(__always)
  public static func matches(
    _ bytes: RawSpan, in region: SharedRegion, at position: Int
  ) throws(SharedError) -> Bool {
    let found = try region.load(Self.self, at: position, "a key")
    guard bytes.byteCount == MemoryLayout<Self>.size else { return false }
    // Sound: the span has as many bytes; any bits are an integer.
    return unsafe Self(littleEndian: bytes.unsafeLoadUnaligned(as: Self.self)) == found
  }

  /// The integer itself.
  @inlinable
  public var lookup: Self { self }

  /// The sign and the number of bits.
  public static func structure() -> String { (isSigned ? "i" : "u") + "\(bitWidth)" }
}

extension Int8: PlainBits, SharedKey, SharedKeySource {}
extension Int16: PlainBits, SharedKey, SharedKeySource {}
extension Int32: PlainBits, SharedKey, SharedKeySource {}
extension Int64: PlainBits, SharedKey, SharedKeySource {}
extension Int128: PlainBits, SharedKey, SharedKeySource {}
extension UInt8: PlainBits, SharedKey, SharedKeySource {}
extension UInt16: PlainBits, SharedKey, SharedKeySource {}
extension UInt32: PlainBits, SharedKey, SharedKeySource {}
extension UInt64: PlainBits, SharedKey, SharedKeySource {}
extension UInt128: PlainBits, SharedKey, SharedKeySource {}

// MARK: - Floating-point numbers, vectors, inline arrays

extension Float: PlainBits {
  /// 32 bits.
  public static func structure() -> String { "f32" }
}

extension Double: PlainBits {
  /// 64 bits.
  public static func structure() -> String { "f64" }
}

extension SIMD where Self: PlainBits, Scalar: PlainBits {
  /// The scalar's structure, and how many there are.
  public static func structure() throws(SharedError) -> String { "\(try Scalar.structure())x\(scalarCount)" }
}

/// What the lanes of a plain vector can be.
public protocol PlainLane: PlainBits, SIMDScalar, Hashable, Codable
where
  SIMD2Storage: BitwiseCopyable, SIMD4Storage: BitwiseCopyable, SIMD8Storage: BitwiseCopyable,
  SIMD16Storage: BitwiseCopyable
{}

extension Int8: PlainLane {}
extension Int16: PlainLane {}
extension Int32: PlainLane {}
extension Int64: PlainLane {}
extension UInt8: PlainLane {}
extension UInt16: PlainLane {}
extension UInt32: PlainLane {}
extension UInt64: PlainLane {}
extension Float: PlainLane {}
extension Double: PlainLane {}

// SIMD3 is not among them: its fourth lane is padding.
extension SIMD2: SharedValue, SharedSource, PlainBits where Scalar: PlainLane {}
extension SIMD4: SharedValue, SharedSource, PlainBits where Scalar: PlainLane {}
extension SIMD8: SharedValue, SharedSource, PlainBits where Scalar: PlainLane {}
extension SIMD16: SharedValue, SharedSource, PlainBits where Scalar: PlainLane {}

extension InlineArray: SharedValue, SharedSource, PlainBits where Element: PlainBits {
  /// The number of elements, and their structure.
  public static func structure() throws(SharedError) -> String { "[\(count) x \(try Element.structure())]" }
}
