import CapnProto

extension DynamicStruct.Reader {
  /// A generated reader's struct, read by its schema.
  ///
  /// - Throws: ``ReflectionError``: `wrongSchema` if `schema` is not the one that `type` was generated from.
  @_lifetime(copy reader, borrow schema)
  public init<Generated: StructSchema>(
    _ reader: Generated.Reader, of type: Generated.Type, _ schema: borrowing Schema.Struct
  ) throws(ReflectionError) {
    try schema.check(type)
    self.init(reader.raw, schema)
  }

  /// The struct, as the generated type `type` reads it.
  ///
  /// - Throws: ``ReflectionError``: `wrongSchema` if this is a struct of another type.
  @_lifetime(copy self)
  public func cast<Generated: StructSchema>(to type: Generated.Type) throws(ReflectionError) -> Generated.Reader {
    try schema.check(type)
    return Generated.Reader(raw)
  }
}

extension DynamicStruct.Builder {
  /// The struct, as the generated type `type` writes it. The other way round is ``init(_:_:)`` with the builder's `raw`.
  ///
  /// - Throws: ``ReflectionError``: `wrongSchema` if this is a struct of another type.
  @_lifetime(copy self)
  public func cast<Generated: StructSchema>(to type: Generated.Type) throws(ReflectionError) -> Generated.Builder {
    try schema.check(type)
    return Generated.Builder(raw)
  }
}

extension Schema.Struct {
  /// Checks that this is what `type` was generated from.
  fileprivate func check<Generated: StructSchema>(_ type: Generated.Type) throws(ReflectionError) {
    guard id == Generated.typeID else {
      throw ReflectionError(.wrongSchema(expected: Generated.typeID, found: id), type: displayName)
    }
  }

  /// This struct with its own type parameters bound to `arguments`, which are pointer types.
  ///
  /// - Throws: ``ReflectionError``: `wrongType` if there are not as many parameters, or an argument is no pointer type.
  public func binding(_ arguments: Schema.ValueType...) throws(ReflectionError) -> Schema.Struct {
    guard arguments.count == node.parameters.count else {
      throw ReflectionError(
        .wrongType(expected: "\(node.parameters.count) type arguments", found: "\(arguments.count)"), type: displayName)
    }
    for argument in arguments where argument.layout != .pointer && argument.layout != .composite {
      throw ReflectionError(.wrongType(expected: "a pointer type", found: "\(argument)"), type: displayName)
    }
    var bindings = brand?.bindings ?? [:]
    bindings[id] = arguments
    return Schema.Struct(storage: storage, node: node, stored: stored, brand: Schema.ResolvedBrand(bindings))
  }
}
