/// The schema that generated code carries of itself.
extension Generator {
  /// Emits the id, the name and the embedded schema of a declaration.
  func emitIdentity(of node: SchemaNode, to writer: inout SourceWriter) throws(GeneratorError) {
    writer.line("@inlinable public static var typeID: \(names.standard("UInt64")) { 0x\(hex(node.id)) }")
    writer.line(
      "@inlinable public static var typeName: \(names.standard("String")) { \(Literal.string(node.displayName)) }")
    try emitEmbeddedSchema("public static var embeddedSchema", of: node, to: &writer)
  }

  /// Emits the namespace of a file, which holds its schema and annotations. It is called by the file's id, as file names
  /// are neither unique nor names in Swift, unless the file says something else.
  func emitFileSchema(_ file: SchemaNode, to writer: inout SourceWriter) throws(GeneratorError) {
    writer.line()
    writer.line("/// The schema file as a whole: its declarations and annotations, for reflection.")
    writer.documentation(file.documentation.isEmpty ? "" : "\n" + file.documentation)
    try writer.block("public enum \(fileName(of: file.id)): CapnProto.DeclaredSchema") {
      writer throws(GeneratorError) in
      try emitIdentity(of: file, to: &writer)
      for nested in file.nested {
        let node = try self.node(nested.id, in: file)
        guard case .annotation = node.kind else { continue }
        writer.line()
        try emitAnnotation(node, to: &writer)
      }
    }
  }

  /// A declared annotation is a namespace for what is known of it.
  func emitAnnotation(_ node: SchemaNode, to writer: inout SourceWriter) throws(GeneratorError) {
    writer.documentation(node.documentation)
    try writer.block("public enum \(declaredName(of: node.id)): CapnProto.DeclaredSchema") {
      writer throws(GeneratorError) in
      try emitIdentity(of: node, to: &writer)
    }
  }

  /// Emits the schemas that no type holds: those of constants, and of annotations in files that no code is generated for.
  func emitLooseSchemas(of file: SchemaNode, to writer: inout SourceWriter) throws(GeneratorError) {
    for id in try looseSchemas(mentionedIn: file) {
      writer.line()
      try emitEmbeddedSchema("private var \(looseName(of: id))", of: try node(id, for: file.displayName), to: &writer)
    }
  }

  /// The modules of the types whose schemas are named by those in `node`.
  func modulesMentioned(in node: SchemaNode) throws(GeneratorError) -> Set<String> {
    var modules: Set<String> = []
    for node in try declarations(in: node) {
      for id in node.mentions where !isLoose(id, for: node) {
        if let owner = names.file(of: id), let module = options.importedModule(ofFile: owner, in: schema) {
          modules.insert(module)
        }
      }
    }
    return modules
  }

  private func emitEmbeddedSchema(
    _ head: String, of node: SchemaNode, to writer: inout SourceWriter
  ) throws(GeneratorError) {
    let columns = 100
    var dependencies: [String] = []
    for id in node.mentions where schema.nodes[id] != nil { dependencies.append(try dependency(id, of: node)) }
    writer.open("\(head): CapnProto.EmbeddedSchema")
    writer.line("CapnProto.EmbeddedSchema(")
    writer.line("  id: 0x\(hex(node.id)),")
    writer.line("  packedNode: \"\"\"")
    var rest = Substring(node.packed)
    while !rest.isEmpty {
      let line = rest.prefix(columns)
      rest = rest.dropFirst(columns)
      writer.line("    \(line)" + (rest.isEmpty ? "" : "\\"))
    }
    if dependencies.isEmpty {
      writer.line("    \"\"\")")
    } else {
      writer.line("    \"\"\",")
      writer.line("  dependencies: {")
      writer.line("    [")
      for dependency in dependencies { writer.line("      \(dependency),") }
      writer.line("    ]")
      writer.line("  })")
    }
    writer.close()
  }

  private func dependency(_ id: UInt64, of node: SchemaNode) throws(GeneratorError) -> String {
    if isLoose(id, for: node) { return looseName(of: id) }
    if case .file = try self.node(id, for: node.displayName).kind { return fileName(of: id) + ".embeddedSchema" }
    return try reference(to: id, TypeArguments(), from: node) + ".embeddedSchema"
  }

  /// Whether no generated type holds the schema of `id`: a constant, or what stands in a file for which no code is known
  /// to be generated. Only of structs and enums that are fields' types it is known that there must be some.
  private func isLoose(_ id: UInt64, for node: SchemaNode) -> Bool {
    guard let mentioned = schema.nodes[id], let file = names.file(of: id) else { return true }
    if schema.requestedFiles.contains(where: { $0.id == file }) { return !mentioned.isType }
    if options.importedModule(ofFile: file, in: schema) != nil { return !mentioned.isType }
    guard let own = names.file(of: node.id), schema.requestedFiles.contains(where: { $0.id == own }) else {
      return true
    }
    return !directlyUsedTypes(in: node).contains(id)
  }

  /// The loose schemas that `file` needs, those that loose ones need included, by first mention.
  private func looseSchemas(mentionedIn file: SchemaNode) throws(GeneratorError) -> [UInt64] {
    var loose: [UInt64] = []
    var seen: Set<UInt64> = []
    var pending = try declarations(in: file)
    while !pending.isEmpty {
      let node = pending.removeFirst()
      for id in node.mentions where isLoose(id, for: node) {
        guard let mentioned = schema.nodes[id], seen.insert(id).inserted else { continue }
        loose.append(id)
        pending.append(mentioned)
      }
    }
    return loose
  }

  /// `scope` and all that is declared in it.
  private func declarations(in scope: SchemaNode) throws(GeneratorError) -> [SchemaNode] {
    var result = [scope]
    for child in try children(of: scope) { result += try declarations(in: child) }
    return result
  }

  private func fileName(of id: UInt64) -> String { names.localName(of: id) }
  private func looseName(of id: UInt64) -> String { "embeddedSchema_" + hex(id) }
}
