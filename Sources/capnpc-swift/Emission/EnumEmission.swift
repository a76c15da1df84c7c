extension Generator {
  /// Emits an enum: one case per enumerant, and `unknown` for the values that newer schemas may have.
  func emitEnumeration(_ enumerants: [SchemaEnumerant], of node: SchemaNode, to writer: inout SourceWriter)
    throws(GeneratorError)
  {
    let cases = enumerants.enumerated().map { (value: $0.offset, enumerant: $0.element) }
      .sorted { $0.enumerant.codeOrder < $1.enumerant.codeOrder }
      .map { ($0.value, SwiftName.enumCase($0.enumerant.name), $0.enumerant.documentation) }
    let uint16 = names.standard("UInt16")
    writer.documentation(node.documentation)
    try writer.block(
      "public enum \(declaredName(of: node.id)): CapnProto.EnumElement, \(names.standard("Hashable"))"
    ) {
      writer throws(GeneratorError) in
      for (_, name, documentation) in cases {
        writer.documentation(documentation)
        writer.line("case \(name)")
      }
      writer.line("/// A value that this schema has no name for.")
      writer.line("case unknown(\(uint16))")
      writer.line()
      try writer.block("@inlinable public init(rawValue: \(uint16))") { writer throws(GeneratorError) in
        writer.line("self = switch rawValue {")
        for (value, name, _) in cases { writer.line("case \(value): .\(name)") }
        writer.line("default: .unknown(rawValue)")
        writer.line("}")
      }
      writer.line()
      try writer.block("@inlinable public var rawValue: \(uint16)") { writer throws(GeneratorError) in
        writer.line("switch self {")
        for (value, name, _) in cases { writer.line("case .\(name): \(value)") }
        writer.line("case .unknown(let rawValue): rawValue")
        writer.line("}")
      }
      writer.line()
      try emitIdentity(of: node, to: &writer)
    }
  }
}
