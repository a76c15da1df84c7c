import CapnProto
import CapnProtoSchema

extension StoredNode {
  /// What `node` says. Nothing is checked but what reading it needs.
  convenience init(_ node: Node.Reader) throws(CapnProtoError) {
    var parameters: [String] = []
    let parameterList = try node.parameters
    for index in parameterList.indices { parameters.append(try parameterList[index].name) }
    var nested: [(name: String, id: UInt64)] = []
    let nestedList = try node.nestedNodes
    for index in nestedList.indices { nested.append((try nestedList[index].name, nestedList[index].id)) }
    self.init(
      id: node.id, scopeID: node.scopeId, displayName: try node.displayName,
      displayNamePrefixLength: Int(node.displayNamePrefixLength), parameters: parameters, isGeneric: node.isGeneric,
      nested: nested, annotations: try StoredAnnotation.all(node.annotations), body: try Self.body(of: node))
  }

  private static func body(of node: Node.Reader) throws(CapnProtoError) -> Body {
    switch try node.which {
    case .file: return .file
    case .struct(let structure):
      var fields: [StoredField] = []
      let list = try structure.fields
      for index in list.indices { fields.append(try StoredField(list[index])) }
      return .structure(
        StoredStruct(
          size: StructSize(dataWords: structure.dataWordCount, pointers: structure.pointerCount),
          isGroup: structure.isGroup, discriminantCount: Int(structure.discriminantCount),
          discriminantOffset: Int(structure.discriminantOffset), fields: fields))
    case .enum(let enumeration):
      var members: [StoredMember] = []
      let list = try enumeration.enumerants
      for index in list.indices {
        let enumerant = list[index]
        members.append(
          StoredMember(
            name: try enumerant.name, codeOrder: Int(enumerant.codeOrder),
            annotations: try StoredAnnotation.all(enumerant.annotations)))
      }
      return .enumeration(members)
    case .interface(let interface): return .interface(try StoredInterface(interface))
    case .const(let constant): return .constant(try StoredType(constant.type), try StoredValue(constant.value))
    case .annotation(let annotation):
      // The flags say what it may be applied to, 12 bits from bit 112 of the data section on.
      var targets: UInt16 = 0
      for bit in 0..<12 where annotation.raw.loadBool(atBit: 112 + bit) { targets |= 1 << UInt16(bit) }
      return .annotation(try StoredType(annotation.type), targets: targets)
    case .unknown(let number): return .unknown(number)
    }
  }
}

extension StoredField {
  init(_ field: Field.Reader) throws(CapnProtoError) {
    name = try field.name
    codeOrder = Int(field.codeOrder)
    discriminant = field.discriminantValue == 0xFFFF ? nil : field.discriminantValue
    annotations = try StoredAnnotation.all(field.annotations)
    if case .explicit(let number) = try field.ordinal.which { ordinal = number } else { ordinal = nil }
    switch try field.which {
    case .slot(let slot):
      content = .slot(
        StoredSlot(
          offset: Int(slot.offset), type: try StoredType(slot.type), defaultValue: try StoredValue(slot.defaultValue),
          hadExplicitDefault: slot.hadExplicitDefault))
    case .group(let group): content = .group(group.typeId)
    case .unknown(let number): content = .unknown(number)
    }
  }
}

extension StoredInterface {
  convenience init(_ interface: Node.Interface.Reader) throws(CapnProtoError) {
    var methods: [StoredMethod] = []
    let list = try interface.methods
    for index in list.indices { methods.append(try StoredMethod(list[index])) }
    var superclasses: [(id: UInt64, brand: StoredBrand)] = []
    let parents = try interface.superclasses
    for index in parents.indices {
      superclasses.append((parents[index].id, try StoredBrand(parents[index].brand)))
    }
    self.init(methods: methods, superclasses: superclasses)
  }
}

extension StoredMethod {
  init(_ method: Method.Reader) throws(CapnProtoError) {
    member = StoredMember(
      name: try method.name, codeOrder: Int(method.codeOrder), annotations: try StoredAnnotation.all(method.annotations)
    )
    var names: [String] = []
    let list = try method.implicitParameters
    for index in list.indices { names.append(try list[index].name) }
    implicitParameters = names
    parameterStruct = method.paramStructType
    parameterBrand = try StoredBrand(method.paramBrand)
    resultStruct = method.resultStructType
    resultBrand = try StoredBrand(method.resultBrand)
  }
}

