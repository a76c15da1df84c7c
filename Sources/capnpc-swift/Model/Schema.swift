/// What a `CodeGeneratorRequest` says, as plain values: everything the generator knows of the schemas.
///
/// The request's own readers cannot be stored (they are tied to the message), so `RequestDecoder` copies what is needed.
struct Schema {
  /// Every node the compiler parsed, imports included.
  var nodes: [UInt64: SchemaNode]
  /// The files to generate code for, in the order of the command line.
  var requestedFiles: [RequestedFile]

  /// The modules that files say they are in, by id.
  var modules: [UInt64: String] = [:]
  /// Who can use the code for files that say it, by id.
  var access: [UInt64: Access] = [:]

  struct RequestedFile {
    var id: UInt64
    /// As on the command line, without the source prefix.
    var name: String
  }
}

/// One declaration of a schema.
struct SchemaNode {
  var id: UInt64
  /// File and scope, for example `cache.capnp:Cache.Part`.
  var displayName: String
  /// What `$Swift.name` says.
  var swiftName: String?
  /// The node that this one is declared in; 0 for files and for the parameter structs of methods.
  var scopeID: UInt64
  /// The declarations within this one, in source order; groups are not among them.
  var nested: [Nested]
  /// The names of its type parameters; those of its scopes are not among them.
  var parameters: [String]
  /// Empty when the schema has none.
  var documentation: String
  /// The declarations that this one mentions, by first mention: see `MentionCollector`.
  var mentions: [UInt64]
  /// The node in canonical form, packed, in base 64.
  var packed: String
  var kind: Kind

  struct Nested {
    /// In Swift, before it is escaped.
    var name: String
    var schemaName: String
    var id: UInt64
  }

  enum Kind {
    case file
    case structure(StructLayout)
    case enumeration([SchemaEnumerant])
    case interface(InterfaceLayout)
    case constant(FieldType, FieldValue)
    case annotation
  }
}

/// The layout of a struct or group.
struct StructLayout {
  var dataWords: UInt16
  var pointers: UInt16
  var isGroup: Bool
  /// The number of members of the unnamed union, 0 without one.
  var discriminantCount: UInt16
  /// In units of 16 bits.
  var discriminantOffset: UInt32
  /// By ordinal.
  var fields: [SchemaField]
}

/// A member of a struct, group or union.
struct SchemaField {
  /// In Swift, before it is escaped.
  var name: String
  var schemaName: String
  /// The place of the declaration among its siblings in the source.
  var codeOrder: UInt16
  /// Which member of the union this is; nil outside of a union.
  var discriminant: UInt16?
  var documentation: String
  var kind: Kind

  enum Kind {
    case slot(Slot)
    case group(UInt64)
  }

  struct Slot {
    /// In units of the field's size, from the start of the data section or of the pointer section.
    var offset: UInt32
    var type: FieldType
    var defaultValue: FieldValue
  }

  /// Makes pointers of any type of the type parameters of `owner`.
  mutating func unbindParameters(of owner: UInt64) {
    guard case .slot(var slot) = kind else { return }
    slot.type = slot.type.unbindingParameters(of: owner)
    kind = .slot(slot)
  }
}

/// A member of an enum; its position in the list is its value.
struct SchemaEnumerant {
  /// In Swift, before it is escaped.
  var name: String
  var schemaName: String
  var codeOrder: UInt16
  var documentation: String
}

/// The methods and superclasses of an interface.
struct InterfaceLayout {
  /// The interfaces that it extends, in source order.
  var superclasses: [TypeReference]
  /// By ordinal.
  var methods: [SchemaMethod]
}

/// A method of an interface; its position in the list is its ordinal.
struct SchemaMethod {
  /// In Swift, before it is escaped.
  var name: String
  var schemaName: String
  /// The place of the declaration among its siblings in the source.
  var codeOrder: UInt16
  var documentation: String
  var params: TypeReference
  var results: TypeReference
}

/// A declared type, with what its type parameters are bound to.
struct TypeReference {
  var id: UInt64
  var arguments: TypeArguments
}

/// A type expression.
indirect enum FieldType: Hashable {
  case void
  case bool
  case int8, int16, int32, int64
  case uint8, uint16, uint32, uint64
  case float32, float64
  case text
  case data
  case list(FieldType)
  case enumeration(UInt64, TypeArguments)
  case structure(UInt64, TypeArguments)
  case interface(UInt64)
  /// `AnyPointer`, and its constrained kinds.
  case anyPointer(AnyPointerKind)
  /// A type parameter of a generic scope: the scope, and which of its parameters.
  case parameter(UInt64, Int)

  enum AnyPointerKind: Hashable {
    case any, structure, list, capability
  }
}

extension FieldType {
  /// The type where nothing is known of the parameters of `owner`: they are pointers of any type.
  func unbindingParameters(of owner: UInt64) -> FieldType {
    switch self {
    case .parameter(owner, _): .anyPointer(.any)
    case .list(let element): .list(element.unbindingParameters(of: owner))
    case .structure(let id, let arguments): .structure(id, arguments.unbindingParameters(of: owner))
    case .enumeration(let id, let arguments): .enumeration(id, arguments.unbindingParameters(of: owner))
    default: self
    }
  }
}

extension TypeArguments {
  fileprivate func unbindingParameters(of owner: UInt64) -> TypeArguments {
    TypeArguments(
      scopes: scopes.mapValues { bindings in
        guard case .types(let types) = bindings else { return bindings }
        return .types(types.map { $0?.unbindingParameters(of: owner) })
      })
  }
}

/// What the type parameters of a type and of its scopes are bound to.
struct TypeArguments: Hashable {
  /// By the id of the scope that has the parameters. The parameters of other scopes are not bound.
  var scopes: [UInt64: Bindings] = [:]

  enum Bindings: Hashable {
    /// To the parameters themselves: the type is used within its scope.
    case inherited
    /// To these types, nil being none.
    case types([FieldType?])
  }
}

/// A default or constant.
enum FieldValue: Equatable {
  case void
  case bool(Bool)
  /// The value of an integer type, as decimal text: it is only ever written out again.
  case integer(String)
  /// IEEE 754 bits, so that every NaN survives.
  case float32(UInt32)
  case float64(UInt64)
  case enumerant(UInt16)
  case text(String)
  case data([UInt8])
  /// A list, struct or other pointer: a flat message of one segment whose root pointer is word 0. Nil for a null pointer.
  case pointer([UInt64]?)
}
