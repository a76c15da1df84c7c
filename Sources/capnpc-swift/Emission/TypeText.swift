/// The Swift types that fields have, in readers and in builders.
extension Generator {
  /// Which of the two faces of a struct is written.
  enum Face: String {
    case reader = "Reader"
    case builder = "Builder"
  }

  /// The type of a field; also the element type of a list, where `isElement` is set.
  func text(
    of type: FieldType, _ face: Face, in scope: SchemaNode, isElement: Bool = false
  ) throws(GeneratorError) -> String {
    switch type {
    case .void: isElement ? "CapnProto.VoidElement" : names.standard("Void")
    case .bool: names.standard("Bool")
    case .int8: names.standard("Int8")
    case .int16: names.standard("Int16")
    case .int32: names.standard("Int32")
    case .int64: names.standard("Int64")
    case .uint8: names.standard("UInt8")
    case .uint16: names.standard("UInt16")
    case .uint32: names.standard("UInt32")
    case .uint64: names.standard("UInt64")
    case .float32: names.standard("Float")
    case .float64: names.standard("Double")
    case .text: names.standard("String")
    case .data: names.standard("RawSpan")
    case .enumeration(let id): try names.reference(to: id, from: scope)
    case .structure(let id): try names.reference(to: id, from: scope) + "." + face.rawValue
    case .list(let element):
      "CapnProto.List\(face.rawValue)<\(try text(of: element, face, in: scope, isElement: true))>"
    case .interface, .anyPointer: "CapnProto.AnyPointer\(face.rawValue)"
    case .parameter, .branded: throw unsupportedGenerics(in: scope)
    }
  }

  /// Generic types are refused as a whole: half of one would be wrong code.
  func unsupportedGenerics(in scope: SchemaNode) -> GeneratorError {
    GeneratorError(declaration: scope.displayName, reason: "generic types and type parameters are not supported")
  }
}

extension FieldType {
  /// Whether values of this type are views that live no longer than the message.
  var isView: Bool {
    switch self {
    case .data, .list, .structure, .interface, .anyPointer: true
    default: false
    }
  }

  /// Whether fields of this type are in the pointer section.
  var isPointer: Bool {
    switch self {
    case .text, .data, .list, .structure, .interface, .anyPointer, .parameter, .branded: true
    default: false
    }
  }
}
