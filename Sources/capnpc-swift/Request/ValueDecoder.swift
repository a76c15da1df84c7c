import CapnProto
import CapnProtoSchema

/// Copies default values and constants out of a request.
struct ValueDecoder {
  /// The size of the request: no value in it is larger.
  var requestByteCount: Int

  /// The value that `value` holds.
  func value(_ value: Value.Reader) throws -> FieldValue {
    switch try value.which {
    case .void: .void
    case .interface: .pointer(nil)
    case .bool(let value): .bool(value)
    case .int8(let value): .integer("\(value)")
    case .int16(let value): .integer("\(value)")
    case .int32(let value): .integer("\(value)")
    case .int64(let value): .integer("\(value)")
    case .uint8(let value): .integer("\(value)")
    case .uint16(let value): .integer("\(value)")
    case .uint32(let value): .integer("\(value)")
    case .uint64(let value): .integer("\(value)")
    case .float32(let value): .float32(value.bitPattern)
    case .float64(let value): .float64(value.bitPattern)
    case .enum(let value): .enumerant(value)
    case .text(let value): .text(value)
    // Sound: the bytes are copied within the call.
    case .data(let bytes): unsafe .data(bytes.withUnsafeBytes { unsafe [UInt8]($0) })
    case .list(let pointer), .struct(let pointer), .anyPointer(let pointer): .pointer(try words(of: pointer))
    case .unknown(let kind): throw GeneratorError(declaration: "", reason: "values of kind \(kind) are unknown")
    }
  }

  private func words(of pointer: AnyPointerReader) throws -> [UInt64]? {
    pointer.isNull ? nil : try PointerFlattening.words(of: pointer, sizeHint: requestByteCount)
  }
}
