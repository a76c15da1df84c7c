import CapnProto

extension DynamicStruct {
  /// Writes a struct by its schema. It lives no longer than its message, and no longer than the variable that held the
  /// schema when it was made.
  ///
  ///     var message = try MessageBuilder(rootSize: schema.size)
  ///     let person = DynamicStruct.Builder(message.root, schema)
  ///     try person.set("name", to: "Ada")
  ///
  /// Wrong names and types throw. What else fails (no memory, a list that is too long) is recorded in the message, as
  /// ``RawStructBuilder`` says.
  public struct Builder: ~Escapable {
    /// The struct's schema.
    public let schema: Schema.Struct
    /// The struct, untyped.
    public let raw: RawStructBuilder

    /// The struct `raw`, written as one of `schema`. Fields that it is too small for are dropped.
    @_lifetime(copy raw, borrow schema)
    public init(_ raw: RawStructBuilder, _ schema: borrowing Schema.Struct) {
      self.raw = raw
      self.schema = copy schema
    }

    /// For what is inside of a value that depends on its schema already.
    @_lifetime(copy raw)
    init(unowned raw: RawStructBuilder, _ schema: Schema.Struct) {
      self.raw = raw
      self.schema = schema
    }

    /// The same struct for reading.
    public var asReader: Reader {
      @_lifetime(copy self) get { Reader(unowned: raw.asReader, schema) }
    }

    /// The member of the unnamed union that is set; nil without a union, or if the schema does not know the member.
    public var which: Schema.Field? { asReader.which }

    // MARK: Writing

    /// Writes the field called `name`; of a union, it then is the member that is set.
    ///
    /// - Throws: ``ReflectionError``: `noSuchMember`, `wrongType`, `outOfRange`, or `noSuchEnumerant`.
    public func set(_ name: String, to value: PlainValue) throws(ReflectionError) { try set(field(name), to: value) }

    /// Writes `field`; of a union, it then is the member that is set.
    ///
    /// - Throws: ``ReflectionError``: `foreignField`, `wrongType`, `outOfRange`, or `noSuchEnumerant`.
    public func set(_ field: Schema.Field, to value: PlainValue) throws(ReflectionError) {
      try check(field)
      do throws(ReflectionError.Kind) { try place(field).write(value) } catch { throw located(error, field) }
      select(field)
    }

    /// Copies `value`, with all that it owns, to the field called `name`.
    ///
    /// - Throws: ``ReflectionError``: as ``set(_:to:)``; `wrongSchema`; or what is wrong with the value's message.
    public func set(_ name: String, copying value: borrowing DynamicValue) throws(ReflectionError) {
      try set(field(name), copying: value)
    }

    /// Copies `value`, with all that it owns, to `field`.
    ///
    /// - Throws: ``ReflectionError``: `foreignField`, and as by name.
    public func set(_ field: Schema.Field, copying value: borrowing DynamicValue) throws(ReflectionError) {
      try check(field)
      do throws(ReflectionError.Kind) { try place(field).write(copying: value) } catch { throw located(error, field) }
      select(field)
    }

    /// A new struct at the field called `name`; a group is cleared.
    ///
    /// - Throws: ``ReflectionError``: `noSuchMember` or `wrongType`.
    @_lifetime(copy self)
    public func initStruct(_ name: String) throws(ReflectionError) -> Builder { try initStruct(field(name)) }

    /// A new struct at `field`; a group is cleared.
    ///
    /// - Throws: ``ReflectionError``: `foreignField` or `wrongType`.
    @_lifetime(copy self)
    public func initStruct(_ field: Schema.Field) throws(ReflectionError) -> Builder {
      try check(field)
      if field.isGroup { try clear(field) }
      select(field)
      do throws(ReflectionError.Kind) { return try place(field).initStruct() } catch { throw located(error, field) }
    }

    /// A new list of `count` elements at the field called `name`.
    ///
    /// - Throws: ``ReflectionError``: `noSuchMember`, `wrongType`, or `outOfRange`.
    @_lifetime(copy self)
    public func initList(_ name: String, count: Int) throws(ReflectionError) -> DynamicList.Builder {
      try initList(field(name), count: count)
    }

    /// A new list of `count` elements at `field`.
    ///
    /// - Throws: ``ReflectionError``: `foreignField`, `wrongType`, or `outOfRange`.
    @_lifetime(copy self)
    public func initList(_ field: Schema.Field, count: Int) throws(ReflectionError) -> DynamicList.Builder {
      try check(field)
      select(field)
      do throws(ReflectionError.Kind) {
        return try place(field).initList(count: count)
      } catch {
        throw located(error, field)
      }
    }

    // MARK: Changing what is there

    /// The struct or group at the field called `name`. A struct that is not there is created, as a copy of the default if
    /// there is one; so is one of a union's member that is not set.
    ///
    /// - Throws: ``ReflectionError``: `noSuchMember` or `wrongType`.
    @_lifetime(copy self)
    public func structure(_ name: String) throws(ReflectionError) -> Builder { try structure(field(name)) }

    /// The struct or group at `field`, as ``structure(_:)-(String)`` gives it.
    ///
    /// - Throws: ``ReflectionError``: `foreignField` or `wrongType`.
    @_lifetime(copy self)
    public func structure(_ field: Schema.Field) throws(ReflectionError) -> Builder {
      guard case .structure(let inner) = type(of: field) else { return try initStruct(field) }
      try prepareToEdit(field)
      guard let slot = field.slot else { return Builder(unowned: raw, inner) }
      return Builder(unowned: raw.structure(at: slot.offset, size: inner.size), inner)
    }

