/// A value to write that stands for itself: a number, text, bytes. What it becomes depends on the field's type: a number
/// becomes an integer, float or enum that can hold it, a text becomes `Text` or the enumerant of that name.
///
///     try person.set("age", to: 36)
///     try person.set("name", to: "Ada")
///     try person.set("id", to: .uint(id))
public enum PlainValue: Sendable, Hashable {
  /// For `Void`.
  case void
  /// For `Bool`.
  case bool(Bool)
  /// For integers, floats and enums.
  case int(Int64)
  /// For integers, floats and enums.
  case uint(UInt64)
  /// For floats, and for integers if it is whole.
  case float(Double)
  /// For `Text`, and for enums, of which it names an enumerant.
  case text(String)
  /// For `Data`.
  case data([UInt8])
}

extension PlainValue: ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
  ExpressibleByStringLiteral, ExpressibleByArrayLiteral
{
  /// `.bool(value)`.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  /// `.int(value)`.
  public init(integerLiteral value: Int64) { self = .int(value) }
  /// `.float(value)`.
  public init(floatLiteral value: Double) { self = .float(value) }
  /// `.text(value)`.
  public init(stringLiteral value: String) { self = .text(value) }
  /// `.data(elements)`.
  public init(arrayLiteral elements: UInt8...) { self = .data(elements) }
}

extension PlainValue {
  /// What this is, for errors.
  var kind: String {
    switch self {
    case .void: "Void"
    case .bool: "Bool"
    case .int, .uint: "an integer"
    case .float: "a floating-point number"
    case .text: "Text"
    case .data: "Data"
    }
  }

  /// The encoding of this as a value of `type`, which stands in the data section.
  func bits(as type: Schema.ValueType) throws(ReflectionError.Kind) -> UInt64 {
    switch (type, self) {
    case (.void, .void): return 0
    case (.bool, .bool(let value)): return value ? 1 : 0
    case (.int8, _): return UInt64(truncatingIfNeeded: try integer(Int8.self, type))
    case (.int16, _): return UInt64(truncatingIfNeeded: try integer(Int16.self, type))
    case (.int32, _): return UInt64(truncatingIfNeeded: try integer(Int32.self, type))
    case (.int64, _): return UInt64(truncatingIfNeeded: try integer(Int64.self, type))
    case (.uint8, _): return UInt64(try integer(UInt8.self, type))
    case (.uint16, _): return UInt64(try integer(UInt16.self, type))
    case (.uint32, _): return UInt64(try integer(UInt32.self, type))
    case (.uint64, _): return try integer(UInt64.self, type)
    case (.float32, _): return UInt64(try float32(type).bitPattern)
    case (.float64, _): return try float(type).bitPattern
    case (.enumeration(let schema), .text(let name)):
      guard let enumerant = schema.enumerant(named: name) else { throw .noSuchEnumerant(name) }
      return UInt64(enumerant.number)
    case (.enumeration, .int), (.enumeration, .uint): return UInt64(try integer(UInt16.self, type))
    default: throw .wrongType(expected: "\(type)", found: kind)
    }
  }

  private func integer<Integer: FixedWidthInteger>(
    _: Integer.Type, _ type: Schema.ValueType
  ) throws(ReflectionError.Kind) -> Integer {
    let value: Integer?
    switch self {
    case .int(let number): value = Integer(exactly: number)
    case .uint(let number): value = Integer(exactly: number)
    case .float(let number): value = Integer(exactly: number)
    default: throw .wrongType(expected: "\(type)", found: kind)
    }
    guard let value else { throw .outOfRange(value: numberText, type: "\(type)") }
    return value
  }

  private func float(_ type: Schema.ValueType) throws(ReflectionError.Kind) -> Double {
    switch self {
    case .int(let number): return Double(number)
    case .uint(let number): return Double(number)
    case .float(let number): return number
    default: throw .wrongType(expected: "\(type)", found: kind)
    }
  }

  private func float32(_ type: Schema.ValueType) throws(ReflectionError.Kind) -> Float {
    switch self {
    case .int(let number): return Float(number)
    case .uint(let number): return Float(number)
    default: return Float(try float(type))
    }
  }

  private var numberText: String {
    switch self {
    case .int(let number): "\(number)"
    case .uint(let number): "\(number)"
    case .float(let number): "\(number)"
    default: kind
    }
  }
}
