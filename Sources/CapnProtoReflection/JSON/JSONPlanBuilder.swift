/// Makes the plan of a struct, of its groups, and of what is flattened into it.
struct JSONPlanBuilder {
  private(set) var made: [JSONPlan] = []
  /// The structs whose plans are being made: one that is met again is flattened into itself.
  private var open: Set<UInt64> = []

  /// What `$Json.discriminator` says.
  private struct Discriminator {
    var name: String?
    var valueName: String?
  }

  /// How deep structs may be flattened into one another, and groups nested.
  private static let maximumNesting = 64
  /// How many members the object of a struct may have: flattening the same struct twice, on each of a few levels, would make
  /// more than anybody can hold.
  private static let maximumNameCount = 1 << 16

  mutating func plan(for schema: Schema.Struct) throws(ReflectionError) -> JSONPlan {
    try plan(for: schema, discriminator: try discriminator(schema.annotations, schema), unionName: nil)
  }

  private mutating func plan(
    for schema: Schema.Struct, discriminator: Discriminator?, unionName: String?
  ) throws(ReflectionError) -> JSONPlan {
    if let plan = made.first(where: { $0.schema.id == schema.id }) { return plan }
    guard open.count < Self.maximumNesting, open.insert(schema.id).inserted else {
      throw ReflectionError(.invalidAnnotation("flatten"), type: schema.displayName)
    }
    defer { open.remove(schema.id) }
    let tagName = discriminator.flatMap { $0.name ?? unionName }
    var names: [String: JSONPlan.NamePlan] = [:]
    var tagValues: [String: Int] = [:]
    var fields: [JSONPlan.FieldPlan] = []
    if let tagName { names[tagName] = .tag }
    if let valueName = discriminator?.valueName { names[valueName] = .unionValue }
    for field in schema.fields {
      var plan = try fieldPlan(field, schema)
      if let inner = plan.flattened {
        try add(inner, plan.prefix, field, schema, &names)
      } else if field.discriminant != nil, let valueName = discriminator?.valueName {
        plan.name = valueName
      } else {
        try add(plan.name, .field(field.index), schema, &names)
      }
      if field.discriminant != nil {
        guard tagValues.updateValue(field.index, forKey: plan.tagValue) == nil else {
          throw ReflectionError(.invalidAnnotation("name"), type: schema.displayName, member: field.name)
        }
      }
      fields.append(plan)
    }
    let plan = JSONPlan(schema: schema, fields: fields, tagName: tagName, names: names, tagValues: tagValues)
    made.append(plan)
    return plan
  }

  private mutating func fieldPlan(
    _ field: Schema.Field, _ schema: Schema.Struct
  ) throws(ReflectionError) -> JSONPlan.FieldPlan {
    func invalid(_ annotation: String) -> ReflectionError {
      ReflectionError(.invalidAnnotation(annotation), type: schema.displayName, member: field.name)
    }
    var name = field.name
    var prefix: String?
    var encoding = JSONPlan.DataEncoding.numbers
    for annotation in field.annotations {
      switch annotation.id {
      case JSONAnnotation.name: name = annotation.value.text ?? name
      case JSONAnnotation.flatten: prefix = try text(annotation, 0, "flatten", schema) ?? ""
      case JSONAnnotation.base64: encoding = .base64
      case JSONAnnotation.hex: encoding = .hex
      default: break
      }
    }
    if encoding != .numbers {
      guard case .data = field.slot?.type else { throw invalid(encoding == .hex ? "hex" : "base64") }
    }
    let discriminator = try discriminator(field.annotations, schema)
    guard discriminator == nil || field.isGroup else { throw invalid("discriminator") }
    var inner: JSONPlan?
    // The type that is declared: what a parameter is bound to is not flattened.
    switch field.stored.content {
    case .group:
      guard case .structure(let group) = field.type else { throw invalid("flatten") }
      inner = try plan(for: group, discriminator: discriminator, unionName: prefix == nil ? nil : field.name)
    case .slot(let slot):
      guard prefix != nil else { break }
      guard case .structure = slot.type, case .structure(let struct_) = field.type else { throw invalid("flatten") }
      inner = try plan(for: struct_)
    case .unknown: break
    }
    return JSONPlan.FieldPlan(
      name: name, tagValue: name, flattened: prefix == nil ? nil : inner, prefix: prefix ?? "", encoding: encoding)
  }

  // MARK: Names

  private func add(
    _ name: String, _ plan: JSONPlan.NamePlan, _ schema: Schema.Struct, _ names: inout [String: JSONPlan.NamePlan]
  ) throws(ReflectionError) {
    guard names.updateValue(plan, forKey: name) == nil else {
      throw ReflectionError(.invalidAnnotation("name"), type: schema.displayName, member: name)
    }
  }

  /// The names of a flattened field. Members of a union may share names, since only one of them is there at a time.
  private func add(
    _ inner: JSONPlan, _ prefix: String, _ field: Schema.Field, _ schema: Schema.Struct,
    _ names: inout [String: JSONPlan.NamePlan]
  ) throws(ReflectionError) {
    guard names.count + inner.names.count <= Self.maximumNameCount else {
      throw ReflectionError(.invalidAnnotation("flatten"), type: schema.displayName, member: field.name)
    }
    for name in inner.names.keys {
      let full = prefix + name
      if field.discriminant == nil {
        try add(full, .flattened(field.index), schema, &names)
      } else if case .some(.flattenedUnion) = names[full] {
        continue
      } else {
        try add(full, .flattenedUnion, schema, &names)
      }
    }
  }

  // MARK: Annotations

  private func discriminator(
    _ annotations: [Schema.Annotation], _ schema: Schema.Struct
  ) throws(ReflectionError) -> Discriminator? {
    guard let annotation = annotations.first(where: { $0.id == JSONAnnotation.discriminator }) else { return nil }
    return Discriminator(
      name: try text(annotation, 0, "discriminator", schema),
      valueName: try text(annotation, 1, "discriminator", schema))
  }

  /// The text at pointer `index` of the struct that the annotation's value is; nil if there is none.
  private func text(
    _ annotation: Schema.Annotation, _ index: Int, _ name: String, _ schema: Schema.Struct
  ) throws(ReflectionError) -> String? {
    guard case .pointer(.structure, let owned) = annotation.stored.value else { return nil }
    do {
      let value = owned ?? .null
      let structure = try value.pointer.asRawStruct()
      return structure.hasPointer(at: index) ? try structure.text(at: index) : nil
    } catch {
      throw ReflectionError(.message(error), type: schema.displayName, member: name)
    }
  }
}
