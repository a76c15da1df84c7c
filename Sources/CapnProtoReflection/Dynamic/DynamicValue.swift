import CapnProto

/// A value of any type in a message that is being read. It lives no longer than its message.
public enum DynamicValue: ~Escapable {
  /// `Void`.
  case void
  /// `Bool`.
  case bool(Bool)
  /// A signed integer of any size.
  case int(Int64)
  /// An unsigned integer of any size.
  case uint(UInt64)
  /// `Float32`.
  case float32(Float)
  /// `Float64`.
  case float64(Double)
  /// `Text`, copied out of the message.
  case text(String)
  /// `Data`, in place.
  case data(RawSpan)
  /// An enum's value, known or not.
  case enumeration(DynamicEnum)
  /// `List(…)`, in place.
  case list(DynamicList.Reader)
  /// A struct or group, in place.
  case structure(DynamicStruct.Reader)
  /// A capability.
  case capability(DynamicCapability)
  /// `AnyPointer`, or a type parameter that is not bound.
  case anyPointer(AnyPointerReader)
}

/// The value of an enum: the number that a message holds, and what it is called.
public struct DynamicEnum: Sendable {
  /// The enum.
  public let schema: Schema.Enum
  /// The number.
  public let rawValue: UInt16

  /// The enumerant with the number `rawValue`, which may be unknown.
  public init(_ rawValue: UInt16, _ schema: Schema.Enum) {
    self.rawValue = rawValue
    self.schema = schema
  }

  /// What the schema calls it; nil for a number that it does not know.
  public var enumerant: Schema.Enumerant? { schema.enumerant(rawValue) }
}

/// A capability in a message: an index into the table that came with it.
public struct DynamicCapability: Sendable, Hashable {
  /// The index; nil for a null pointer.
  public let index: UInt32?

  /// The capability `index`.
  public init(index: UInt32?) { self.index = index }
}

extension DynamicValue {
  /// What this is, for errors.
  public var kind: String {
    switch self {
    case .void: "Void"
    case .bool: "Bool"
    case .int: "an integer"
    case .uint: "an unsigned integer"
    case .float32: "Float32"
    case .float64: "Float64"
    case .text: "Text"
    case .data: "Data"
    case .enumeration(let value): value.schema.declaration.name
    case .list(let list): "List(\(list.elementType))"
    case .structure(let structure): structure.schema.name
    case .capability: "a capability"
    case .anyPointer: "AnyPointer"
    }
  }

  /// The scalar of type `type` with the encoding `bits`.
  @_lifetime(immortal)
  init(bits: UInt64, as type: Schema.ValueType) {
    switch type {
    case .bool: self = .bool(bits & 1 != 0)
    case .int8: self = .int(Int64(Int8(truncatingIfNeeded: bits)))
    case .int16: self = .int(Int64(Int16(truncatingIfNeeded: bits)))
    case .int32: self = .int(Int64(Int32(truncatingIfNeeded: bits)))
    case .int64: self = .int(Int64(bitPattern: bits))
    case .uint8, .uint16, .uint32, .uint64: self = .uint(bits)
    case .float32: self = .float32(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
    case .float64: self = .float64(Double(bitPattern: bits))
    case .enumeration(let schema): self = .enumeration(DynamicEnum(UInt16(truncatingIfNeeded: bits), schema))
    default: self = .void
    }
  }

  /// What `pointer` leads to, read as `type`; empty if it is null.
  @_lifetime(copy pointer)
  init(_ pointer: AnyPointerReader, as type: Schema.ValueType) throws(CapnProtoError) {
    switch type {
    case .text: self = .text(try pointer.asText())
    case .data: self = .data(try pointer.asData())
    case .list(let element): self = .list(try DynamicList.Reader(pointer, of: element))
    case .structure(let schema): self = .structure(DynamicStruct.Reader(unowned: try pointer.asRawStruct(), schema))
    case .interface, .anyPointer(.capability):
      self = .capability(DynamicCapability(index: try pointer.capabilityIndex()))
    default: self = .anyPointer(pointer)
    }
  }
}
