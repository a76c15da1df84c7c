import CapnProto

/// A declaration as its schema message says it, in Swift values. References are ids until the registry has checked them.
final class StoredNode: Sendable {
  let id: UInt64
  let scopeID: UInt64
  /// As in `dir/file.capnp:Outer.Inner`.
  let displayName: String
  let displayNamePrefixLength: Int
  let parameters: [String]
  let isGeneric: Bool
  let nested: [(name: String, id: UInt64)]
  let annotations: [StoredAnnotation]
  let body: Body

  enum Body: Sendable {
    case file
    case structure(StoredStruct)
    case enumeration([StoredMember])
    case interface(StoredInterface)
    case constant(StoredType, StoredValue)
    case annotation(StoredType, targets: UInt16)
    case unknown(UInt16)
  }

  init(
    id: UInt64, scopeID: UInt64, displayName: String, displayNamePrefixLength: Int, parameters: [String],
    isGeneric: Bool, nested: [(name: String, id: UInt64)], annotations: [StoredAnnotation], body: Body
  ) {
    self.id = id
    self.scopeID = scopeID
    self.displayName = displayName
    self.displayNamePrefixLength = displayNamePrefixLength
    self.parameters = parameters
    self.isGeneric = isGeneric
    self.nested = nested
    self.annotations = annotations
    self.body = body
  }

  /// The name without the scopes around it.
  var name: String { String(decoding: displayName.utf8.dropFirst(displayNamePrefixLength), as: UTF8.self) }

  /// What kind of declaration this is, for errors.
  var kind: SchemaKind {
    switch body {
    case .file: .file
    case .structure(let structure): structure.isGroup ? .group : .structure
    case .enumeration: .enumeration
    case .interface: .interface
    case .constant: .constant
    case .annotation: .annotation
    case .unknown: .unknown
    }
  }

  var structure: StoredStruct? {
    guard case .structure(let structure) = body else { return nil }
    return structure
  }
}

/// A struct or group.
final class StoredStruct: Sendable {
  let size: StructSize
  let isGroup: Bool
  let discriminantCount: Int
  /// In 16-bit units from the start of the data section.
  let discriminantOffset: Int
  /// By ordinal, as the schema message has them.
  let fields: [StoredField]
  let indexByName: [String: Int]
  /// Field indices by the value of the discriminant.
  let indexByDiscriminant: [UInt16: Int]

  init(
    size: StructSize, isGroup: Bool, discriminantCount: Int, discriminantOffset: Int, fields: [StoredField]
  ) {
    self.size = size
    self.isGroup = isGroup
    self.discriminantCount = discriminantCount
    self.discriminantOffset = discriminantOffset
    self.fields = fields
    let numbered = fields.enumerated()
    indexByName = Dictionary(numbered.map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    indexByDiscriminant = Dictionary(
      numbered.compactMap { index, field in field.discriminant.map { ($0, index) } },
      uniquingKeysWith: { first, _ in first })
  }
}

/// A field of a struct: a place for a value, or a group.
struct StoredField: Sendable {
  let name: String
  let codeOrder: Int
  /// Nil outside of unions.
  let discriminant: UInt16?
  let annotations: [StoredAnnotation]
  /// Nil for groups.
  let ordinal: UInt16?
  let content: Content

  enum Content: Sendable {
    case slot(StoredSlot)
    case group(UInt64)
    case unknown(UInt16)
  }
}

/// Where a field's value stands, and what it is.
struct StoredSlot: Sendable {
  /// In units of the value's size from the start of its section.
  let offset: Int
  let type: StoredType
  let defaultValue: StoredValue
  let hadExplicitDefault: Bool
}

/// An enumerant.
struct StoredMember: Sendable {
  let name: String
  let codeOrder: Int
  let annotations: [StoredAnnotation]
}

/// An interface's methods, and what it extends.
final class StoredInterface: Sendable {
  let methods: [StoredMethod]
  let superclasses: [(id: UInt64, brand: StoredBrand)]

  init(methods: [StoredMethod], superclasses: [(id: UInt64, brand: StoredBrand)]) {
    self.methods = methods
    self.superclasses = superclasses
  }
}

/// A method.
struct StoredMethod: Sendable {
  let member: StoredMember
  let implicitParameters: [String]
  let parameterStruct: UInt64
  let parameterBrand: StoredBrand
  let resultStruct: UInt64
  let resultBrand: StoredBrand
}

/// An annotation that was applied to something.
struct StoredAnnotation: Sendable {
  let id: UInt64
  let value: StoredValue
}

/// A type as a schema message says it.
indirect enum StoredType: Sendable {
  case void, bool, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64, text, data
  case list(StoredType)
  case enumeration(UInt64)
  case structure(UInt64, StoredBrand)
  case interface(UInt64, StoredBrand)
  case anyPointer(Schema.PointerConstraint)
  case parameter(scope: UInt64, index: Int)
  case methodParameter(index: Int)
  case unknown(UInt16)
}

/// What the type parameters of some scopes are bound to.
struct StoredBrand: Sendable {
  var scopes: [Scope] = []

  struct Scope: Sendable {
    let id: UInt64
    /// Nil if the scope's parameters are those of where the type is mentioned; nil in the list where one is not bound.
    let bindings: [StoredType?]?
  }
}

/// A value that a schema gives.
enum StoredValue: Sendable {
  case void
  case bool(Bool)
  /// An integer, enum or float of `bitWidth` bits.
  case scalar(Scalar, bits: UInt64)
  case text(String)
  /// A list, struct, blob, or anything; nil for a null pointer.
  case pointer(PointerContent, OwnedPointer?)
  case interface
  case unknown(UInt16)

  /// The types of scalars.
  enum Scalar: Sendable { case int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64, enumeration }

  /// What a pointer leads to.
  enum PointerContent: Sendable { case data, list, structure, anyPointer }
}