extension StoredAnnotation {
  static func all(_ list: ListReader<Annotation.Reader>) throws(CapnProtoError) -> [StoredAnnotation] {
    var annotations: [StoredAnnotation] = []
    for index in list.indices {
      annotations.append(StoredAnnotation(id: list[index].id, value: try StoredValue(list[index].value)))
    }
    return annotations
  }
}

extension StoredType {
  /// Recursion ends at the message's nesting limit.
  init(_ type: Type_.Reader) throws(CapnProtoError) {
    switch try type.which {
    case .void: self = .void
    case .bool: self = .bool
    case .int8: self = .int8
    case .int16: self = .int16
    case .int32: self = .int32
    case .int64: self = .int64
    case .uint8: self = .uint8
    case .uint16: self = .uint16
    case .uint32: self = .uint32
    case .uint64: self = .uint64
    case .float32: self = .float32
    case .float64: self = .float64
    case .text: self = .text
    case .data: self = .data
    case .list(let list): self = .list(try StoredType(list.elementType))
    case .enum(let enumeration): self = .enumeration(enumeration.typeId)
    case .struct(let structure): self = .structure(structure.typeId, try StoredBrand(structure.brand))
    case .interface(let interface): self = .interface(interface.typeId, try StoredBrand(interface.brand))
    case .anyPointer(let pointer): self = try StoredType(pointer)
    case .unknown(let number): self = .unknown(number)
    }
  }

  private init(_ pointer: Type_.AnyPointer.Reader) throws(CapnProtoError) {
    switch try pointer.which {
    case .unconstrained(let kind):
      switch try kind.which {
      case .struct: self = .anyPointer(.structure)
      case .list: self = .anyPointer(.list)
      case .capability: self = .anyPointer(.capability)
      default: self = .anyPointer(.none)
      }
    case .parameter(let parameter):
      self = .parameter(scope: parameter.scopeId, index: Int(parameter.parameterIndex))
    case .implicitMethodParameter(let parameter): self = .methodParameter(index: Int(parameter.parameterIndex))
    case .unknown: self = .anyPointer(.none)
    }
  }
}

extension StoredBrand {
  init(_ brand: Brand.Reader) throws(CapnProtoError) {
    let list = try brand.scopes
    for index in list.indices {
      let scope = list[index]
      guard case .bind(let bound) = try scope.which else {
        scopes.append(Scope(id: scope.scopeId, bindings: nil))
        continue
      }
      var bindings: [StoredType?] = []
      for index in bound.indices {
        if case .type(let type) = try bound[index].which {
          bindings.append(try StoredType(type))
        } else {
          bindings.append(nil)
        }
      }
      scopes.append(Scope(id: scope.scopeId, bindings: bindings))
    }
  }
}

extension StoredValue {
  init(_ value: Value.Reader) throws(CapnProtoError) {
    switch try value.which {
    case .void: self = .void
    case .bool(let value): self = .bool(value)
    case .int8(let value): self = .scalar(.int8, bits: UInt64(value.wireBits))
    case .int16(let value): self = .scalar(.int16, bits: UInt64(value.wireBits))
    case .int32(let value): self = .scalar(.int32, bits: UInt64(value.wireBits))
    case .int64(let value): self = .scalar(.int64, bits: value.wireBits)
    case .uint8(let value): self = .scalar(.uint8, bits: UInt64(value))
    case .uint16(let value): self = .scalar(.uint16, bits: UInt64(value))
    case .uint32(let value): self = .scalar(.uint32, bits: UInt64(value))
    case .uint64(let value): self = .scalar(.uint64, bits: value)
    case .float32(let value): self = .scalar(.float32, bits: UInt64(value.bitPattern))
    case .float64(let value): self = .scalar(.float64, bits: value.bitPattern)
    case .enum(let value): self = .scalar(.enumeration, bits: UInt64(value))
    case .text(let text): self = .text(text)
    case .data: self = .pointer(.data, try Self.copy(value.raw.pointer(at: 0)))
    case .list(let pointer): self = .pointer(.list, try Self.copy(pointer))
    case .struct(let pointer): self = .pointer(.structure, try Self.copy(pointer))
    case .anyPointer(let pointer): self = .pointer(.anyPointer, try Self.copy(pointer))
    case .interface: self = .interface
    case .unknown(let number): self = .unknown(number)
    }
  }

  private static func copy(_ pointer: AnyPointerReader) throws(CapnProtoError) -> OwnedPointer? {
    pointer.isNull ? nil : try OwnedPointer(copying: pointer)
  }
}
