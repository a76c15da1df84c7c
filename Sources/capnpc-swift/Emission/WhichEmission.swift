/// The enum that tells which member of a union is set.
extension Generator {
  /// A member of the union, as lines of code.
  private struct Member {
    var name: String
    var value: UInt16
    var documentation: String
    /// Nil for a void member.
    var payload: (type: String, expression: String)?
  }

  /// Emits `enum Which` and the property `which`, for one of the two faces.
  func emitWhich(
    of structure: StructLayout, _ face: Face, node: SchemaNode, to writer: inout SourceWriter
  ) throws(GeneratorError) {
    var members: [Member] = []
    for field in structure.unionMembers {
      members.append(
        Member(
          name: SwiftName.enumCase(field.name), value: field.discriminant ?? 0, documentation: field.documentation,
          payload: try payload(of: field, face, in: node)))
    }
    writer.line()
    writer.line(face == .reader ? "/// The members of the union." : "/// The members of the union, for writing.")
    try writer.block("public enum Which: ~Escapable") { writer throws(GeneratorError) in
      for member in members {
        writer.documentation(member.documentation)
        writer.line("case \(member.name)" + (member.payload.map { "(\($0.type))" } ?? ""))
      }
      writer.line("/// A member that this schema has no name for.")
      writer.line("case unknown(\(names.standard("UInt16")))")
    }
    writer.line()
    writer.line("/// The member of the union that is set.")
    // A switch over it then needs no value of the enum.
    if face == .reader { writer.line("@inline(__always)") }
    try writer.block("@inlinable public var which: Which") { writer throws(GeneratorError) in
      let get = "@_lifetime(copy self) get" + (face == .reader ? " throws(\(errorType))" : "")
      try writer.block(get) { writer throws(GeneratorError) in
        writer.line("switch \(discriminant(of: structure)) {")
        for member in members {
          let result = ".\(member.name)" + (member.payload.map { "(\($0.expression))" } ?? "")
          writer.line("case \(member.value): return \(result)")
        }
        writer.line("case let other: return .unknown(other)")
        writer.line("}")
      }
    }
  }

  private func payload(
    of field: SchemaField, _ face: Face, in node: SchemaNode
  ) throws(GeneratorError) -> (type: String, expression: String)? {
    switch field.kind {
    case .group(let id):
      let type = try ownReference(to: id, from: node) + "." + face.rawValue
      return (type, "\(type)(raw)")
    case .slot(let slot) where slot.type == .void:
      return nil
    case .slot(let slot):
      let type = try text(of: slot.type, face, in: node)
      switch face {
      case .builder: return (type, try view(slot, of: field, in: node))
      case .reader:
        let read = try self.read(slot, of: field, in: node)
        return (type, (read.isThrowing ? "try " : "") + read.expression)
      }
    }
  }
}