    /// The list at the field called `name`: without elements if it was not set and has no default.
    ///
    /// - Throws: ``ReflectionError``: `noSuchMember` or `wrongType`.
    @_lifetime(copy self)
    public func list(_ name: String) throws(ReflectionError) -> DynamicList.Builder {
      let field = try field(name)
      guard case .list(let element) = type(of: field), let slot = field.slot else {
        throw located(.wrongType(expected: "a list", found: "\(type(of: field))"), field)
      }
      try prepareToEdit(field)
      return DynamicList.Builder(editing: raw.pointer(at: slot.offset), of: element)
    }

    /// The pointer at the field called `name`, whatever it points to; of a union, the field then is the member that is set.
    ///
    /// - Throws: ``ReflectionError``: `noSuchMember` or `wrongType`.
    @_lifetime(copy self)
    public func pointer(_ name: String) throws(ReflectionError) -> AnyPointerBuilder {
      let field = try field(name)
      do throws(ReflectionError.Kind) {
        let pointer = try place(field).pointer()
        select(field)
        return pointer
      } catch {
        throw located(error, field)
      }
    }

    /// Gives `field` its default, and a group's fields theirs; of a union, it then is the member that is set.
    ///
    /// - Throws: ``ReflectionError``: `foreignField`.
    public func clear(_ field: Schema.Field) throws(ReflectionError) {
      try check(field)
      select(field)
      if let slot = field.slot {
        if slot.type.dataBits == nil {
          raw.clearPointer(at: slot.offset)
        } else {
          raw.store(bits: slot.defaultBits, slot)
        }
      } else if case .structure(let group) = type(of: field) {
        let builder = Builder(unowned: raw, group)
        for member in group.fields where member.discriminant == nil { try builder.clear(member) }
        // Nothing is left of the member that was set; the union's first is the one that is set by default.
        if let active = builder.which { try builder.clear(active) }
        if let first = group.unionMember(0) { try builder.clear(first) }
      }
    }

    /// Gives the field called `name` its default, as ``clear(_:)-(Schema.Field)`` does.
    ///
    /// - Throws: ``ReflectionError``: `noSuchMember`.
    public func clear(_ name: String) throws(ReflectionError) { try clear(field(name)) }

    // MARK: Moving

    /// Takes what the pointer at the field called `name` leads to away from it.
    ///
    /// - Throws: ``ReflectionError``: `noSuchMember` or `wrongType`.
    @_lifetime(copy self)
    public func disown(_ name: String) throws(ReflectionError) -> Orphan<AnyPointerBuilder> {
      try pointer(name).disown()
    }

    /// Lets the pointer at the field called `name` lead to `orphan`, of the same message and the field's type (which is not
    /// checked: reading another type throws).
    ///
    /// - Throws: ``ReflectionError``: `noSuchMember` or `wrongType`.
    public func adopt(_ orphan: consuming Orphan<AnyPointerBuilder>, _ name: String) throws(ReflectionError) {
      try pointer(name).adopt(orphan)
    }

    /// Gives each field the value that it has in `source`, of the same type.
    func copyFields(of source: borrowing Reader) throws(ReflectionError) {
      let active = source.which
      for field in schema.fields where field.discriminant == nil || field.index == active?.index {
        let isThere = try source.has(field)
        if isThere { try set(field, copying: source[field]) } else { try clear(field) }
      }
    }

    // MARK: Checks

    func field(_ name: String) throws(ReflectionError) -> Schema.Field {
      guard let field = schema.field(named: name) else {
        throw ReflectionError(.noSuchMember(name), type: schema.displayName)
      }
      return field
    }

    func type(of field: Schema.Field) -> Schema.ValueType { schema.storage.type(of: field.stored, in: schema.brand) }

    /// Where `field`, which is one of this struct, has its value.
    @_lifetime(copy self)
    func place(_ field: Schema.Field) -> Place {
      if let slot = field.slot { return Place(.field(raw, slot), type(of: field)) }
      return Place(.group(raw), type(of: field))
    }

    /// Makes `field` the union's member that is set, if it is one.
    func select(_ field: Schema.Field) {
      guard let discriminant = field.discriminant else { return }
      raw.store(discriminant, at: schema.stored.discriminantOffset)
    }

    /// Before a value is changed: a member that was not set begins anew, and a default is copied.
    private func prepareToEdit(_ field: Schema.Field) throws(ReflectionError) {
      try check(field)
      if let discriminant = field.discriminant,
        raw.load(UInt16.self, at: schema.stored.discriminantOffset) != discriminant
      {
        try clear(field)
      }
      guard let slot = field.slot, case .pointer(_, .some(let value)) = slot.defaultValue,
        !raw.hasPointer(at: slot.offset)
      else { return }
      raw.pointer(at: slot.offset).set(value.pointer)
    }

    private func check(_ field: Schema.Field) throws(ReflectionError) {
      guard field.parent.id == schema.id else {
        throw located(.foreignField(of: field.parent.displayName), field)
      }
    }

    private func located(_ kind: ReflectionError.Kind, _ field: Schema.Field) -> ReflectionError {
      ReflectionError(kind, type: schema.displayName, member: field.name)
    }
  }
}
