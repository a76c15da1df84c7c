/// The calls on the runtime that read a slot.
extension Generator {
  /// An expression that reads a slot through `raw`, and whether it throws.
  struct SlotRead {
    var expression: String
    var isThrowing: Bool
  }

  /// `, field: "Cache.parts"`: the argument by which errors name a field.
  func fieldArgument(_ field: SchemaField, in node: SchemaNode) -> String {
    let type = node.displayName.split(separator: ":").last ?? ""
    return ", field: " + Literal.string("\(type).\(field.schemaName)")
  }

  /// How a reader's property reads its slot.
  func read(_ slot: SchemaField.Slot, of field: SchemaField, in node: SchemaNode) throws(GeneratorError) -> SlotRead {
    let place = "at: \(slot.offset)"
    let name = fieldArgument(field, in: node)
    switch slot.type {
    case .void:
      return SlotRead(expression: "()", isThrowing: false)
    case .text:
      let value = textDefault(slot).map { ", default: \($0)" } ?? ""
      return SlotRead(expression: "raw.text(\(place)\(value)\(name))", isThrowing: true)
    case .data:
      return SlotRead(expression: "raw.data(\(place)\(storedDefault(slot, field, in: node))\(name))", isThrowing: true)
    case .list:
      return SlotRead(expression: "raw.list(\(place)\(storedDefault(slot, field, in: node))\(name))", isThrowing: true)
    case .structure:
      let type = try text(of: slot.type, .reader, in: node)
      let value = storedDefault(slot, field, in: node)
      return SlotRead(expression: "\(type)(raw.structure(\(place)\(value)\(name)))", isThrowing: true)
    case .interface, .anyPointer:
      return SlotRead(expression: "raw.pointer(\(place)\(storedDefault(slot, field, in: node)))", isThrowing: false)
    case .parameter(let owner, let index):
      let parameter = try parameter(index, of: owner, in: node)
      return SlotRead(expression: "raw.value(\(parameter).self, \(place)\(name))", isThrowing: true)
    default:
      return SlotRead(expression: try loadScalar(slot, in: node), isThrowing: false)
    }
  }

  /// How a builder's property looks at its slot. A struct that is not there is created.
  func view(_ slot: SchemaField.Slot, of field: SchemaField, in node: SchemaNode) throws(GeneratorError) -> String {
    let place = "at: \(slot.offset)"
    let value = storedDefault(slot, field, in: node)
    let name = fieldArgument(field, in: node)
    switch slot.type {
    case .void: return "()"
    case .text: return "raw.text(\(place)\(textDefault(slot).map { ", default: \($0)" } ?? "")\(name))"
    case .data: return "raw.data(\(place)\(value)\(name))"
    case .list: return "raw.list(\(place)\(value)\(name))"
    case .structure:
      let type = try text(of: slot.type, .builder, in: node)
      return "\(type)(raw.structure(\(place), size: \(type).size\(value)\(name)))"
    case .interface, .anyPointer: return "raw.pointer(\(place)\(value))"
    case .parameter(let owner, let index):
      return "\(try parameter(index, of: owner, in: node)).edit(raw.pointer(\(place)))"
    default: return try loadScalar(slot, in: node)
    }
  }

  /// An expression that loads a scalar or enum, from a reader or a builder alike.
  func loadScalar(_ slot: SchemaField.Slot, in node: SchemaNode) throws(GeneratorError) -> String {
    let value = try scalarDefault(slot, in: node).map { ", default: \($0)" } ?? ""
    switch slot.type {
    case .bool:
      return "raw.loadBool(atBit: \(slot.offset)\(value))"
    default:
      return "raw.load(\(try text(of: slot.type, .reader, in: node)).self, at: \(slot.offset)\(value))"
    }
  }

  /// A statement that stores `value` into a scalar or enum slot.
  func storeScalar(_ value: String, _ slot: SchemaField.Slot, in node: SchemaNode) throws(GeneratorError) -> String {
    let normal = try scalarDefault(slot, in: node).map { ", default: \($0)" } ?? ""
    switch slot.type {
    case .bool: return "raw.storeBool(\(value), atBit: \(slot.offset)\(normal))"
    default: return "raw.store(\(value), at: \(slot.offset)\(normal))"
    }
  }

  /// `, default: Defaults.name` for a slot with a stored default.
  func storedDefault(_ slot: SchemaField.Slot, _ field: SchemaField, in node: SchemaNode) -> String {
    guard slot.storedDefault != nil else { return "" }
    return ", default: \(defaultsName(of: node)).\(SwiftName.property(field.name))"
  }

  /// The namespace of a struct's stored defaults: in the struct, unless that is generic.
  func defaultsName(of node: SchemaNode) -> String {
    names.isGeneric(node.id) ? names.hoistedName("Defaults", of: node.id) : "_Defaults"
  }

  /// The literal of a text field's default, unless it is empty.
  func textDefault(_ slot: SchemaField.Slot) -> String? {
    if case .text(let text) = slot.defaultValue, !text.isEmpty { Literal.string(text) } else { nil }
  }

  /// The literal of a scalar's default, unless it is zero: zero bits need no exclusive or.
  private func scalarDefault(_ slot: SchemaField.Slot, in node: SchemaNode) throws(GeneratorError) -> String? {
    switch slot.defaultValue {
    case .void: nil
    case .bool(let value): value ? "true" : nil
    case .integer(let digits): digits == "0" ? nil : digits
    case .float32(let bits): bits == 0 ? nil : Literal.float(bits: bits)
    case .float64(let bits): bits == 0 ? nil : Literal.double(bits: bits)
    case .enumerant(let value): value == 0 ? nil : try enumerant(value, of: slot.type, in: node)
    case .text, .data, .pointer:
      throw GeneratorError(declaration: node.displayName, reason: "a scalar field has a pointer as its default")
    }
  }

  /// The case of an enum with this value: by name where it has one.
  func enumerant(_ value: UInt16, of type: FieldType, in scope: SchemaNode) throws(GeneratorError) -> String {
    guard case .enumeration(let id, _) = type,
      case .enumeration(let enumerants) = try node(id, for: scope.displayName).kind
    else {
      throw GeneratorError(
        declaration: scope.displayName, reason: "an enum value is given for a type that is not an enum")
    }
    let index = Int(value)
    return index < enumerants.count ? "." + SwiftName.enumCase(enumerants[index].name) : ".unknown(\(value))"
  }
}
