import CapnProto
import CapnProtoSchema

/// Finds the declarations that a node mentions: what an embedded schema leads to.
struct MentionCollector {
  /// Their ids, in the order of first mention.
  private(set) var ids: [UInt64] = []
  private var seen: Set<UInt64>

  /// The declarations that `node` mentions, itself and its scope excluded.
  static func mentions(in node: Node.Reader) throws -> [UInt64] {
    var collector = MentionCollector(seen: [0, node.id, node.scopeId])
    try collector.add(node)
    return collector.ids
  }

  private init(seen: Set<UInt64>) { self.seen = seen }

  private mutating func add(_ id: UInt64) {
    if seen.insert(id).inserted { ids.append(id) }
  }

  private mutating func add(_ node: Node.Reader) throws {
    switch try node.which {
    case .file, .unknown: break
    case .struct(let structure):
      let fields = try structure.fields
      for index in fields.indices { try add(fields[index]) }
    case .enum(let enumeration):
      let enumerants = try enumeration.enumerants
      for index in enumerants.indices { try add(try enumerants[index].annotations) }
    case .interface(let interface):
      let superclasses = try interface.superclasses
      for index in superclasses.indices {
        add(superclasses[index].id)
        try add(try superclasses[index].brand)
      }
      let methods = try interface.methods
      for index in methods.indices { try add(methods[index]) }
    case .const(let constant): try add(try constant.type)
    case .annotation(let annotation): try add(try annotation.type)
    }
    let nested = try node.nestedNodes
    for index in nested.indices { add(nested[index].id) }
    try add(try node.annotations)
  }

  private mutating func add(_ field: Field.Reader) throws {
    switch try field.which {
    case .slot(let slot): try add(try slot.type)
    case .group(let group): add(group.typeId)
    case .unknown: break
    }
    try add(try field.annotations)
  }

  private mutating func add(_ method: Method.Reader) throws {
    add(method.paramStructType)
    try add(try method.paramBrand)
    add(method.resultStructType)
    try add(try method.resultBrand)
    try add(try method.annotations)
  }

  private mutating func add(_ annotations: ListReader<Annotation.Reader>) throws {
    for index in annotations.indices {
      add(annotations[index].id)
      try add(try annotations[index].brand)
    }
  }

  private mutating func add(_ type: Type_.Reader) throws {
    switch try type.which {
    case .list(let list): try add(try list.elementType)
    case .enum(let reference):
      add(reference.typeId)
      try add(try reference.brand)
    case .struct(let reference):
      add(reference.typeId)
      try add(try reference.brand)
    case .interface(let reference):
      add(reference.typeId)
      try add(try reference.brand)
    default: break
    }
  }

  private mutating func add(_ brand: Brand.Reader) throws {
    let scopes = try brand.scopes
    for index in scopes.indices {
      guard case .bind(let bindings) = try scopes[index].which else { continue }
      for index in bindings.indices {
        if case .type(let type) = try bindings[index].which { try add(type) }
      }
    }
  }
}
