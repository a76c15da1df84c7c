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
    case .enumeration(let id, let arguments): try reference(to: id, arguments, from: scope)
    case .structure(let id, let arguments): try reference(to: id, arguments, from: scope) + "." + face.rawValue
    case .list(let element):
      "CapnProto.List\(face.rawValue)<\(try text(of: element, face, in: scope, isElement: true))>"
    case .interface, .anyPointer: "CapnProto.AnyPointer\(face.rawValue)"
    case .parameter(let owner, let index): try parameter(index, of: owner, in: scope) + "." + face.rawValue
    }
  }

  /// A type as the argument of a generic type: a schema, not one of its faces.
  func schemaText(of type: FieldType?, in scope: SchemaNode) throws(GeneratorError) -> String {
    switch type {
    case nil, .interface, .anyPointer: "CapnProto.AnyPointerSchema"
    case .text: "CapnProto.TextSchema"
    case .data: "CapnProto.DataSchema"
    case .list(let element): "CapnProto.ListSchema<\(try schemaText(of: element, in: scope))>"
    case .structure(let id, let arguments): try reference(to: id, arguments, from: scope)
    case .parameter(let owner, let index): try parameter(index, of: owner, in: scope)
    case .some(let scalar): try text(of: scalar, .reader, in: scope, isElement: true)
    }
  }

  /// The Swift name of a type parameter.
  func parameter(_ index: Int, of owner: UInt64, in scope: SchemaNode) throws(GeneratorError) -> String {
    let parameters = names.parameters(of: owner)
    guard parameters.indices.contains(index) else {
      throw GeneratorError(
        declaration: scope.displayName, reason: "the type 0x\(hex(owner)) has no parameter \(index)")
    }
    return parameters[index]
  }

  /// A way to write type `id` inside `scope`, with its type parameters and those of its scopes bound. Parameters that
  /// nothing is said about are pointers of any type.
  func reference(
    to id: UInt64, _ bound: TypeArguments, from scope: SchemaNode
  ) throws(GeneratorError) -> String {
    var arguments: [UInt64: [String]] = [:]
    for owner in names.chain(to: id) {
      let parameters = names.parameters(of: owner)
      guard !parameters.isEmpty else { continue }
      switch bound.scopes[owner] {
      case .inherited: arguments[owner] = parameters
      case .types(let types):
        var texts: [String] = []
        for index in parameters.indices {
          texts.append(try schemaText(of: index < types.count ? types[index] : nil, in: scope))
        }
        arguments[owner] = texts
      case nil: arguments[owner] = try parameters.map { _ throws(GeneratorError) in try schemaText(of: nil, in: scope) }
      }
    }
    return try names.reference(to: id, from: scope, arguments: arguments)
  }

  /// A way to write a type inside of itself, or of what is declared in it: the type of a group, above all.
  func ownReference(to id: UInt64, from scope: SchemaNode) throws(GeneratorError) -> String {
    let inherited = names.chain(to: id).map { ($0, TypeArguments.Bindings.inherited) }
    return try reference(to: id, TypeArguments(scopes: Dictionary(uniqueKeysWithValues: inherited)), from: scope)
  }

  /// The name of a type where it is declared, with its parameters.
  func declaredName(of id: UInt64) -> String {
    let parameters = names.parameters(of: id).map { "\($0): CapnProto.PointerSchema" }
    return names.localName(of: id) + (parameters.isEmpty ? "" : "<\(parameters.joined(separator: ", "))>")
  }
}

extension FieldType {
  /// Whether values of this type are views that live no longer than the message.
  var isView: Bool {
    switch self {
    case .data, .list, .structure, .interface, .anyPointer, .parameter: true
    default: false
    }
  }

  /// Whether fields of this type are in the pointer section.
  var isPointer: Bool {
    switch self {
    case .text, .data, .list, .structure, .interface, .anyPointer, .parameter: true
    default: false
    }
  }
}
