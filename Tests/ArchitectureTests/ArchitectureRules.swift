/// A rule that a file breaks, and where.
struct Violation: Equatable, Sendable, CustomStringConvertible {
  let file: String
  let line: Int
  let reason: String

  var description: String { "\(file):\(line): \(reason)" }
}

/// The rules that keep the layers apart, as functions from a file's text to what it breaks.
enum ArchitectureRules {
  /// The most lines that a file may have. A longer one holds two concepts.
  static let lineLimit = 500

  /// What a Swift source of a layer breaks.
  static func violations(in source: String, file: String, of layer: Layer) -> [Violation] {
    let allowed = layer.own.union(layer.foreign).union(Layer.standardLibrary)
    var found = SwiftScanner.imports(in: source).filter { !allowed.contains($0.module) }.map {
      Violation(file: file, line: $0.line, reason: "\(layer.module) must not import \($0.module)")
    }
    if !layer.isPlatformSpecific {
      found += SwiftScanner.platformConditions(in: source).map {
        Violation(file: file, line: $0, reason: "\(layer.module) must not ask for the operating system")
      }
    }
    return found
  }

  /// Whether a file is too long to be one concept.
  static func lengthViolation(in source: String, file: String) -> Violation? {
    let lineCount = source.utf8.count { $0 == UInt8(ascii: "\n") }
    guard lineCount > lineLimit else { return nil }
    return Violation(file: file, line: lineCount, reason: "\(lineCount) lines; \(lineLimit) are the limit")
  }

  /// Where the table of layers contradicts its own order: a module may only import modules above it.
  static func orderViolations(in layers: [Layer]) -> [String] {
    var above: Set<String> = []
    var found: [String] = []
    for layer in layers {
      found += layer.own.subtracting(above).sorted().map { "\(layer.module) imports \($0), which is not above it" }
      above.insert(layer.module)
    }
    return found
  }
}
