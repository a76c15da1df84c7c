import CapnProto

/// What a declaration of a schema is.
public enum SchemaKind: Sendable, Hashable {
  /// A schema file.
  case file
  /// A `struct`.
  case structure
  /// A group, or a named union.
  case group
  /// An `enum`.
  case enumeration
  /// An `interface`.
  case interface
  /// A `const`.
  case constant
  /// An `annotation`.
  case annotation
  /// A kind that this version of the schema language does not know.
  case unknown
}

/// Why schemas could not be loaded: what is wrong with them, and in which declaration.
public struct SchemaError: Error, Sendable, Hashable {
  /// What was wrong.
  public enum Kind: Sendable, Hashable {
    /// The message that holds the schemas is malformed, or exceeds a limit.
    case message(CapnProtoError)
    /// Two declarations of the same id differ in kind or name.
    case duplicateID
    /// A declaration with this id is mentioned, but is not there.
    case unknownDeclaration(UInt64)
    /// The declaration with this id is of another kind than what it is mentioned as.
    case wrongKind(UInt64, expected: SchemaKind, found: SchemaKind)
    /// The schema language knows no such `what`: the schema is newer than this library, or damaged.
    case unsupported(what: String, number: UInt16)
    /// Two members of a declaration have the same name.
    case duplicateName
    /// A member's place in the source is out of range, or the same as another's.
    case invalidCodeOrder(Int)
    /// A union's tag lies outside of the data section, or the union's members do not have the numbers from 0 on.
    case invalidUnion
    /// A field lies outside of its struct's section.
    case outsideOfSection(offset: Int, size: StructSize)
    /// A value is not one of its type.
    case valueMismatch
    /// A group does not belong to the struct that has it, is shared, or contains itself.
    case invalidGroup(UInt64)
    /// The length of a display name's prefix does not fit the name.
    case invalidDisplayName
    /// A scope does not have as many type parameters as are used of it.
    case unknownParameter(scope: UInt64, index: Int)
    /// A type parameter is bound to a type that is no pointer.
    case boundToScalar(scope: UInt64, index: Int)
  }

  /// What was wrong.
  public let kind: Kind
  /// The declaration's display name, or its id if it has none; nil if no declaration was read yet.
  public let declaration: String?
  /// The field, enumerant or method.
  public let member: String?

  /// An error of kind `kind` in a member of a declaration.
  public init(_ kind: Kind, declaration: String? = nil, member: String? = nil) {
    self.kind = kind
    self.declaration = declaration
    self.member = member
  }
}

extension SchemaError: CustomStringConvertible {
  /// What was wrong, and where, in one line.
  public var description: String {
    let place = [declaration, member].compactMap { $0 }.joined(separator: ", ")
    return place.isEmpty ? kind.description : "\(place): \(kind)"
  }
}

extension SchemaError.Kind: CustomStringConvertible {
  /// What was wrong, in one line.
  public var description: String {
    switch self {
    case .message(let error): "\(error)"
    case .duplicateID: "another declaration has the same id"
    case .unknownDeclaration(let id): "there is no declaration with the id @0x\(String(id, radix: 16))"
    case .wrongKind(let id, let expected, let found):
      "@0x\(String(id, radix: 16)) is mentioned as \(expected) but is \(found)"
    case .unsupported(let what, let number): "\(what) \(number) is not known"
    case .duplicateName: "the name is used twice"
    case .invalidCodeOrder(let order): "code order \(order) is out of range or used twice"
    case .invalidUnion: "the union's tag or the numbers of its members are not valid"
    case .outsideOfSection(let offset, let size): "offset \(offset) lies outside of a struct of \(size)"
    case .valueMismatch: "the value is not one of its type"
    case .invalidGroup(let id): "group @0x\(String(id, radix: 16)) is not this struct's own"
    case .invalidDisplayName: "the prefix is longer than the display name"
    case .unknownParameter(let scope, let index): "@0x\(String(scope, radix: 16)) has no type parameter \(index)"
    case .boundToScalar(let scope, let index):
      "type parameter \(index) of @0x\(String(scope, radix: 16)) is bound to a type that is no pointer"
    }
  }
}
