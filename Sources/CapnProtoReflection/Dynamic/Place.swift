import CapnProto

/// Where a value can be written: a field or an element.
struct Place: ~Escapable {
  let target: Target
  let type: Schema.ValueType

  enum Target: ~Escapable {
    case field(RawStructBuilder, StoredSlot)
    case group(RawStructBuilder)
    case element(DynamicList.Builder.Elements, Int)
  }

  @_lifetime(copy target)
  init(_ target: Target, _ type: Schema.ValueType) {
    self.target = target
    self.type = type
  }

  /// Writes `value`, which is one of the place's type.
  func write(_ value: PlainValue) throws(ReflectionError.Kind) {
    switch (type, value) {
    case (.text, .text(let text)): try pointer().setText(text)
    case (.data, .data(let bytes)):
      // Sound: the bytes outlive the call.
      try unsafe pointer().setData(bytes.span.bytes)
    case (.text, _), (.data, _), (.list, _), (.structure, _), (.interface, _), (.anyPointer, _):
      throw .wrongType(expected: "\(type)", found: value.kind)
    default: store(try value.bits(as: type))
    }
  }

  /// Copies `value`, with all that it owns.
  func write(copying value: borrowing DynamicValue) throws(ReflectionError.Kind) {
    switch value {
    case .void: try write(.void)
    case .bool(let value): try write(.bool(value))
    case .int(let value): try write(.int(value))
    case .uint(let value): try write(.uint(value))
    case .float32(let value):
      // Not by way of `Double`, which would change the bits of some NaNs.
      if case .float32 = type { store(UInt64(value.bitPattern)) } else { try write(.float(Double(value))) }
    case .float64(let value): try write(.float(value))
    case .text(let value): try write(.text(value))
    case .data(let bytes):
      guard case .data = type else { throw .wrongType(expected: "\(type)", found: value.kind) }
      try pointer().setData(bytes)
    case .enumeration(let value):
      guard case .enumeration(let schema) = type, schema.id == value.schema.id else {
        throw .wrongType(expected: "\(type)", found: value.schema.declaration.name)
      }
      store(UInt64(value.rawValue))
    case .list(let list): try copy(list)
    case .structure(let structure): try copy(structure)
    case .capability(let capability):
      switch type {
      case .interface, .anyPointer(.none), .anyPointer(.capability): break
      default: throw .wrongType(expected: "\(type)", found: value.kind)
      }
      if let index = capability.index { try pointer().setCapability(index: index) } else { try pointer().clear() }
    case .anyPointer(let source):
      guard case .anyPointer = type else { throw .wrongType(expected: "\(type)", found: value.kind) }
      try pointer().set(source)
    }
  }

  private func copy(_ list: borrowing DynamicList.Reader) throws(ReflectionError.Kind) {
    guard case .list(let element) = type else { throw .wrongType(expected: "\(type)", found: "a list") }
    let copy = try initList(count: list.count, of: element)
    for index in list.indices {
      do throws(ReflectionError) {
        let value = try list[index]
        try copy.set(index, copying: value)
      } catch {
        throw error.kind
      }
    }
  }

  private func copy(_ structure: borrowing DynamicStruct.Reader) throws(ReflectionError.Kind) {
    guard case .structure(let schema) = type else {
      throw .wrongType(expected: "\(type)", found: structure.schema.name)
    }
    guard schema.id == structure.schema.id else { throw .wrongSchema(expected: schema.id, found: structure.schema.id) }
    switch target {
    case .field(let raw, let slot): raw.setStructure(structure.raw, at: slot.offset)
    case .element(.structures(let list), let index): list.setStructure(structure.raw, at: index)
    case .group(let raw):
      // A group is a part of its struct, beside others: only its fields are copied.
      let group = DynamicStruct.Builder(unowned: raw, schema)
      do throws(ReflectionError) { try group.copyFields(of: structure) } catch { throw error.kind }
    case .element: throw .wrongType(expected: "\(type)", found: structure.schema.name)
    }
  }

  /// Writes the encoding of a value in the data section or in a list's elements.
  private func store(_ bits: UInt64) {
    switch target {
    case .field(let raw, let slot): raw.store(bits: bits, slot)
    case .group: break
    case .element(let elements, let index):
      switch elements {
      case .void, .pointers, .structures: break
      case .bits(let list): list[index] = bits & 1 != 0
      case .bytes(let list): list[index] = UInt8(truncatingIfNeeded: bits)
      case .twoBytes(let list): list[index] = UInt16(truncatingIfNeeded: bits)
      case .fourBytes(let list): list[index] = UInt32(truncatingIfNeeded: bits)
      case .eightBytes(let list): list[index] = bits
      }
    }
  }

  /// The pointer that the value stands behind.
  @_lifetime(copy self)
  func pointer() throws(ReflectionError.Kind) -> AnyPointerBuilder {
    switch target {
    case .field(let raw, let slot) where slot.type.dataBits == nil: return raw.pointer(at: slot.offset)
    case .element(.pointers(let list), let index): return list[index]
    default: throw .wrongType(expected: "a pointer", found: "\(type)")
    }
  }

  /// A new list of `count` elements.
  @_lifetime(copy self)
  func initList(count: Int, of element: Schema.ValueType) throws(ReflectionError.Kind) -> DynamicList.Builder {
    DynamicList.Builder(initialising: try pointer(), of: element, count: count)
  }

  /// A new list of `count` elements, if this is a list's place.
  @_lifetime(copy self)
  func initList(count: Int) throws(ReflectionError.Kind) -> DynamicList.Builder {
    guard case .list(let element) = type else { throw .wrongType(expected: "a list", found: "\(type)") }
    guard count >= 0, count < 1 << 29 else { throw .outOfRange(value: "\(count) elements", type: "\(type)") }
    return try initList(count: count, of: element)
  }

  /// A new struct, if this is a struct's place. Elements and groups are there already.
  @_lifetime(copy self)
  func initStruct() throws(ReflectionError.Kind) -> DynamicStruct.Builder {
    guard case .structure(let schema) = type else { throw .wrongType(expected: "a struct", found: "\(type)") }
    switch target {
    case .field(let raw, let slot):
      return DynamicStruct.Builder(
        unowned: raw.initStructure(at: slot.offset, size: schema.size), schema)
    case .group(let raw): return DynamicStruct.Builder(unowned: raw, schema)
    case .element(.structures(let list), let index): return DynamicStruct.Builder(unowned: list[index], schema)
    case .element: throw .wrongType(expected: "a struct", found: "\(type)")
    }
  }
}

extension RawStructBuilder {
  /// Writes a field in the data section, as a list would encode it.
  func store(bits: UInt64, _ slot: StoredSlot) {
    let bits = bits ^ slot.defaultBits
    switch slot.type.dataBits {
    case 1: storeBool(bits & 1 != 0, atBit: slot.offset)
    case 8: store(UInt8(truncatingIfNeeded: bits), at: slot.offset)
    case 16: store(UInt16(truncatingIfNeeded: bits), at: slot.offset)
    case 32: store(UInt32(truncatingIfNeeded: bits), at: slot.offset)
    case 64: store(bits, at: slot.offset)
    default: break
    }
  }
}
