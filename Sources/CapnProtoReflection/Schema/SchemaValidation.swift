import CapnProto

/// Checks declarations that may come from anywhere, so that what reads with them need not: after it, every reference
/// leads to a declaration of the right kind, and every offset into the right section.
///
/// What a declaration stands in, and the annotations that it uses, may be missing.
struct SchemaValidation {
  let nodes: [UInt64: StoredNode]

  func check() throws(SchemaError) {
    // In the order of ids, so that of several mistakes the same one is found each time.
    let ordered = nodes.values.sorted { $0.id < $1.id }
    for node in ordered {
      guard case .unknown(let number) = node.body else { continue }
      throw SchemaError(.unsupported(what: "declaration kind", number: number), declaration: node.label)
    }
    for node in ordered { try check(node) }
    try checkGroups(ordered)
  }

  private func check(_ node: StoredNode) throws(SchemaError) {
    guard node.displayNamePrefixLength <= node.displayName.utf8.count else {
      throw SchemaError(.invalidDisplayName, declaration: node.label)
    }
    switch node.body {
    case .file: break
    case .structure(let structure): try check(structure, of: node)
    case .enumeration(let members): try checkNames(members.map { ($0.name, $0.codeOrder) }, node)
    case .interface(let interface): try check(interface, of: node)
    case .constant(let type, let value):
      try check(type, Place(node, nil))
      guard value.matches(type) else { throw SchemaError(.valueMismatch, declaration: node.label) }
    case .annotation(let type, _): try check(type, Place(node, nil))
    case .unknown: break
    }
  }

  // MARK: Members

  /// Where something is wrong.
  private struct Place {
    let node: StoredNode
    let member: String?

    init(_ node: StoredNode, _ member: String?) {
      self.node = node
      self.member = member
    }

    func error(_ kind: SchemaError.Kind) -> SchemaError {
      SchemaError(kind, declaration: node.label, member: member)
    }
  }

  private func checkNames(_ members: [(name: String, order: Int)], _ node: StoredNode) throws(SchemaError) {
    var names: Set<String> = []
    var orders = [Bool](repeating: false, count: members.count)
    for (name, order) in members {
      let place = Place(node, name)
      guard names.insert(name).inserted else { throw place.error(.duplicateName) }
      guard order < orders.count, !orders[order] else { throw place.error(.invalidCodeOrder(order)) }
      orders[order] = true
    }
  }

  private func check(_ structure: StoredStruct, of node: StoredNode) throws(SchemaError) {
    try checkNames(structure.fields.map { ($0.name, $0.codeOrder) }, node)
    let dataBits = Int(structure.size.dataWords) * 64
    let count = structure.discriminantCount
    guard count != 1, count <= structure.fields.count,
      count == 0 || (structure.discriminantOffset + 1) * 16 <= dataBits,
      structure.indexByDiscriminant.count == count, structure.indexByDiscriminant.keys.allSatisfy({ $0 < count }),
      structure.fields.count(where: { $0.discriminant != nil }) == count
    else { throw SchemaError(.invalidUnion, declaration: node.label) }
    for field in structure.fields {
      let place = Place(node, field.name)
      switch field.content {
      case .slot(let slot): try check(slot, of: structure, place)
      case .group(let id): _ = try find(id, .group, place)
      case .unknown(let number): throw place.error(.unsupported(what: "field kind", number: number))
      }
    }
  }

  private func check(_ slot: StoredSlot, of structure: StoredStruct, _ place: Place) throws(SchemaError) {
    try check(slot.type, place)
    let fits =
      if let bits = slot.type.dataBits {
        // An offset is of 32 bits, so that this does not overflow.
        bits == 0 || (slot.offset + 1) * bits <= Int(structure.size.dataWords) * 64
      } else {
        slot.offset < Int(structure.size.pointers)
      }
    guard fits else { throw place.error(.outsideOfSection(offset: slot.offset, size: structure.size)) }
    guard slot.defaultValue.matches(slot.type) else { throw place.error(.valueMismatch) }
  }

  private func check(_ interface: StoredInterface, of node: StoredNode) throws(SchemaError) {
    try checkNames(interface.methods.map { ($0.member.name, $0.member.codeOrder) }, node)
    for method in interface.methods {
      let place = Place(node, method.member.name)
      for (id, brand) in [(method.parameterStruct, method.parameterBrand), (method.resultStruct, method.resultBrand)] {
        _ = try find(id, .structure, place)
        try check(brand, place)
      }
    }
    for (id, brand) in interface.superclasses {
      _ = try find(id, .interface, Place(node, nil))
      try check(brand, Place(node, nil))
    }
  }

