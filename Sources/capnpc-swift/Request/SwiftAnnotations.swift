import CapnProto
import CapnProtoSchema

/// What the annotations of `/sluice/swift.capnp` say about a declaration.
struct SwiftAnnotations {
  /// `$Swift.name`.
  private(set) var name: String?
  /// `$Swift.module`.
  private(set) var module: String?
  /// `$Swift.access`.
  private(set) var access: Access?

  /// Picks them out of the annotations of `declaration`, which errors name.
  init(_ annotations: ListReader<Annotation.Reader>, of declaration: String) throws {
    for index in annotations.indices {
      let annotation = annotations[index]
      switch annotation.id {
      case 0xc264_0ef1_8b97_d35a:
        name = try Self.identifier(try annotation.value, named: "$Swift.name", of: declaration)
      case 0xb8a1_c95e_3d2f_7064:
        module = try Self.identifier(try annotation.value, named: "$Swift.module", of: declaration)
      case 0xf51b_0d8e_746a_29c3:
        access = try Self.access(try annotation.value, of: declaration)
      default: break
      }
    }
  }

  private static func identifier(_ value: Value.Reader, named name: String, of declaration: String) throws -> String {
    guard case .text(let text) = try value.which else {
      throw GeneratorError(declaration: declaration, reason: "\(name) is not a text")
    }
    // Underscores are what generated names are kept apart by; modules may have them.
    let isModule = name == "$Swift.module"
    let isValid = text.unicodeScalars.enumerated().allSatisfy { index, scalar in
      switch scalar {
      case "a"..."z", "A"..."Z": true
      case "0"..."9": index > 0
      case "_": isModule
      default: false
      }
    }
    guard isValid, !text.isEmpty else {
      let rule = isModule ? "letters, digits and underscores" : "ASCII letters and digits, a letter first"
      throw GeneratorError(
        declaration: declaration, reason: "\(name) is \(Literal.string(text)), which is not a name made of \(rule)")
    }
    return text
  }

  private static func access(_ value: Value.Reader, of declaration: String) throws -> Access {
    guard case .enum(let number) = try value.which, let access = Access(rawValue: number) else {
      throw GeneratorError(declaration: declaration, reason: "$Swift.access has a value that is not known")
    }
    return access
  }
}

extension Schema {
  /// Gives declarations the names that they say; then every name has to be the only one of its kind in its scope.
  mutating func renameTypes() throws(GeneratorError) {
    for (id, node) in nodes {
      var renamed = node
      for (index, nested) in node.nested.enumerated() {
        if let name = nodes[nested.id]?.swiftName { renamed.nested[index].name = name }
      }
      nodes[id] = renamed
    }
    for node in nodes.values.sorted(by: { $0.displayName < $1.displayName }) { try node.checkNames() }
  }
}

extension SchemaNode {
  fileprivate func checkNames() throws(GeneratorError) {
    try checkUnique(nested.map { SwiftName.capitalizingFirst($0.name) }, schemaNames: nested.map(\.schemaName))
    switch kind {
    case .structure(let structure):
      try checkUnique(structure.fields.map(\.name), schemaNames: structure.fields.map(\.schemaName))
    case .enumeration(let enumerants):
      try checkUnique(enumerants.map(\.name), schemaNames: enumerants.map(\.schemaName))
    case .interface(let interface):
      try checkUnique(interface.methods.map(\.name), schemaNames: interface.methods.map(\.schemaName))
    default: break
    }
  }

  /// Throws if two names are the same that were not in the schema.
  private func checkUnique(_ names: [String], schemaNames: [String]) throws(GeneratorError) {
    var owners: [String: Int] = [:]
    for (index, name) in names.enumerated() {
      guard let other = owners.updateValue(index, forKey: name) else { continue }
      let renamed = [index, other].filter { names[$0] != schemaNames[$0] }
      // What the schema itself calls almost the same, the generator keeps apart.
      guard let first = renamed.first(where: { SwiftName.capitalizingFirst(schemaNames[$0]) != names[$0] }) else {
        continue
      }
      let separator = displayName.contains(":") ? "." : ":"
      throw GeneratorError(
        declaration: displayName + separator + schemaNames[first],
        reason:
          "$Swift.name is \(Literal.string(name)), as \(schemaNames[first == index ? other : index]) is called too")
    }
  }
}
