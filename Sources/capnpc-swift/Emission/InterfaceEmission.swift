extension Generator {
  /// Emits the namespace of an interface: a namespace for each method, what the interface extends, and everything declared
  /// in it.
  func emitInterface(
    _ interface: InterfaceLayout, of node: SchemaNode, to writer: inout SourceWriter
  ) throws(GeneratorError) {
    writer.documentation(node.documentation)
    try writer.block("public enum \(declaredName(of: node.id)): CapnProto.InterfaceSchema") {
      writer throws(GeneratorError) in
      try emitIdentity(of: node, to: &writer)
      writer.line()
      try emitDescription(of: interface, node: node, to: &writer)
      let methods = interface.methods.enumerated().sorted { $0.element.codeOrder < $1.element.codeOrder }
      for (ordinal, method) in methods {
        writer.line()
        try emitMethod(method, ordinal: ordinal, of: node, to: &writer)
      }
      for nested in node.nested {
        try emitDeclaration(nested, in: node, isTopLevel: false, to: &writer)
      }
    }
  }

  private func emitDescription(
    of interface: InterfaceLayout, node: SchemaNode, to writer: inout SourceWriter
  ) throws(GeneratorError) {
    var superclasses: [String] = []
    for superclass in interface.superclasses {
      superclasses.append(try reference(to: superclass.id, superclass.arguments, from: node) + ".self")
    }
    let methods = interface.methods.indices.map { names.localName(of: names.methodScope(node.id, $0)) + ".self" }
    writer.line("/// The methods and superclasses.")
    writer.open("public static var interface: CapnProto.InterfaceDescription")
    writer.line("CapnProto.InterfaceDescription(")
    writer.line("  id: typeID,")
    writer.line("  name: typeName,")
    writer.list("  superclasses: [", superclasses, "],")
    writer.list("  methods: [", methods, "])")
    writer.close()
  }

  private func emitMethod(
    _ method: SchemaMethod, ordinal: Int, of node: SchemaNode, to writer: inout SourceWriter
  ) throws(GeneratorError) {
    var scope = node
    scope.id = names.methodScope(node.id, ordinal)
    writer.documentation(method.documentation)
    try writer.block("public enum \(names.localName(of: scope.id)): CapnProto.MethodSchema") {
      writer throws(GeneratorError) in
      writer.line("@inlinable public static var interfaceID: \(names.standard("UInt64")) { 0x\(hex(node.id)) }")
      writer.line("@inlinable public static var ordinal: \(names.standard("UInt16")) { \(ordinal) }")
      writer.line(
        "@inlinable public static var name: \(names.standard("String")) { \(Literal.string(method.schemaName)) }")
      writer.line(
        "@inlinable public static var isStreaming: \(names.standard("Bool")) { \(method.results.isStreamResult) }")
      try emitStruct("Params", method.params, in: scope, to: &writer)
      try emitStruct("Results", method.results, in: scope, to: &writer)
    }
  }

  /// Emits `Params` or `Results`: the struct that the method implies, or another name of the one that it mentions.
  private func emitStruct(
    _ name: String, _ reference: TypeReference, in scope: SchemaNode, to writer: inout SourceWriter
  ) throws(GeneratorError) {
    writer.line()
    if names.scope(of: reference.id) == scope.id, names.localName(of: reference.id) == name {
      let node = try self.node(reference.id, for: scope.displayName)
      guard case .structure(let structure) = node.kind else { return }
      return try emitStructure(structure, of: node, to: &writer)
    }
    let type: String
    if isForeignStreamResult(reference) {
      type = "CapnProto.StreamResult"
    } else {
      type = try self.reference(to: reference.id, reference.arguments, from: scope)
    }
    writer.line("public typealias \(name) = \(type)")
  }

  /// Whether a method's results are those of streaming methods, and no code is known to be generated for their file.
  func isForeignStreamResult(_ reference: TypeReference) -> Bool {
    guard reference.isStreamResult, let file = names.file(of: reference.id) else { return reference.isStreamResult }
    return !schema.requestedFiles.contains { $0.id == file }
      && options.importedModule(ofFile: file, in: schema) == nil
  }
}

extension TypeReference {
  /// Whether this is `StreamResult` of `/capnp/stream.capnp`: what `-> stream` means.
  var isStreamResult: Bool { id == 0x995f_9a33_77c0_b16e }
}
