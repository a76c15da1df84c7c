extension Generator {
  /// Emits `struct Builder`.
  func emitBuilder(
    of structure: StructLayout, members: MemberNames, node: SchemaNode, to writer: inout SourceWriter
  ) throws(GeneratorError) {
    writer.line("/// Writes `\(names.localName(of: node.id))`. It lives no longer than its message.")
    try writer.block("public struct Builder: CapnProto.StructBuilder, ~Escapable") { writer throws(GeneratorError) in
      emitSize(of: structure, to: &writer)
      writer.line()
      writer.line("public let raw: CapnProto.RawStructBuilder")
      writer.line()
      writer.line("@_lifetime(copy raw)")
      writer.line("@inlinable public init(_ raw: CapnProto.RawStructBuilder) { self.raw = raw }")
      writer.line()
      writer.line("/// What was written so far, for reading.")
      writer.line("@inlinable public var asReader: Reader { @_lifetime(copy self) get { Reader(raw.asReader) } }")
      for field in structure.fieldsInSourceOrder {
        let place = BuilderPlace(structure: structure, field: field, members: members, node: node)
        switch field.kind {
        case .group(let id): try emitGroup(id, at: place, to: &writer)
        case .slot(let slot): try emitSlot(slot, at: place, to: &writer)
        }
      }
      if structure.discriminantCount > 0 {
        try emitWhich(of: structure, .builder, node: node, to: &writer)
      }
    }
  }

  /// The field that accessors are being written for.
  private struct BuilderPlace {
    var structure: StructLayout
    var field: SchemaField
    var members: MemberNames
    var node: SchemaNode
  }

  private func emitSlot(
    _ slot: SchemaField.Slot, at place: BuilderPlace, to writer: inout SourceWriter
  ) throws(GeneratorError) {
    switch slot.type {
    case .void: emitVoid(at: place, to: &writer)
    case .text: try emitText(slot, at: place, to: &writer)
    case .data: try emitData(slot, at: place, to: &writer)
    case .list: try emitList(slot, at: place, to: &writer)
    case .structure: try emitStruct(slot, at: place, to: &writer)
    case .interface, .anyPointer: try emitPointer(slot, at: place, to: &writer)
    case .parameter(let owner, let index):
      try emitParameter(slot, try parameter(index, of: owner, in: place.node), at: place, to: &writer)
    default: try emitScalar(slot, at: place, to: &writer)
    }
    if slot.type.isPointer {
      try emitMoves(slot, at: place, to: &writer)
      emitHas(slot, at: place, to: &writer)
    }
  }

  /// A void field has nothing to write, but as a member of a union it can be chosen.
  private func emitVoid(at place: BuilderPlace, to writer: inout SourceWriter) {
    emitHead(place, to: &writer)
    guard let choose = choose(place) else {
      let void = names.standard("Void")
      writer.open("@inlinable public var \(place.members.property(place.field)): \(void)")
      writer.line("get { () }")
      writer.line("nonmutating set {}")
      writer.close()
      return
    }
    writer.line("@inlinable public func \(place.members.derived("set", place.field))() { \(choose) }")
  }

  private func emitScalar(
    _ slot: SchemaField.Slot, at place: BuilderPlace, to writer: inout SourceWriter
  ) throws(GeneratorError) {
    emitHead(place, to: &writer)
    emitVariable(
      place, type: try text(of: slot.type, .builder, in: place.node), getter: try view(slot, place),
      setter: try storeScalar("newValue", slot, in: place.node), to: &writer)
  }

  private func emitText(
    _ slot: SchemaField.Slot, at place: BuilderPlace, to writer: inout SourceWriter
  ) throws(GeneratorError) {
    emitHead(place, to: &writer)
    emitVariable(
      place, type: names.standard("String"), getter: try view(slot, place),
      setter: "raw.setText(newValue, at: \(slot.offset)\(named(place)))", to: &writer)
    let set = place.members.derived("set", place.field)
    for type in ["some \(names.standard("StringProtocol"))", "borrowing \(names.standard("UTF8Span"))"] {
      writer.line()
      writer.line("/// Sets `\(place.field.name)` to a copy of `text`.")
      emitFunction(
        "\(set)(_ text: \(type))", place, ["raw.setText(text, at: \(slot.offset)\(named(place)))"], to: &writer)
    }
    writer.line()
    writer.line(
      "/// Sets `\(place.field.name)` to what `fill` writes, at most `byteCount` bytes of UTF-8. They are not zeroed first."
    )
    emitFill("initText", slot, at: place, to: &writer)
  }

  /// Emits `initName(byteCount:fill:)`.
  private func emitFill(
    _ function: String, _ slot: SchemaField.Slot, at place: BuilderPlace, to writer: inout SourceWriter
  ) {
    emitFunction(
      "\(place.members.derived("init", place.field))<Failure_: \(names.standard("Error"))>"
        + "(byteCount: \(names.standard("Int")), "
        + "fill: (inout \(names.standard("OutputRawSpan"))) throws(Failure_) -> \(names.standard("Void"))) throws(Failure_)",
      place, ["try raw.\(function)(at: \(slot.offset), byteCount: byteCount\(named(place)), fill: fill)"], to: &writer)
  }

  private func emitData(
    _ slot: SchemaField.Slot, at place: BuilderPlace, to writer: inout SourceWriter
  ) throws(GeneratorError) {
    let field = place.field
    let set = place.members.derived("set", field)
    let new = place.members.derived("init", field)
    let bytes = "[\(names.standard("UInt8"))]"
    emitHead(place, to: &writer)
    emitView(place, type: names.standard("RawSpan"), try view(slot, place), to: &writer)
    for type in [names.standard("RawSpan"), bytes] {
      writer.line()
      writer.line("/// Sets `\(field.name)` to a copy of `bytes`.")
      emitFunction(
        "\(set)(_ bytes: \(type))", place, ["raw.setData(bytes, at: \(slot.offset)\(named(place)))"], to: &writer)
    }
    writer.line()
    writer.line("/// Sets `\(field.name)` to `byteCount` zero bytes, to be written through the result.")
    emitFunction(
      "\(new)(byteCount: \(names.standard("Int"))) -> \(names.standard("MutableRawSpan"))", place,
      ["return raw.initData(at: \(slot.offset), byteCount: byteCount\(named(place)))"], isView: true, to: &writer)
    writer.line()
    writer.line("/// Sets `\(field.name)` to what `fill` writes, at most `byteCount` bytes. They are not zeroed first.")
    emitFill("initData", slot, at: place, to: &writer)
  }

  private func emitList(
    _ slot: SchemaField.Slot, at place: BuilderPlace, to writer: inout SourceWriter
  ) throws(GeneratorError) {
    let type = try text(of: slot.type, .builder, in: place.node)
    emitHead(place, to: &writer)
    emitView(place, type: type, try view(slot, place), to: &writer)
    writer.line()
    writer.line("/// Sets `\(place.field.name)` to a new list of `count` elements, all zero or empty.")
    emitFunction(
      "\(place.members.derived("init", place.field))(_ count: \(names.standard("Int"))) -> \(type)", place,
      ["return raw.initList(at: \(slot.offset), count: count\(named(place)))"], isView: true, to: &writer)
    try emitCopyingSetter(
      slot, at: place, what: "list", ["raw.setList(value, at: \(slot.offset)\(named(place)))"], to: &writer)
  }

  /// A method that sets the field to a deep copy.
  private func emitCopyingSetter(
    _ slot: SchemaField.Slot, at place: BuilderPlace, what: String, _ statements: [String],
    to writer: inout SourceWriter
  ) throws(GeneratorError) {
    writer.line()
    writer.line("/// Sets `\(place.field.name)` to a copy of a \(what), with all that it refers to.")
    let type = try text(of: slot.type, .reader, in: place.node)
    emitFunction(
      "\(place.members.derived("set", place.field))(_ value: \(type))", place, statements, to: &writer)
  }

  /// The argument by which errors name the field.
  private func named(_ place: BuilderPlace) -> String { fieldArgument(place.field, in: place.node) }

  /// The expression with which a builder's property looks at its slot.
  private func view(_ slot: SchemaField.Slot, _ place: BuilderPlace) throws(GeneratorError) -> String {
    try view(slot, of: place.field, in: place.node)
  }

  private func emitStruct(
    _ slot: SchemaField.Slot, at place: BuilderPlace, to writer: inout SourceWriter
  ) throws(GeneratorError) {
    let type = try text(of: slot.type, .builder, in: place.node)
    emitHead(place, to: &writer)
    emitView(place, type: type, try view(slot, place), to: &writer)
    writer.line()
    writer.line("/// Sets `\(place.field.name)` to a new struct with every field at its default.")
    emitFunction(
      "\(place.members.derived("init", place.field))() -> \(type)", place,
      ["return \(type)(raw.initStructure(at: \(slot.offset), size: \(type).size\(named(place))))"], isView: true,
      to: &writer)
    try emitCopyingSetter(
      slot, at: place, what: "struct", ["raw.setStructure(value.raw, at: \(slot.offset)\(named(place)))"], to: &writer)
  }

  private func emitPointer(
    _ slot: SchemaField.Slot, at place: BuilderPlace, to writer: inout SourceWriter
  ) throws(GeneratorError) {
    let type = try text(of: slot.type, .builder, in: place.node)
    let get = try view(slot, place)
    emitHead(place, to: &writer)
    emitView(place, type: type, get, to: &writer)
    if place.field.discriminant != nil {
      writer.line()
      writer.line("/// Makes `\(place.field.name)`, a null pointer at first, the member of the union that is set.")
      emitFunction(
        "\(place.members.derived("init", place.field))() -> \(type)", place,
        ["raw.clearPointer(at: \(slot.offset))", "return \(get)"], isView: true, to: &writer)
    }
    try emitCopyingSetter(
      slot, at: place, what: "value", ["raw.pointer(at: \(slot.offset)).set(value)"], to: &writer)
  }

  private func emitParameter(
    _ slot: SchemaField.Slot, _ parameter: String, at place: BuilderPlace, to writer: inout SourceWriter
  ) throws(GeneratorError) {
    let new = place.members.derived("init", place.field)
    let pointer = "raw.pointer(at: \(slot.offset))"
    emitHead(place, to: &writer)
    emitView(place, type: "\(parameter).Builder", try view(slot, place), to: &writer)
    writer.line()
    let name = place.field.name
    writer.line("/// Sets `\(name)` to a new value: an empty one, or a struct with every field at its default.")
    emitFunction(
      "\(new)() -> \(parameter).Builder", place,
      ["raw.clearPointer(at: \(slot.offset))", "return \(parameter).edit(\(pointer))"], isView: true, to: &writer)
    writer.line()
    writer.line("/// Sets `\(place.field.name)` to a new list of `count` elements, all zero or empty.")
    emitFunction(
      "\(new)<Element_: CapnProto.ElementSchema>(_ count: \(names.standard("Int"))) "
        + "-> CapnProto.ListBuilder<Element_.Builder> where \(parameter) == CapnProto.ListSchema<Element_>",
      place, ["return raw.initList(at: \(slot.offset), count: count\(named(place)))"], isView: true, to: &writer)
    try emitCopyingSetter(
      slot, at: place, what: "value", ["\(parameter).assign(value, to: \(pointer))"], to: &writer)
  }

  private func emitGroup(
    _ id: UInt64, at place: BuilderPlace, to writer: inout SourceWriter
  ) throws(GeneratorError) {
    let type = try ownReference(to: id, from: place.node) + ".Builder"
    emitHead(place, to: &writer)
    emitView(place, type: type, "\(type)(raw)", to: &writer)
    writer.line()
    writer.line("/// Sets every field of `\(place.field.name)` to its default.")
    emitFunction(
      "\(place.members.derived("init", place.field))() -> \(type)", place,
      try clearing(id, in: place.node) + ["return \(type)(raw)"], isView: true, to: &writer)
  }

  private func emitHas(_ slot: SchemaField.Slot, at place: BuilderPlace, to writer: inout SourceWriter) {
    writer.line()
    emitHasProperty(slot, of: place.field, in: place.structure, members: place.members, to: &writer)
  }

  /// Emits the methods that move what a pointer leads to, or change how long it is.
  private func emitMoves(
    _ slot: SchemaField.Slot, at place: BuilderPlace, to writer: inout SourceWriter
  ) throws(GeneratorError) {
    let name = place.field.name
    let orphan = "CapnProto.Orphan<\(try text(of: slot.type, .builder, in: place.node))>"
    writer.line()
    writer.line("/// Takes `\(name)` out of the struct, where it is null then.")
    emitFunction(
      "\(place.members.derived("disown", place.field))() -> \(orphan)", place,
      ["return raw.disown(at: \(slot.offset))"], isView: true, isChoosing: false, to: &writer)
    writer.line()
    writer.line("/// Sets `\(name)` to an object of this message that no other pointer leads to.")
    emitFunction(
      "\(place.members.derived("adopt", place.field))(_ orphan: consuming \(orphan))", place,
      ["raw.adopt(orphan, at: \(slot.offset))"], to: &writer)
    let call: String
    let label: String
    switch slot.type {
    case .text: (label, call) = ("toByteCount byteCount", "resizeText(at: \(slot.offset), toByteCount: byteCount")
    case .data: (label, call) = ("toByteCount byteCount", "resizeData(at: \(slot.offset), toByteCount: byteCount")
    case .list(let element):
      let type = try text(of: element, .builder, in: place.node, isElement: true)
      (label, call) = ("to count", "resizeList(at: \(slot.offset), of: \(type).self, to: count")
    default: return
    }
    writer.line()
    writer.line("/// Cuts `\(name)` off, or appends zeros; in place, where there is room.")
    emitFunction(
      "\(place.members.derived("resize", place.field))(\(label): \(names.standard("Int")))", place,
      ["raw.\(call)\(named(place)))"], isChoosing: false, to: &writer)
  }

  // MARK: - Shapes of declarations

  private func emitHead(_ place: BuilderPlace, to writer: inout SourceWriter) {
    writer.line()
    writer.documentation(place.field.documentation)
  }

  /// A statement that makes the field the member of its union that is set; nil outside of unions.
  private func choose(_ place: BuilderPlace) -> String? {
    place.field.discriminant.map { value in
      "raw.store(\(names.standard("UInt16"))(\(value)), at: \(place.structure.discriminantOffset))"
    }
  }

  /// A statement that makes `raw` a struct that drops writes if another member of the union is set (that is recorded as
  /// the message's failure); nil outside of unions.
  private func selectMember(_ place: BuilderPlace) -> String? {
    place.field.discriminant.map { value in
      let arguments = "\(value), at: \(place.structure.discriminantOffset)\(named(place))"
      return "let raw = self.raw.expectMember(\(arguments)) ? self.raw : self.raw.dropped()"
    }
  }

  /// A property with a setter.
  private func emitVariable(
    _ place: BuilderPlace, type: String, getter: String, setter: String, to writer: inout SourceWriter
  ) {
    writer.open("@inlinable public var \(place.members.property(place.field)): \(type)")
    if let select = selectMember(place), let choose = choose(place) {
      writer.open("get")
      writer.line(select)
      writer.line("return \(getter)")
      writer.close()
      writer.open("nonmutating set")
      writer.line(choose)
      writer.line(setter)
      writer.close()
    } else {
      writer.line("get { \(getter) }")
      writer.line("nonmutating set { \(setter) }")
    }
    writer.close()
  }

  /// A property that is a view of what stands in the field.
  private func emitView(_ place: BuilderPlace, type: String, _ getter: String, to writer: inout SourceWriter) {
    emitProperty(
      place.members.property(place.field), type: type, isView: true, isThrowing: false,
      statements: selectMember(place).map { [$0, "return \(getter)"] } ?? [getter], to: &writer)
  }

  /// A method that, where the field is the member of a union, first chooses it, or else requires that it is the one set.
  private func emitFunction(
    _ signature: String, _ place: BuilderPlace, _ statements: [String], isView: Bool = false, isChoosing: Bool = true,
    to writer: inout SourceWriter
  ) {
    let statements = [isChoosing ? choose(place) : selectMember(place)].compactMap(\.self) + statements
    if isView { writer.line("@_lifetime(copy self)") }
    writer.body("@inlinable public func \(signature)", statements)
  }

  // MARK: - Clearing groups

  /// Statements that set every field of a group to its default, groups and unions inside included.
  private func clearing(_ id: UInt64, in scope: SchemaNode) throws(GeneratorError) -> [String] {
    let node = try self.node(id, in: scope)
    guard case .structure(let structure) = node.kind else { return [] }
    var statements: [String] = []
    if structure.discriminantCount > 0 {
      statements.append("raw.store(\(names.standard("UInt16"))(0), at: \(structure.discriminantOffset))")
    }
    for field in structure.fields {
      switch field.kind {
      case .group(let inner): statements += try clearing(inner, in: node)
      case .slot(let slot): statements += try clearing(slot, in: node)
      }
    }
    var seen: Set<String> = []
    return statements.filter { seen.insert($0).inserted }
  }

  private func clearing(_ slot: SchemaField.Slot, in node: SchemaNode) throws(GeneratorError) -> [String] {
    switch slot.type {
    case .void: []
    case .bool: ["raw.storeBool(false, atBit: \(slot.offset))"]
    case .enumeration: ["raw.store(\(names.standard("UInt16"))(0), at: \(slot.offset))"]
    case _ where slot.type.isPointer: ["raw.clearPointer(at: \(slot.offset))"]
    default: ["raw.store(\(try text(of: slot.type, .builder, in: node))(0), at: \(slot.offset))"]
    }
  }
}
