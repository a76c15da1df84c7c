extension Schema {
  /// The type of a field, element, constant or annotation.
  public indirect enum ValueType: Sendable {
    /// `Void`.
    case void
    /// `Bool`.
    case bool
    /// `Int8`.
    case int8
    /// `Int16`.
    case int16
    /// `Int32`.
    case int32
    /// `Int64`.
    case int64
    /// `UInt8`.
    case uint8
    /// `UInt16`.
    case uint16
    /// `UInt32`.
    case uint32
    /// `UInt64`.
    case uint64
    /// `Float32`.
    case float32
    /// `Float64`.
    case float64
    /// `Text`.
    case text
    /// `Data`.
    case data
    /// `List(…)`.
    case list(ValueType)
    /// An enum.
    case enumeration(Enum)
    /// A struct or group.
    case structure(Struct)
    /// A capability.
    case interface(Interface)
    /// `AnyPointer`, or a type parameter that is not bound.
    case anyPointer(PointerConstraint)
  }

  /// What the type parameters of a struct and the scopes around it are bound to.
  final class ResolvedBrand: Sendable {
    /// By scope; nil where a parameter is not bound.
    let bindings: [UInt64: [ValueType?]]

    init(_ bindings: [UInt64: [ValueType?]]) { self.bindings = bindings }
  }
}

extension Schema.ValueType: CustomStringConvertible {
  /// The type as the schema language writes it.
  public var description: String {
    switch self {
    case .void: "Void"
    case .bool: "Bool"
    case .int8: "Int8"
    case .int16: "Int16"
    case .int32: "Int32"
    case .int64: "Int64"
    case .uint8: "UInt8"
    case .uint16: "UInt16"
    case .uint32: "UInt32"
    case .uint64: "UInt64"
    case .float32: "Float32"
    case .float64: "Float64"
    case .text: "Text"
    case .data: "Data"
    case .list(let element): "List(\(element))"
    case .enumeration(let enumeration): enumeration.declaration.name
    case .structure(let structure): structure.name
    case .interface(let interface): interface.declaration.name
    case .anyPointer(.none): "AnyPointer"
    case .anyPointer(.structure): "AnyStruct"
    case .anyPointer(.list): "AnyList"
    case .anyPointer(.capability): "Capability"
    }
  }
}

extension SchemaStorage {
  /// The type that `type` is where the parameters are bound as `brand` says. References were checked: they lead somewhere.
  func resolve(_ type: StoredType, in brand: Schema.ResolvedBrand?) -> Schema.ValueType {
    switch type {
    case .void: .void
    case .bool: .bool
    case .int8: .int8
    case .int16: .int16
    case .int32: .int32
    case .int64: .int64
    case .uint8: .uint8
    case .uint16: .uint16
    case .uint32: .uint32
    case .uint64: .uint64
    case .float32: .float32
    case .float64: .float64
    case .text: .text
    case .data: .data
    case .list(let element): .list(resolve(element, in: brand))
    case .enumeration(let id):
      nodes[id].flatMap { Schema.Declaration(storage: self, node: $0).enumeration }.map { .enumeration($0) } ?? .uint16
    case .structure(let id, let stored): structure(id, stored, in: brand).map { .structure($0) } ?? .anyPointer(.none)
    case .interface(let id, let stored):
      interface(id, stored, in: brand).map { .interface($0) } ?? .anyPointer(.capability)
    case .anyPointer(let constraint): .anyPointer(constraint)
    case .parameter(let scope, let index): brand?.binding(scope, index) ?? .anyPointer(.none)
    case .methodParameter, .unknown: .anyPointer(.none)
    }
  }

  /// The type of a field, or the struct that a group is.
  func type(of field: StoredField, in brand: Schema.ResolvedBrand?) -> Schema.ValueType {
    switch field.content {
    case .slot(let slot): resolve(slot.type, in: brand)
    // A group has its struct's parameters.
    case .group(let id): structure(id, brand: brand).map { .structure($0) } ?? .anyPointer(.none)
    case .unknown: .anyPointer(.none)
    }
  }

  func structure(_ id: UInt64, brand: Schema.ResolvedBrand?) -> Schema.Struct? {
    guard let node = nodes[id], let stored = node.structure else { return nil }
    return Schema.Struct(storage: self, node: node, stored: stored, brand: brand)
  }

  func structure(_ id: UInt64, _ stored: StoredBrand, in brand: Schema.ResolvedBrand?) -> Schema.Struct? {
    structure(id, brand: resolve(stored, in: brand))
  }

  func interface(_ id: UInt64, _ stored: StoredBrand, in brand: Schema.ResolvedBrand?) -> Schema.Interface? {
    guard let node = nodes[id], case .interface(let interface) = node.body else { return nil }
    return Schema.Interface(
      declaration: Schema.Declaration(storage: self, node: node), stored: interface, brand: resolve(stored, in: brand))
  }

  private func resolve(_ stored: StoredBrand, in brand: Schema.ResolvedBrand?) -> Schema.ResolvedBrand? {
    if stored.scopes.isEmpty { return nil }
    var bindings: [UInt64: [Schema.ValueType?]] = [:]
    for scope in stored.scopes {
      if let types = scope.bindings {
        bindings[scope.id] = types.map { type in type.map { resolve($0, in: brand) } }
      } else {
        bindings[scope.id] = brand?.bindings[scope.id]
      }
    }
    return Schema.ResolvedBrand(bindings)
  }
}

extension Schema.ResolvedBrand {
  fileprivate func binding(_ scope: UInt64, _ index: Int) -> Schema.ValueType? {
    guard let types = bindings[scope], index < types.count else { return nil }
    return types[index]
  }
}