  // MARK: Types

  private func find(_ id: UInt64, _ kind: SchemaKind, _ place: Place) throws(SchemaError) -> StoredNode {
    guard let node = nodes[id] else { throw place.error(.unknownDeclaration(id)) }
    guard node.kind == kind else { throw place.error(.wrongKind(id, expected: kind, found: node.kind)) }
    return node
  }

  private func check(_ type: StoredType, _ place: Place) throws(SchemaError) {
    switch type {
    case .list(let element): try check(element, place)
    case .enumeration(let id): _ = try find(id, .enumeration, place)
    case .structure(let id, let brand):
      _ = try find(id, .structure, place)
      try check(brand, place)
    case .interface(let id, let brand):
      _ = try find(id, .interface, place)
      try check(brand, place)
    case .parameter(let scope, let index):
      guard let node = nodes[scope] else { return }
      guard index < node.parameters.count else { throw place.error(.unknownParameter(scope: scope, index: index)) }
    case .unknown(let number): throw place.error(.unsupported(what: "type", number: number))
    default: break
    }
  }

  private func check(_ brand: StoredBrand, _ place: Place) throws(SchemaError) {
    for scope in brand.scopes {
      let bindings = scope.bindings ?? []
      if let node = nodes[scope.id], bindings.count > node.parameters.count {
        throw place.error(.unknownParameter(scope: scope.id, index: bindings.count - 1))
      }
      for (index, binding) in bindings.enumerated() {
        guard let binding else { continue }
        guard binding.dataBits == nil else { throw place.error(.boundToScalar(scope: scope.id, index: index)) }
        try check(binding, place)
      }
    }
  }

  // MARK: Groups

  /// A group is part of the one struct that it is declared in, so that groups form trees whose roots are structs.
  private func checkGroups(_ ordered: [StoredNode]) throws(SchemaError) {
    var owners: Set<UInt64> = []
    for node in ordered {
      guard let structure = node.structure else { continue }
      for case (.group(let id), let name) in structure.fields.map({ ($0.content, $0.name) }) {
        let group = try find(id, .group, Place(node, name))
        guard group.scopeID == node.id, group.structure?.size == structure.size, owners.insert(id).inserted else {
          throw Place(node, name).error(.invalidGroup(id))
        }
      }
    }
    // The scope of a group is the struct or group that it is part of, also where no field leads to it: what walks up the
    // scopes ends.
    for group in ordered where group.kind == .group {
      var (current, level) = (group, 0)
      while current.kind == .group, let scope = nodes[current.scopeID] {
        guard level < Self.maximumGroupNesting else {
          throw SchemaError(.invalidGroup(group.id), declaration: group.label)
        }
        (current, level) = (scope, level + 1)
      }
    }
  }

  /// As many as a message's default limit has levels.
  static let maximumGroupNesting = 64
}

extension StoredNode {
  /// What to call the declaration in an error.
  var label: String { displayName.isEmpty ? "@0x\(String(id, radix: 16))" : displayName }
}

extension StoredType {
  /// The bits of a value in the data section; nil for what stands behind a pointer.
  var dataBits: Int? {
    switch self {
    case .void: 0
    case .bool: 1
    case .int8, .uint8: 8
    case .int16, .uint16, .enumeration: 16
    case .int32, .uint32, .float32: 32
    case .int64, .uint64, .float64: 64
    case .text, .data, .list, .structure, .interface, .anyPointer, .parameter, .methodParameter, .unknown: nil
    }
  }
}

extension StoredValue {
  /// Whether this is a value of `type`, as far as the kind goes: what pointers lead to is found out by who reads it.
  func matches(_ type: StoredType) -> Bool {
    switch (self, type) {
    case (.void, .void), (.bool, .bool), (.text, .text), (.interface, .interface): true
    case (.scalar(let kind, _), _): kind.matches(type)
    case (.pointer(.data, _), .data), (.pointer(.list, _), .list), (.pointer(.structure, _), .structure): true
    case (.pointer(.anyPointer, _), .anyPointer), (.pointer(.anyPointer, _), .parameter): true
    case (.pointer(.anyPointer, _), .methodParameter): true
    default: false
    }
  }
}

extension StoredValue.Scalar {
  fileprivate func matches(_ type: StoredType) -> Bool {
    switch (self, type) {
    case (.int8, .int8), (.int16, .int16), (.int32, .int32), (.int64, .int64): true
    case (.uint8, .uint8), (.uint16, .uint16), (.uint32, .uint32), (.uint64, .uint64): true
    case (.float32, .float32), (.float64, .float64), (.enumeration, .enumeration): true
    default: false
    }
  }
}
