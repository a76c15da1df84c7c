/// Reads as much of Swift as the import rules need: what is code, and what is comment or string.
enum SwiftScanner {
  /// The source with the contents of comments and string literals replaced by spaces; line breaks stay, so that line
  /// numbers hold. Interpolations count as string contents.
  static func codeOnly(_ source: String) -> String {
    var code: [UInt8] = []
    let bytes = Array(source.utf8)
    code.reserveCapacity(bytes.count)
    var position = 0

    func at(_ text: String) -> Bool { bytes[position...].starts(with: text.utf8) }
    func skip(_ count: Int) {
      for byte in bytes[position..<min(position + count, bytes.count)] {
        code.append(byte == UInt8(ascii: "\n") ? byte : UInt8(ascii: " "))
      }
      position = min(position + count, bytes.count)
    }

    let beginnings: Set<UInt8> = [UInt8(ascii: "/"), UInt8(ascii: "\""), UInt8(ascii: "#")]
    while position < bytes.count {
      guard beginnings.contains(bytes[position]) else {
        code.append(bytes[position])
        position += 1
        continue
      }
      if at("//") {
        while position < bytes.count, bytes[position] != UInt8(ascii: "\n") { skip(1) }
      } else if at("/*") {
        var depth = 0
        repeat {
          if at("/*") {
            depth += 1
            skip(2)
          } else if at("*/") {
            depth -= 1
            skip(2)
          } else {
            skip(1)
          }
        } while depth > 0 && position < bytes.count
      } else if let literal = StringLiteral(bytes[position...]) {
        skip(literal.openingCount)
        while position < bytes.count, !at(literal.closing) {
          skip(at(literal.escape) ? literal.escape.utf8.count + 1 : 1)
        }
        skip(literal.closing.utf8.count)
      } else {
        code.append(bytes[position])
        position += 1
      }
    }
    return String(decoding: code, as: UTF8.self)
  }

  /// A string literal's delimiters, from the bytes where it may begin: `"`, `"""`, and both with any number of `#`.
  private struct StringLiteral {
    let openingCount: Int
    let closing: String
    let escape: String

    init?(_ bytes: ArraySlice<UInt8>) {
      let hashes = bytes.prefix { $0 == UInt8(ascii: "#") }.count
      let quotes = bytes.dropFirst(hashes).prefix(3).prefix { $0 == UInt8(ascii: "\"") }.count
      guard quotes > 0 else { return nil }
      let quoteCount = quotes == 3 ? 3 : 1
      openingCount = hashes + quoteCount
      closing = String(repeating: "\"", count: quoteCount) + String(repeating: "#", count: hashes)
      escape = "\\" + String(repeating: "#", count: hashes)
    }
  }

  /// One `import`, with the line it stands on.
  struct Import: Equatable {
    let module: String
    let line: Int
  }

  /// The modules that the source imports: `import M`, with attributes, an access level, a kind (`import struct M.T`) or
  /// a submodule (`import M.N`).
  static func imports(in source: String) -> [Import] {
    let kinds: Set<String> = ["struct", "class", "enum", "protocol", "typealias", "func", "let", "var"]
    var found: [Import] = []
    for (index, line) in codeOnly(source).split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      for statement in line.split(separator: ";") {
        let words = statement.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "\r" }).map(String.init)
        guard let keyword = words.firstIndex(of: "import"), words[..<keyword].allSatisfy(isImportModifier) else {
          continue
        }
        let path = words[(keyword + 1)...].drop { kinds.contains($0) }.first
        if let module = path?.split(separator: ".").first {
          found.append(Import(module: String(module), line: index + 1))
        }
      }
    }
    return found
  }

  /// The lines that ask for the operating system: `#if os(…)` and `#if canImport(Glibc)`.
  static func platformConditions(in source: String) -> [Int] {
    codeOnly(source).split(separator: "\n", omittingEmptySubsequences: false).enumerated().compactMap { index, line in
      let squeezed = line.filter { $0 != " " && $0 != "\t" }
      guard squeezed.hasPrefix("#if") || squeezed.hasPrefix("#elseif") else { return nil }
      let asks = squeezed.contains("os(") || Layer.platformModules.contains { squeezed.contains("canImport(\($0))") }
      return asks ? index + 1 : nil
    }
  }

  private static func isImportModifier(_ word: String) -> Bool {
    word.hasPrefix("@") || ["public", "package", "internal", "fileprivate", "private"].contains(word)
  }
}
