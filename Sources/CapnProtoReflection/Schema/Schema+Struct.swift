import CapnProto

extension Schema {
  /// A struct or group. Two structs of the same declaration may differ in what its type parameters are bound to.
  public struct Struct: Sendable {
    let storage: SchemaStorage
    let node: StoredNode
    let stored: StoredStruct
    let brand: ResolvedBrand?

    /// Its id, names, scope and annotations.
    public var declaration: Declaration { Declaration(storage: storage, node: node) }
    /// The 64-bit id.
    public var id: UInt64 { node.id }
    /// The name without the scopes around it.
    public var name: String { node.name }
    /// The name with its file and scopes.
    public var displayName: String { node.displayName }
    /// The size of a new struct; a group has the size of the struct that it is in.
    public var size: StructSize { stored.size }
    /// Whether this is a group or named union, which is a part of the struct around it.
    public var isGroup: Bool { stored.isGroup }
    /// Whether some fields form an unnamed union (a named union is a group all of whose fields do).
    public var hasUnion: Bool { stored.discriminantCount > 0 }
    /// Where the union's tag is, in 16-bit units from the start of the data section; nil without a union.
    public var discriminantOffset: Int? { hasUnion ? stored.discriminantOffset : nil }
    /// The annotations that were applied.
    public var annotations: [Annotation] { Annotation.all(node.annotations, storage) }

    /// The fields and groups, as `for field in structure.fields`, in the order of their numbers.
    public var fields: Fields { Fields(parent: self) }

    /// The field or group of that name; nil if there is none.
    public func field(named name: String) -> Field? {
      stored.indexByName[name].map { Field(parent: self, index: $0) }
    }
    /// The union's member with that number; nil if the schema does not know it.
    public func unionMember(_ discriminant: UInt16) -> Field? {
      stored.indexByDiscriminant[discriminant].map { Field(parent: self, index: $0) }
    }
  }

  /// A struct's fields and groups.
  public struct Fields: RandomAccessCollection, Sendable {
    let parent: Struct

    /// The first index.
    public var startIndex: Int { 0 }
    /// The number of fields.
    public var endIndex: Int { parent.stored.fields.count }
    /// The field at `position`, which is in range.
    public subscript(position: Int) -> Field { Field(parent: parent, index: position) }
  }

  /// A field or group of a struct.
  public struct Field: Sendable {
    /// The struct that it belongs to.
    public let parent: Struct
    /// The place among the struct's fields.
    public let index: Int

    var stored: StoredField { parent.stored.fields[index] }
    var slot: StoredSlot? {
      guard case .slot(let slot) = stored.content else { return nil }
      return slot
    }

    /// The name.
    public var name: String { stored.name }
    /// The number after `@` in the source; nil for groups.
    public var ordinal: UInt16? { stored.ordinal }
    /// The place in the source, among the struct's other fields.
    public var codeOrder: Int { stored.codeOrder }
    /// The number that the union's tag has when this is the member that is set; nil outside of unions.
    public var discriminant: UInt16? { stored.discriminant }
    /// Whether this is a group or a named union.
    public var isGroup: Bool { slot == nil }
    /// Where the value stands in its section, in units of its size; nil for groups.
    public var offset: Int? { slot?.offset }
    /// The type; for groups the group's own struct.
    public var type: ValueType { parent.storage.type(of: stored, in: parent.brand) }
    /// The value of a field that was not set; nil for groups.
    public var defaultValue: Value? { slot.map { Value($0.type, $0.defaultValue, parent.storage) } }
    /// Whether the source says a default.
    public var hasExplicitDefault: Bool { slot?.hadExplicitDefault ?? false }
    /// The annotations that were applied.
    public var annotations: [Annotation] { Annotation.all(stored.annotations, parent.storage) }
  }
}
