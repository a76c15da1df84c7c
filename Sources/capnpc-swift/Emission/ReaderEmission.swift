extension Generator {
  /// Emits `struct Reader`.
  func emitReader(
    of structure: StructLayout, members: MemberNames, node: SchemaNode, to writer: inout SourceWriter
  ) throws(GeneratorError) {
    writer.line("/// Reads `\(names.localName(of: node.id))` in place. It lives no longer than its message.")
    try writer.block("public struct Reader: CapnProto.StructReader, ~Escapable") { writer throws(GeneratorError) in
      writer.line("public let raw: CapnProto.RawStructReader")
      writer.line()
      writer.line("@_lifetime(copy raw)")
      writer.line("@inlinable public init(_ raw: CapnProto.RawStructReader) { self.raw = raw }")
      for field in structure.fieldsInSourceOrder {
        do throws(GeneratorError) {
          try emitReaderMembers(for: field, of: structure, members: members, node: node, to: &writer)
        } catch {
          // The reader is the first to look at a field, so it is what names it.
          throw error.declaration == node.displayName ? error.naming(field) : error
        }
      }
      if structure.discriminantCount > 0 {
        try emitWhich(of: structure, .reader, node: node, to: &writer)
      }
    }
  }

  private func emitReaderMembers(
    for field: SchemaField, of structure: StructLayout, members: MemberNames, node: SchemaNode,
    to writer: inout SourceWriter
  ) throws(GeneratorError) {
    let isMember = field.discriminant != nil
    let read: SlotRead
    let type: String
    let isView: Bool
    switch field.kind {
    case .group(let id):
      type = try ownReference(to: id, from: node) + ".Reader"
      read = SlotRead(expression: "\(type)(raw)", isThrowing: false)
      isView = true
    case .slot(let slot):
      if isMember, slot.type == .void { return }
      type = try text(of: slot.type, .reader, in: node)
      read = try self.read(slot, of: field, in: node)
      isView = slot.type.isView
    }
    writer.line()
    writer.documentation(field.documentation)
    // A switch over it then needs no value of the enum.
    if case .slot(let slot) = field.kind, case .enumeration = slot.type { writer.line("@inline(__always)") }
    let expression = (read.isThrowing ? "try " : "") + read.expression
    let check = memberCheck(field, of: structure, in: node)
    emitProperty(
      members.property(field), type: type, isView: isView, isThrowing: read.isThrowing || isMember,
      statements: check.map { [$0, "return \(expression)"] } ?? [expression], to: &writer)
    if case .slot(let slot) = field.kind, slot.type.isPointer {
      writer.line()
      emitHasProperty(slot, of: field, in: structure, members: members, to: &writer)
    }
  }

  /// Emits `hasName`, for readers and builders.
  func emitHasProperty(
    _ slot: SchemaField.Slot, of field: SchemaField, in structure: StructLayout, members: MemberNames,
    to writer: inout SourceWriter
  ) {
    let present = "raw.hasPointer(at: \(slot.offset))"
    let condition = field.discriminant.map { "\(discriminant(of: structure)) == \($0) && \(present)" } ?? present
    writer.line("/// Whether `\(field.name)` is set.")
    emitProperty(
      members.derived("has", field), type: names.standard("Bool"), isView: false, isThrowing: false,
      statements: [condition], to: &writer)
  }

  /// Emits a computed property, on one line where it fits.
  func emitProperty(
    _ name: String, type: String, isView: Bool, isThrowing: Bool, statements: [String], to writer: inout SourceWriter
  ) {
    let head = "@inlinable public var \(name): \(type)"
    let needsGet = isView || isThrowing
    let get = (isView ? "@_lifetime(copy self) " : "") + "get" + (isThrowing ? " throws(\(errorType))" : "")
    if statements.count == 1 {
      let getter = needsGet ? "\(get) { \(statements[0]) }" : statements[0]
      if head.count + getter.count < 100 {
        writer.line("\(head) { \(getter) }")
        return
      }
      if getter.count < 110 {
        writer.open(head)
        writer.line(getter)
        writer.close()
        return
      }
    }
    writer.open(head)
    if needsGet { writer.open(get) }
    for statement in statements { writer.line(statement) }
    if needsGet { writer.close() }
    writer.close()
  }

  /// A statement that throws unless `field` is the member of its union that is set; nil outside of unions.
  private func memberCheck(_ field: SchemaField, of structure: StructLayout, in node: SchemaNode) -> String? {
    field.discriminant.map { value in
      "try raw.expectMember(\(value), at: \(structure.discriminantOffset)\(fieldArgument(field, in: node)))"
    }
  }

  /// The expression that loads which member of the union is set.
  func discriminant(of structure: StructLayout) -> String {
    "raw.load(\(names.standard("UInt16")).self, at: \(structure.discriminantOffset))"
  }

  /// The error type of accessors. It needs no qualification, for `SwiftName` gives no type that name.
  var errorType: String { "CapnProtoError" }
}
