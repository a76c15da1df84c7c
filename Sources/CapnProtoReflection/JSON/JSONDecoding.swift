import CapnProto

/// Writes JSON values to a message.
struct JSONDecoding {
  private let options: JSONOptions
  private let plans: JSONPlans

  init(_ options: JSONOptions, _ plans: JSONPlans) {
    self.options = options
    self.plans = plans
  }

  /// Recursion ends with the value, whose depth is limited.
  func fill(_ structure: borrowing DynamicStruct.Builder, from value: JSONValue) throws(ParseFailure) {
    guard case .object(let members) = value.content else { throw mismatch(.structure(structure.schema), value) }
    let plan: JSONPlan
    do throws(ReflectionError) {
      plan = try plans.plan(for: structure.schema)
    } catch {
      throw ParseFailure(.value(error), at: value.offset)
    }
    // Members of a union that its tag selects wait until the tag was there. What waits after a pass in which no further tag
    // came is not for this struct.
    var seen: Set<[Int]> = []
    var waiting = members
    while !waiting.isEmpty {
      let tags = seen.count
      var left: [JSONMember] = []
      for member in waiting {
        let isDone = try take(member.name, member.value, structure, plan, [], &seen)
        if !isDone { left.append(member) }
      }
      waiting = left
      if seen.count == tags { break }
    }
    guard options.rejectsUnknownFields, let member = waiting.first else { return }
    throw ParseFailure(
      .value(ReflectionError(.noSuchMember(member.name), type: structure.schema.displayName)),
      at: member.value.offset)
  }

  // MARK: Members

  /// Writes a member of the object; false if it has to wait for the union's tag.
  ///
  /// - Parameters:
  ///   - path: The flattened fields that lead to `structure`.
  ///   - seen: The paths of unions whose tags came.
  private func take(
    _ name: String, _ value: JSONValue, _ structure: borrowing DynamicStruct.Builder, _ plan: JSONPlan, _ path: [Int],
    _ seen: inout Set<[Int]>
  ) throws(ParseFailure) -> Bool {
    switch plan.names[name] {
    case .none:
      guard options.rejectsUnknownFields else { return true }
      throw ParseFailure(
        .value(ReflectionError(.noSuchMember(name), type: structure.schema.displayName)), at: value.offset)
    case .field(let index): try write(value, structure, index, plan)
    case .flattened(let index): return try descend(name, value, structure, index, plan, path, &seen)
    case .tag:
      guard case .string(let text) = value.content else { throw mismatch(.text, value) }
      if let index = plan.tagValues[text] {
        try select(structure.schema.fields[index], of: structure, at: value.offset)
        seen.insert(path)
      }
    case .flattenedUnion:
      guard seen.contains(path), let active = structure.which else { return false }
      return try descend(name, value, structure, active.index, plan, path, &seen)
    case .unionValue:
      guard seen.contains(path), let active = structure.which else { return false }
      try write(value, structure, active.index, plan)
    }
    return true
  }

  /// Makes `field` the union's member that is set, with its default.
  private func select(
    _ field: Schema.Field, of structure: borrowing DynamicStruct.Builder, at offset: Int
  ) throws(ParseFailure) {
    do throws(ReflectionError) { try structure.clear(field) } catch { throw ParseFailure(.value(error), at: offset) }
  }

  /// Writes a member of a flattened field.
  private func descend(
    _ name: String, _ value: JSONValue, _ structure: borrowing DynamicStruct.Builder, _ index: Int, _ plan: JSONPlan,
    _ path: [Int], _ seen: inout Set<[Int]>
  ) throws(ParseFailure) -> Bool {
    let field = plan.fields[index]
    // Another of the union's members may have this one's name.
    guard let inner = field.flattened, name.hasPrefix(field.prefix) else { return true }
    let builder = try structure.structure(structure.schema.fields[index], at: value.offset)
    return try take(String(name.dropFirst(field.prefix.count)), value, builder, inner, path + [index], &seen)
  }

  private func write(
    _ value: JSONValue, _ structure: borrowing DynamicStruct.Builder, _ index: Int, _ plan: JSONPlan
  ) throws(ParseFailure) {
    let field = structure.schema.fields[index]
    let type = structure.type(of: field)
    if case .null = value.content, type.isPointer { return }
    switch (type, value.content) {
    case (.structure, _): try fill(structure.initStruct(field, at: value.offset), from: value)
    case (.list, .array(let elements)):
      try fill(structure.initList(field, count: elements.count, at: value.offset), from: elements)
    case (.data, .string(let text)) where plan.fields[index].encoding != .numbers:
      let isHex = plan.fields[index].encoding == .hex
      guard let bytes = isHex ? BinaryText.bytes(hex: text) : Base64.decode(text) else {
        throw ParseFailure(.expected(isHex ? "pairs of hexadecimal digits" : "base 64"), at: value.offset)
      }
      try structure.set(field, to: .data(bytes), at: value.offset)
    default: try structure.set(field, to: try plain(value, type), at: value.offset)
    }
  }

