extension Generator {
  /// Emits a constant: in the namespace of its type as a static property, at the top level of a file as a global one.
  func emitConstant(
    _ name: String, of type: FieldType, value: FieldValue, in node: SchemaNode, isTopLevel: Bool,
    to writer: inout SourceWriter
  ) throws(GeneratorError) {
    // Generic types store nothing, so that what their constants need stands beside them.
    let isHoisted = names.isGeneric(node.scopeID)
    let stored = isHoisted ? names.hoistedName("_\(name)Value", of: node.scopeID) : "_\(name)Value"
    let storage = isTopLevel ? "let" : "static let"
    let name = SwiftName.constant(name)
    let keyword = isTopLevel ? "var" : "static var"
    let typeText = try text(of: type, .reader, in: node)
    writer.documentation(node.documentation)
    let expression: String
    switch value {
    case .void: expression = "()"
    case .bool(let value): expression = "\(value)"
    case .integer(let digits): expression = digits
    case .float32(let bits): expression = Literal.float(bits: bits)
    case .float64(let bits): expression = Literal.double(bits: bits)
    case .text(let text): expression = Literal.string(text)
    case .enumerant(let value): expression = try enumerant(value, of: type, in: node)
    case .data(let bytes):
      // An array, for a span would need an owner; stored, so that it is made once.
      let list = bytes.map { "\($0)" }.joined(separator: ", ")
      let array = "[\(names.standard("UInt8"))]"
      if isHoisted {
        writer.line("public \(keyword) \(name): \(array) { [\(list)] }")
      } else {
        writer.line("public \(storage) \(name): \(array) = [\(list)]")
      }
      return
    case .pointer(let words):
      writer.open("public \(keyword) \(name): \(typeText)")
      writer.line("@_lifetime(immortal) get { \(try read(stored, as: type, in: node)) }")
      writer.close()
      guard !isHoisted else { return }
      writer.line()
      emitStoredValue("private \(storage) \(stored)", words: words ?? [0], to: &writer)
      return
    }
    writer.line("@inlinable public \(keyword) \(name): \(typeText) { \(expression) }")
  }

  /// An expression that views the stored value of a constant as one of `type`.
  private func read(_ stored: String, as type: FieldType, in node: SchemaNode) throws(GeneratorError) -> String {
    switch type {
    case .structure: "\(try text(of: type, .reader, in: node))(\(stored).structure)"
    case .list: "\(stored).list()"
    case .anyPointer, .interface: "\(stored).pointer"
    default: throw GeneratorError(declaration: node.displayName, reason: "a pointer is the value of a scalar constant")
    }
  }
}
