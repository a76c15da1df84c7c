import CapnProto

/// Why a value could not be read, written, printed or parsed by its schema: what was wrong, in which field of which type.
public struct ReflectionError: Error, Sendable, Hashable {
  /// What was wrong.
  public enum Kind: Error, Sendable, Hashable {
    /// The message is malformed, or a limit of it was met.
    case message(CapnProtoError)
    /// The type has no member of this name.
    case noSuchMember(String)
    /// The field belongs to another type than the value.
    case foreignField(of: String)
    /// The field or element is of another type than what was asked for.
    case wrongType(expected: String, found: String)
    /// The field is a union's member that is not set; `active` is the one that is, nil if the schema does not know it.
    case notSet(active: String?)
    /// The value does not fit the type.
    case outOfRange(value: String, type: String)
    /// The enum has no enumerant of this name.
    case noSuchEnumerant(String)
    /// The value is of the type with the id `found`.
    case wrongSchema(expected: UInt64, found: UInt64)
    /// Values are nested deeper than `limit`.
    case nestingLimitExceeded(limit: Int)
    /// What is printed or parsed is larger than `limit` bytes.
    case sizeLimitExceeded(limit: Int)
    /// A value of this type has no form in the format.
    case notExpressible(String)
    /// The annotation of `json.capnp` of this name does not fit what it is applied to, or lets members share a name.
    case invalidAnnotation(String)
  }

  /// What was wrong.
  public let kind: Kind
  /// The struct's display name, or the value's type; empty if there is none.
  public let type: String
  /// The field, or the element's index in brackets.
  public let member: String?

  /// An error of kind `kind` in a member of a type.
  public init(_ kind: Kind, type: String = "", member: String? = nil) {
    self.kind = kind
    self.type = type
    self.member = member
  }
}

extension ReflectionError: CustomStringConvertible {
  /// What was wrong, and where, in one line.
  public var description: String {
    let place = [type, member ?? ""].filter { !$0.isEmpty }.joined(separator: ".")
    return place.isEmpty ? kind.description : "\(place): \(kind)"
  }
}

extension ReflectionError.Kind: CustomStringConvertible {
  /// What was wrong, in one line.
  public var description: String {
    switch self {
    case .message(let error): "\(error)"
    case .noSuchMember(let name): "there is no member '\(name)'"
    case .foreignField(let owner): "the field belongs to \(owner)"
    case .wrongType(let expected, let found): "expected \(expected), found \(found)"
    case .notSet(let active): "the union's member is not set; \(active ?? "an unknown one") is"
    case .outOfRange(let value, let type): "\(value) is no value of \(type)"
    case .noSuchEnumerant(let name): "there is no enumerant '\(name)'"
    case .wrongSchema(let expected, let found):
      "expected the type @0x\(String(expected, radix: 16)), found @0x\(String(found, radix: 16))"
    case .nestingLimitExceeded(let limit): "values are nested deeper than \(limit) levels"
    case .sizeLimitExceeded(let limit): "more than \(limit) bytes"
    case .notExpressible(let type): "a value of type \(type) cannot be expressed"
    case .invalidAnnotation(let name): "the annotation $Json.\(name) cannot be applied so"
    }
  }
}
