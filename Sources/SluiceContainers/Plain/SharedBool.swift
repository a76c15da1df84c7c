/// A truth value in shared memory. Every byte is one: zero is false, everything else is true.
public struct SharedBool: PlainBits, Hashable, ExpressibleByBooleanLiteral {
  @usableFromInline let bits: UInt8

  /// The byte 0 or 1.
  @inlinable
  public init(_ value: Bool) { bits = value ? 1 : 0 }

  /// As ``init(_:)``.
  @inlinable
  public init(booleanLiteral value: Bool) { self.init(value) }

  /// Whether the byte is not zero.
  @inlinable
  public var value: Bool { bits != 0 }

  /// Whether both are true, or both false, whatever their bytes.
  @inlinable
  public static func == (left: SharedBool, right: SharedBool) -> Bool { left.value == right.value }

  /// Hashes the truth value.
  public func hash(into hasher: inout Hasher) { hasher.combine(value) }

  /// A byte that is a truth value.
  public static func structure() -> String { "bool" }
}

/// A case of an enum in shared memory, as its raw value: any raw value may be met there, also one without a case.
public struct SharedEnum<Value: RawRepresentable>: PlainBits, Sendable
where Value.RawValue: PlainBits & FixedWidthInteger {
  /// What stands in memory.
  public let rawValue: Value.RawValue

  /// The raw value of `value`.
  @inlinable
  public init(_ value: Value) { rawValue = value.rawValue }

  /// The case; nil for a raw value that has none.
  @inlinable
  public var value: Value? { Value(rawValue: rawValue) }

  /// The structure of the raw value.
  public static func structure() throws(SharedError) -> String { "enum<\(try Value.RawValue.structure())>" }
}
