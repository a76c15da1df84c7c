extension Generator {
  /// Emits the namespace of a struct or group: its identity, reader, builder and everything declared in it.
  func emitStructure(_ structure: StructLayout, of node: SchemaNode, to writer: inout SourceWriter)
    throws(GeneratorError)
  {
    let members = MemberNames(structure)
    let conformance = structure.isGroup ? "DeclaredSchema" : "StructSchema"
    writer.documentation(node.documentation)
    try writer.block("public enum \(declaredName(of: node.id)): CapnProto.\(conformance)") {
      writer throws(GeneratorError) in
      if !structure.isGroup {
        emitSize(of: structure, to: &writer)
        writer.line()
      }
      try emitReader(of: structure, members: members, node: node, to: &writer)
      writer.line()
      try emitBuilder(of: structure, members: members, node: node, to: &writer)
      writer.line()
      try emitIdentity(of: node, to: &writer)
      if !names.isGeneric(node.id) { try emitDefaults(of: structure, node: node, to: &writer) }
      for nested in node.nested {
        try emitDeclaration(nested, in: node, isTopLevel: false, to: &writer)
      }
      for field in structure.fieldsInSourceOrder {
        guard case .group(let id) = field.kind else { continue }
        let group = try self.node(id, in: node)
        guard case .structure(let layout) = group.kind else {
          throw GeneratorError(declaration: group.displayName, reason: "the node of a group is not a struct")
        }
        writer.line()
        var documented = group
        if documented.documentation.isEmpty { documented.documentation = field.documentation }
        try emitStructure(layout, of: documented, to: &writer)
      }
    }
  }

  /// Emits the size of a struct's sections.
  func emitSize(of structure: StructLayout, to writer: inout SourceWriter) {
    let size = "CapnProto.StructSize(dataWords: \(structure.dataWords), pointers: \(structure.pointers))"
    writer.line("@inlinable public static var size: CapnProto.StructSize { \(size) }")
  }

  /// Emits the defaults that are too large to stand in an accessor: those of data, lists, structs and pointers.
  func emitDefaults(
    of structure: StructLayout, node: SchemaNode, to writer: inout SourceWriter
  ) throws(GeneratorError) {
    let stored = structure.fieldsInSourceOrder.compactMap { field in
      if case .slot(let slot) = field.kind, let words = slot.storedDefault { (field.name, words) } else { nil }
    }
    guard !stored.isEmpty else { return }
    writer.line()
    writer.line("/// The default values of fields that are pointers, as Cap'n Proto messages.")
    try writer.block("@usableFromInline enum \(defaultsName(of: node))") { writer throws(GeneratorError) in
      for (name, words) in stored {
        emitStoredValue("@usableFromInline static let \(SwiftName.property(name))", words: words, to: &writer)
      }
    }
  }

  /// Emits what the generic types in a scope would store if Swift let them, at the top level: defaults and constants.
  func emitHoistedValues(in scope: SchemaNode, to writer: inout SourceWriter) throws(GeneratorError) {
    if case .structure(let structure) = scope.kind, names.isGeneric(scope.id) {
      try emitDefaults(of: structure, node: scope, to: &writer)
    }
    for nested in scope.nested where names.isGeneric(scope.id) {
      guard case .constant(_, .pointer(let words)) = try node(nested.id, in: scope).kind else { continue }
      let name = names.hoistedName("_\(nested.name)Value", of: scope.id)
      writer.line()
      emitStoredValue("private let \(name)", words: words ?? [0], to: &writer)
    }
    for child in try children(of: scope) { try emitHoistedValues(in: child, to: &writer) }
  }

  /// Emits `head = CapnProto.EncodedValue(…)`.
  func emitStoredValue(_ head: String, words: [UInt64], to writer: inout SourceWriter) {
    writer.line("\(head) = CapnProto.EncodedValue(words: [")
    for line in Literal.words(words) { writer.line("  " + line) }
    writer.line("])")
  }
}

extension SchemaField.Slot {
  /// The message that holds this field's default, when it has one that is not empty.
  var storedDefault: [UInt64]? {
    switch defaultValue {
    case .pointer(let words): words
    case .data(let bytes): bytes.isEmpty ? nil : FlatMessage.words(holding: bytes)
    default: nil
    }
  }
}
