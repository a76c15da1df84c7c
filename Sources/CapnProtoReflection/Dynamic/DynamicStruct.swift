import CapnProto

/// Structs whose type a schema says.
public enum DynamicStruct {
  /// Reads a struct in place, by its schema. It lives no longer than its message, and no longer than the variable that held
  /// the schema when it was made, which keeps the fields' defaults.
  ///
  ///     let person = DynamicStruct.Reader(try message.root, schema)
  ///     for field in schema.fields where try person.has(field) { … try person[field] … }
  public struct Reader: ~Escapable {
    /// The struct's schema.
    public let schema: Schema.Struct
    /// The struct, untyped.
    public let raw: RawStructReader

    /// The struct `raw`, read as one of `schema`, whatever it was written as.
    @_lifetime(copy raw, borrow schema)
    public init(_ raw: RawStructReader, _ schema: borrowing Schema.Struct) {
      self.raw = raw
      self.schema = copy schema
    }

    /// For what is inside of a value that depends on its schema already.
    @_lifetime(copy raw)
    init(unowned raw: RawStructReader, _ schema: Schema.Struct) {
      self.raw = raw
      self.schema = schema
    }

    /// The member of the unnamed union that is set; nil without a union, or if the schema does not know the member.
    public var which: Schema.Field? {
      guard schema.hasUnion else { return nil }
      return schema.unionMember(raw.load(UInt16.self, at: schema.stored.discriminantOffset))
    }

    /// The value of `field`: its default if nothing was set.
    ///
    /// - Throws: ``ReflectionError``: `foreignField`; `notSet` if another member of the union is; or what is wrong with the
    ///   message.
    public subscript(field: Schema.Field) -> DynamicValue {
      @_lifetime(copy self) get throws(ReflectionError) {
        try check(field)
        guard let slot = field.slot else {
          guard case .structure(let group) = field.type else {
            throw error(.wrongType(expected: "a group", found: "\(field.type)"), field)
          }
          return .structure(Reader(unowned: raw, group))
        }
        let type = type(of: field)
        guard slot.type.dataBits == nil else {
          return DynamicValue(bits: raw.bits(slot), as: type)
        }
        do throws(CapnProtoError) {
          if !raw.hasPointer(at: slot.offset), let value = defaultValue(of: slot) {
            return try unsafe _overrideLifetime(DynamicValue(value, as: type), copying: self)
          }
          if case .text = type { return .text(try raw.text(at: slot.offset, default: slot.defaultText)) }
          return try DynamicValue(raw.pointer(at: slot.offset), as: type)
        } catch {
          throw self.error(.message(error), field)
        }
      }
    }

    /// The value of the field called `name`, as the subscript by field gives it.
    ///
    /// - Throws: ``ReflectionError``: `noSuchMember`, or as the subscript by field.
    public subscript(name: String) -> DynamicValue {
      @_lifetime(copy self) get throws(ReflectionError) { try self[field(named: name)] }
    }

    /// Whether `field` has a value. False for members of the union that are not set, and for pointers that are null. Groups
    /// always have one; so have numbers and the like, unless `mode` asks for other values than the default.
    ///
    /// - Throws: ``ReflectionError``: `foreignField`.
    public func has(_ field: Schema.Field, _ mode: HasMode = .nonNull) throws(ReflectionError) -> Bool {
      guard field.parent.id == schema.id else { throw error(.foreignField(of: field.parent.displayName), field) }
      guard isActive(field) else { return false }
      guard let slot = field.slot else { return true }
      guard slot.type.dataBits != nil else { return raw.hasPointer(at: slot.offset) }
      return mode == .nonNull || raw.bits(slot, ignoringDefault: true) != 0
    }

    /// Whether the field called `name` has a value, as ``has(_:_:)`` says.
    ///
    /// - Throws: ``ReflectionError``: `noSuchMember`.
    public func has(_ name: String, _ mode: HasMode = .nonNull) throws(ReflectionError) -> Bool {
      try has(field(named: name), mode)
    }

    // MARK: Checks

    func field(named name: String) throws(ReflectionError) -> Schema.Field {
      guard let field = schema.field(named: name) else {
        throw ReflectionError(.noSuchMember(name), type: schema.displayName)
      }
      return field
    }

    /// The type of `field`, with this struct's type parameters: the field may come from a schema with others.
    func type(of field: Schema.Field) -> Schema.ValueType { schema.storage.type(of: field.stored, in: schema.brand) }

    private func isActive(_ field: Schema.Field) -> Bool {
      guard let discriminant = field.discriminant else { return true }
      return raw.load(UInt16.self, at: schema.stored.discriminantOffset) == discriminant
    }

    private func check(_ field: Schema.Field) throws(ReflectionError) {
      guard field.parent.id == schema.id else { throw error(.foreignField(of: field.parent.displayName), field) }
      guard isActive(field) else { throw error(.notSet(active: which?.name), field) }
    }

    private func error(_ kind: ReflectionError.Kind, _ field: Schema.Field) -> ReflectionError {
      ReflectionError(kind, type: schema.displayName, member: field.name)
    }

    /// The default of a pointer field; nil if it is null.
    @_lifetime(copy self)
    private func defaultValue(of slot: StoredSlot) -> AnyPointerReader? {
      guard case .pointer(_, .some(let owned)) = slot.defaultValue else { return nil }
      // Sound: the schema keeps the default, and this reader lives no longer than the variable with the schema.
      return unsafe _overrideLifetime(owned.unownedPointer, copying: self)
    }
  }
}

/// When a number, `Bool`, enum or `Void` counts as a value.
public enum HasMode: Sendable, Hashable {
  /// Always: only null pointers are no values.
  case nonNull
  /// When it is not the field's default.
  case nonDefault
}

extension StoredSlot {
  /// The default of a text field.
  var defaultText: String {
    guard case .text(let text) = defaultValue else { return "" }
    return text
  }

  /// The default of a field in the data section, as it is encoded.
  var defaultBits: UInt64 {
    switch defaultValue {
    case .bool(let value): value ? 1 : 0
    case .scalar(_, let bits): bits
    default: 0
    }
  }
}

extension RawStructReader {
  /// The value of a field in the data section, as a list would encode it.
  func bits(_ slot: StoredSlot, ignoringDefault: Bool = false) -> UInt64 {
    let mask = ignoringDefault ? 0 : slot.defaultBits
    switch slot.type.dataBits {
    case 1: return (loadBool(atBit: slot.offset) ? 1 : 0) ^ mask
    case 8: return UInt64(load(UInt8.self, at: slot.offset)) ^ mask
    case 16: return UInt64(load(UInt16.self, at: slot.offset)) ^ mask
    case 32: return UInt64(load(UInt32.self, at: slot.offset)) ^ mask
    case 64: return load(UInt64.self, at: slot.offset) ^ mask
    default: return 0
    }
  }
}
