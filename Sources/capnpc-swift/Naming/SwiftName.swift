/// How names of a schema become names of Swift.
///
/// Swift's keywords get backticks. Names that generated code itself needs get a `_` at the end; that never clashes with
/// another name, for Cap'n Proto allows no underscores in names.
enum SwiftName {
  /// The name of a type. Namespaces hold `Reader`, `Builder` and `Which`; `Type` and `Protocol` are metatypes after a dot.
  static func type(_ name: String) -> String {
    let capitalized = capitalizingFirst(name)
    return reservedTypes.contains(capitalized) ? capitalized + "_" : capitalized
  }

  /// The name of a declared annotation's type.
  static func annotation(_ name: String) -> String { type(name) + "Annotation" }

  /// The name of a property of a reader or builder.
  static func property(_ name: String) -> String {
    reservedProperties.contains(name) ? name + "_" : escapingKeyword(name)
  }

  /// The name of an enum case, also of those of `Which`.
  static func enumCase(_ name: String) -> String {
    reservedCases.contains(name) ? name + "_" : escapingKeyword(name)
  }

  /// The name of a constant in the namespace of a type.
  static func constant(_ name: String) -> String {
    reservedConstants.contains(name) ? name + "_" : escapingKeyword(name)
  }

  /// `fileName` -> `FileName`, for `initFileName` and the like.
  static func capitalizingFirst(_ name: String) -> String {
    name.prefix(1).uppercased() + name.dropFirst()
  }

  private static func escapingKeyword(_ name: String) -> String {
    keywords.contains(name) ? "`\(name)`" : name
  }

  private static let reservedTypes: Set<String> = [
    "Reader", "Builder", "Which", "Type", "Protocol", "Self", "Any", "CapnProto", "CapnProtoError", "Swift",
  ]
  private static let reservedProperties: Set<String> = ["self", "raw", "which", "asReader"]
  private static let reservedCases: Set<String> = [
    "self", "unknown", "rawValue", "hashValue", "typeID", "typeName", "embeddedSchema",
  ]
  private static let reservedConstants: Set<String> = [
    "self", "typeID", "typeName", "size", "embeddedSchema", "interface",
  ]

  /// The words that cannot be identifiers without backticks in some position.
  private static let keywords: Set<String> = [
    "as", "associatedtype", "await", "break", "case", "catch", "class", "continue", "default", "defer", "deinit", "do",
    "else", "enum", "extension", "fallthrough", "false", "fileprivate", "for", "func", "guard", "if", "import", "in",
    "init", "inout", "internal", "is", "let", "nil", "operator", "precedencegroup", "private", "protocol", "public",
    "repeat", "rethrows", "return", "static", "struct", "subscript", "super", "switch", "throw", "throws", "true",
    "try", "typealias", "var", "where", "while",
  ]
}
