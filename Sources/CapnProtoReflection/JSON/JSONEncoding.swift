import CapnProto

/// Makes JSON values of a message's.
struct JSONEncoding {
  private let options: JSONOptions
  private let plans: JSONPlans
  private var bytesLeft: Int

  init(_ options: JSONOptions, _ plans: JSONPlans) {
    self.options = options
    self.plans = plans
    bytesLeft = options.byteLimit
  }

  mutating func object(
    _ structure: borrowing DynamicStruct.Reader, level: Int
  ) throws(ReflectionError) -> JSONValue {
    guard level <= options.nesting else { throw ReflectionError(.nestingLimitExceeded(limit: options.nesting)) }
    var members: [JSONMember] = []
    try gather(structure, try plans.plan(for: structure.schema), prefix: "", level, into: &members)
    return JSONValue(.object(members))
  }

  /// Appends the struct's members, those of flattened fields included: first what is in no union, then the union.
  private mutating func gather(
    _ structure: borrowing DynamicStruct.Reader, _ plan: JSONPlan, prefix: String, _ level: Int,
    into members: inout [JSONMember]
  ) throws(ReflectionError) {
    for field in structure.schema.fields where field.discriminant == nil {
      let isThere = try structure.has(field, options.hasMode)
      if isThere { try gather(field, of: structure, plan, prefix, level, into: &members) }
    }
    guard let active = structure.which else { return }
    if let tag = plan.tagName {
      try append(prefix + tag, try string(plan.fields[active.index].tagValue), to: &members)
      // The tag says all about a member without value.
      if case .void = active.slot?.type { return }
    }
    try gather(active, of: structure, plan, prefix, level, into: &members)
  }

  private mutating func gather(
    _ field: Schema.Field, of structure: borrowing DynamicStruct.Reader, _ plan: JSONPlan, _ prefix: String,
    _ level: Int, into members: inout [JSONMember]
  ) throws(ReflectionError) {
    let fieldPlan = plan.fields[field.index]
    let value = try structure[field]
    if let inner = fieldPlan.flattened, case .structure(let flattened) = value {
      guard level < options.nesting else { throw ReflectionError(.nestingLimitExceeded(limit: options.nesting)) }
      return try gather(flattened, inner, prefix: prefix + fieldPlan.prefix, level + 1, into: &members)
    }
    if fieldPlan.encoding != .numbers, case .data(let data) = value {
      let encoded = Self.text(data, fieldPlan.encoding)
      return try append(prefix + fieldPlan.name, try string(encoded), to: &members)
    }
    do throws(ReflectionError) {
      try append(prefix + fieldPlan.name, try json(value, structure.type(of: field), level: level), to: &members)
    } catch {
      guard error.type.isEmpty, case .notExpressible = error.kind else { throw error }
      throw ReflectionError(error.kind, type: structure.schema.displayName, member: field.name)
    }
  }

  // MARK: Values

  private mutating func json(
    _ value: borrowing DynamicValue, _ type: Schema.ValueType, level: Int
  ) throws(ReflectionError) -> JSONValue {
    switch value {
    case .void: return try leaf(.null, 4)
    case .bool(let value): return try leaf(.bool(value), 5)
    case .int(let value): return try integer(String(value), type)
    case .uint(let value): return try integer(String(value), type)
    case .float32(let value): return try float(Double(value))
    case .float64(let value): return try float(value)
    case .text(let text): return try string(text)
    case .data(let data):
      try spend(2 * data.byteCount + 2)
      // Bytes of the message, each looked at once.
      return JSONValue(.bytes(unsafe data.withUnsafeBytes { unsafe Array($0) }))
    case .enumeration(let value):
      guard let enumerant = value.enumerant else { return try number(String(value.rawValue)) }
      return try string(enumerant.jsonName)
    case .list(let list): return try array(list, level: level + 1)
    case .structure(let structure): return try object(structure, level: level + 1)
    case .capability: throw ReflectionError(.notExpressible("Capability"))
    case .anyPointer: throw ReflectionError(.notExpressible("AnyPointer"))
    }
  }

  private mutating func array(
    _ list: borrowing DynamicList.Reader, level: Int
  ) throws(ReflectionError) -> JSONValue {
    guard level <= options.nesting else { throw ReflectionError(.nestingLimitExceeded(limit: options.nesting)) }
    try spend(2 + list.count)
    var elements: [JSONValue] = []
    for index in list.indices { elements.append(try json(list[index], list.elementType, level: level)) }
    return JSONValue(.array(elements))
  }

  /// Many readers take the numbers of JSON for doubles, so that integers of 64 bits are strings.
  private mutating func integer(_ text: String, _ type: Schema.ValueType) throws(ReflectionError) -> JSONValue {
    switch type {
    case .int64, .uint64: try string(text)
    default: try number(text)
    }
  }

  private mutating func float(_ value: Double) throws(ReflectionError) -> JSONValue {
    if value.isNaN { return try string("NaN") }
    if value.isInfinite { return try string(value < 0 ? "-Infinity" : "Infinity") }
    return try number(DecimalForm.text(value))
  }

  private static func text(_ data: RawSpan, _ encoding: JSONPlan.DataEncoding) -> String {
    // Bytes of the message, each looked at once.
    let bytes = unsafe data.withUnsafeBytes { unsafe Array($0) }
    return encoding == .hex ? BinaryText.hex(bytes) : BinaryText.base64(bytes)
  }

  // MARK: Limits

  private mutating func spend(_ byteCount: Int) throws(ReflectionError) {
    guard byteCount <= bytesLeft else { throw ReflectionError(.sizeLimitExceeded(limit: options.byteLimit)) }
    bytesLeft -= byteCount
  }

  private mutating func leaf(_ content: JSONValue.Content, _ byteCount: Int) throws(ReflectionError) -> JSONValue {
    try spend(byteCount)
    return JSONValue(content)
  }

  private mutating func number(_ text: String) throws(ReflectionError) -> JSONValue {
    try leaf(.number(text), text.utf8.count)
  }

  private mutating func string(_ text: String) throws(ReflectionError) -> JSONValue {
    try leaf(.string(text), text.utf8.count + 2)
  }

  private mutating func append(
    _ name: String, _ value: JSONValue, to members: inout [JSONMember]
  ) throws(ReflectionError) {
    try spend(name.utf8.count + 4)
    members.append(JSONMember(name: name, value: value))
  }
}

extension Schema.Enumerant {
  /// What JSON calls it.
  var jsonName: String {
    member.annotations.first { $0.id == JSONAnnotation.name }.flatMap { annotation in
      guard case .text(let name) = annotation.value else { return nil }
      return name
    } ?? name
  }
}
