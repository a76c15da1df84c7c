import CapnProto

/// What schemas declare: ``Struct``, ``Enum``, ``Interface``, ``Constant``, ``AnnotationDeclaration``. All are small values
/// that keep their registry's schemas alive.
public enum Schema {
  /// What an `AnyPointer` type admits.
  public enum PointerConstraint: Sendable, Hashable {
    /// `AnyPointer`.
    case none
    /// `AnyStruct`.
    case structure
    /// `AnyList`.
    case list
    /// `Capability`.
    case capability
  }

  /// A declaration of any kind.
  public struct Declaration: Sendable {
    let storage: SchemaStorage
    let node: StoredNode

    /// The 64-bit id.
    public var id: UInt64 { node.id }
    /// The name without the scopes around it.
    public var name: String { node.name }
    /// The name with its file and scopes, as in `dir/file.capnp:Outer.Inner`.
    public var displayName: String { node.displayName }
    /// What is declared.
    public var kind: SchemaKind { node.kind }
    /// The names of the type parameters.
    public var parameters: [String] { node.parameters }
    /// Whether this or a scope around it has type parameters.
    public var isGeneric: Bool { node.isGeneric }
    /// The declaration that this one stands in; nil for files, and where the registry does not have it.
    public var scope: Declaration? {
      storage.nodes[node.scopeID].map { Declaration(storage: storage, node: $0) }
    }
    /// What is declared inside, without groups and what the registry does not have.
    public var nested: [Declaration] {
      node.nested.compactMap { storage.nodes[$0.id] }.map { Declaration(storage: storage, node: $0) }
    }
    /// The annotations that were applied.
    public var annotations: [Annotation] { Annotation.all(node.annotations, storage) }

    /// The struct or group that this is, its type parameters unbound; nil if it is something else.
    public var structure: Struct? {
      node.structure.map { Struct(storage: storage, node: node, stored: $0, brand: nil) }
    }
    /// The enum that this is; nil if it is something else.
    public var enumeration: Enum? {
      guard case .enumeration(let members) = node.body else { return nil }
      return Enum(declaration: self, members: members)
    }
    /// The interface that this is, its type parameters unbound; nil if it is something else.
    public var interface: Interface? {
      guard case .interface(let stored) = node.body else { return nil }
      return Interface(declaration: self, stored: stored, brand: nil)
    }
    /// The constant that this is; nil if it is something else.
    public var constant: Constant? {
      guard case .constant(let type, let value) = node.body else { return nil }
      return Constant(declaration: self, storedType: type, stored: value)
    }
    /// The annotation that this declares; nil if it is something else.
    public var annotation: AnnotationDeclaration? {
      guard case .annotation(let type, let targets) = node.body else { return nil }
      return AnnotationDeclaration(declaration: self, storedType: type, targets: targets)
    }
  }

  /// An enum.
  public struct Enum: Sendable {
    /// Its id, names, scope and annotations.
    public let declaration: Declaration
    let members: [StoredMember]

    /// The 64-bit id.
    public var id: UInt64 { declaration.id }
    /// How many enumerants there are; they have the numbers from 0 on.
    public var count: Int { members.count }
    /// The enumerants by number.
    public var enumerants: [Enumerant] {
      members.enumerated().map { Enumerant(number: UInt16($0), member: $1, storage: declaration.storage) }
    }
    /// The enumerant with that number; nil if the schema does not know it.
    public func enumerant(_ number: UInt16) -> Enumerant? {
      Int(number) < members.count
        ? Enumerant(number: number, member: members[Int(number)], storage: declaration.storage) : nil
    }
    /// The enumerant of that name; nil if there is none.
    public func enumerant(named name: String) -> Enumerant? {
      members.firstIndex { $0.name == name }.flatMap { enumerant(UInt16(truncatingIfNeeded: $0)) }
    }
  }

  /// An enumerant.
  public struct Enumerant: Sendable {
    /// Its number: what messages hold.
    public let number: UInt16
    let member: StoredMember
    let storage: SchemaStorage

    /// The name.
    public var name: String { member.name }
    /// The place in the source, among the enum's others.
    public var codeOrder: Int { member.codeOrder }
    /// The annotations that were applied.
    public var annotations: [Annotation] { Annotation.all(member.annotations, storage) }
  }

  /// A constant.
  public struct Constant: Sendable {
    /// Its id, names, scope and annotations.
    public let declaration: Declaration
    let storedType: StoredType
    let stored: StoredValue

    /// The type.
    public var type: ValueType { declaration.storage.resolve(storedType, in: nil) }
    /// The value.
    public var value: Value { Value(storedType, stored, declaration.storage) }
  }

  /// The declaration of an annotation.
  public struct AnnotationDeclaration: Sendable {
    /// Its id, names, scope and annotations.
    public let declaration: Declaration
    let storedType: StoredType
    let targets: UInt16

    /// The type of its values.
    public var type: ValueType { declaration.storage.resolve(storedType, in: nil) }

    /// What the annotation may be applied to.
    public enum Target: UInt16, Sendable, CaseIterable {
      case file, constant, enumeration, enumerant, structure, field, union, group, interface, method, parameter
      case annotation
    }

    /// Whether the annotation may be applied to `target`.
    public func applies(to target: Target) -> Bool { targets & 1 << target.rawValue != 0 }
  }

  /// An annotation that was applied to something.
  public struct Annotation: Sendable {
    let stored: StoredAnnotation
    let storage: SchemaStorage

    /// The id of its declaration.
    public var id: UInt64 { stored.id }
    /// Its declaration; nil if the registry does not have it.
    public var declaration: AnnotationDeclaration? {
      storage.nodes[id].flatMap { Declaration(storage: storage, node: $0).annotation }
    }
    /// Its value. If the registry does not have the declaration, structs and lists are pointers of any type.
    public var value: Value {
      if case .annotation(let type, _) = storage.nodes[id]?.body, stored.value.matches(type) {
        return Value(type, stored.value, storage)
      }
      return Value(stored.value.impliedType, stored.value, storage)
    }

    static func all(_ stored: [StoredAnnotation], _ storage: SchemaStorage) -> [Annotation] {
      stored.map { Annotation(stored: $0, storage: storage) }
    }
  }
}

extension StoredValue {
  /// The type that a value has where no declaration says it.
  var impliedType: StoredType {
    switch self {
    case .void, .unknown: .void
    case .bool: .bool
    case .scalar(let scalar, _):
      switch scalar {
      case .int8: .int8
      case .int16: .int16
      case .int32: .int32
      case .int64: .int64
      case .uint8: .uint8
      case .uint16, .enumeration: .uint16
      case .uint32: .uint32
      case .uint64: .uint64
      case .float32: .float32
      case .float64: .float64
      }
    case .text: .text
    case .pointer(.data, _): .data
    case .pointer: .anyPointer(.none)
    case .interface: .anyPointer(.capability)
    }
  }
}
