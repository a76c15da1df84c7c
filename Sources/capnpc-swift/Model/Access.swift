/// Who can use the code that is generated for a file: the values of `Access` in `/sluice/swift.capnp`.
enum Access: UInt16, Comparable {
  case `public` = 0
  case package = 1
  case `internal` = 2

  /// A line of generated code, written as if everything in it were public, with this access.
  func applied(to line: String) -> String {
    switch self {
    case .public: return line
    case .package:
      guard let range = line.firstRange(of: "public "), Self.startsDeclaration(line[..<range.lowerBound]) else {
        return line
      }
      return line.replacing("public ", with: "package ", maxReplacements: 1)
    case .internal:
      // Nothing of it can be inlined into another module.
      for attributes in ["@inlinable public ", "@usableFromInline ", "public "] where line.hasPrefix(attributes) {
        return String(line.dropFirst(attributes.count))
      }
      return line
    }
  }

  private static func startsDeclaration(_ prefix: Substring) -> Bool { prefix.isEmpty || prefix == "@inlinable " }

  /// Whether this is the narrower one.
  static func < (narrower: Access, wider: Access) -> Bool { narrower.rawValue > wider.rawValue }
}