  private func fill(_ list: borrowing DynamicList.Builder, from elements: [JSONValue]) throws(ParseFailure) {
    for (index, value) in elements.enumerated() {
      if case .null = value.content, list.elementType.isPointer { continue }
      switch (list.elementType, value.content) {
      case (.structure, _): try fill(list.structure(index, at: value.offset), from: value)
      case (.list, .array(let elements)):
        try fill(list.initList(index, count: elements.count, at: value.offset), from: elements)
      default: try list.set(index, to: try plain(value, list.elementType), at: value.offset)
      }
    }
  }

  // MARK: Values

  /// The value as one of `type`, which is no struct and no list.
  private func plain(_ value: JSONValue, _ type: Schema.ValueType) throws(ParseFailure) -> PlainValue {
    switch (type, value.content) {
    case (.void, _): return .void
    case (.bool, .bool(let flag)): return .bool(flag)
    case (.text, .string(let text)): return .text(text)
    case (.data, .array(let elements)):
      var bytes: [UInt8] = []
      bytes.reserveCapacity(elements.count)
      for element in elements { bytes.append(try byte(element)) }
      return .data(bytes)
    case (.enumeration(let schema), .string(let name)):
      guard let enumerant = schema.enumerants.first(where: { $0.jsonName == name }) else {
        throw ParseFailure(.value(ReflectionError(.noSuchEnumerant(name), type: "\(type)")), at: value.offset)
      }
      return .uint(UInt64(enumerant.number))
    case (.enumeration, .number(let text)), (.int8, .number(let text)), (.int16, .number(let text)),
      (.int32, .number(let text)), (.int64, .number(let text)), (.uint8, .number(let text)),
      (.uint16, .number(let text)), (.uint32, .number(let text)), (.uint64, .number(let text)):
      return Self.integer(text) ?? .float(Double(text) ?? .nan)
    case (.int8, .string(let text)), (.int16, .string(let text)), (.int32, .string(let text)),
      (.int64, .string(let text)), (.uint8, .string(let text)), (.uint16, .string(let text)),
      (.uint32, .string(let text)), (.uint64, .string(let text)):
      guard let number = Self.integer(text) else { throw ParseFailure(.expected("an integer"), at: value.offset) }
      return number
    case (.float32, .null), (.float64, .null): return .float(.nan)
    case (.float32, .number(let text)), (.float64, .number(let text)): return .float(Double(text) ?? .nan)
    case (.float32, .string(let text)), (.float64, .string(let text)):
      guard let number = Self.float(text) else { throw ParseFailure(.expected("a number"), at: value.offset) }
      return .float(number)
    default: throw mismatch(type, value)
    }
  }

  private func byte(_ value: JSONValue) throws(ParseFailure) -> UInt8 {
    guard case .number(let text) = value.content, let byte = UInt8(text) ?? Double(text).flatMap(UInt8.init(exactly:))
    else { throw ParseFailure(.expected("a number from 0 to 255"), at: value.offset) }
    return byte
  }

  private static func integer(_ text: String) -> PlainValue? {
    if let number = Int64(text) { return .int(number) }
    return UInt64(text).map { .uint($0) }
  }

  /// A number in quotes, or what stands for those that JSON does not have.
  private static func float(_ text: String) -> Double? {
    switch text {
    case "NaN", "nan": return .nan
    case "Infinity", "inf": return .infinity
    case "-Infinity", "-inf": return -.infinity
    default:
      guard text.utf8.allSatisfy({ $0.isDigit || "+-.eE".utf8.contains($0) }) else { return nil }
      return Double(text)
    }
  }

  private func mismatch(_ type: Schema.ValueType, _ value: JSONValue) -> ParseFailure {
    switch type {
    case .anyPointer, .interface:
      ParseFailure(.value(ReflectionError(.notExpressible("\(type)"))), at: value.offset)
    default:
      ParseFailure(.value(ReflectionError(.wrongType(expected: "\(type)", found: value.kind))), at: value.offset)
    }
  }
}

extension Schema.ValueType {
  /// Whether null in JSON says that there is no value.
  fileprivate var isPointer: Bool { layout == .pointer || layout == .composite }
}
