/// How values are written in Swift.
enum Literal {
  /// A string literal on one line, whatever the text contains.
  static func string(_ text: String) -> String {
    var literal = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": literal += "\\\""
      case "\\": literal += "\\\\"
      case "\n": literal += "\\n"
      case "\r": literal += "\\r"
      case "\t": literal += "\\t"
      case "\u{0}"..<"\u{20}", "\u{7f}"..<"\u{a0}", "\u{2028}"..."\u{202e}", "\u{2066}"..."\u{2069}", "\u{feff}":
        literal += "\\u{\(String(scalar.value, radix: 16))}"
      default: literal.unicodeScalars.append(scalar)
      }
    }
    return literal + "\""
  }

  /// A floating-point literal with exactly these bits, or an expression where none exists.
  static func float(bits: UInt32) -> String {
    let value = Float(bitPattern: bits)
    if value.isFinite { return "\(value)" }
    return infinity(value) ?? ".init(bitPattern: 0x\(String(bits, radix: 16)))"
  }

  /// The same for 64 bits.
  static func double(bits: UInt64) -> String {
    let value = Double(bitPattern: bits)
    if value.isFinite { return "\(value)" }
    return infinity(value) ?? ".init(bitPattern: 0x\(String(bits, radix: 16)))"
  }

  /// `[0x0000000000000001, …]` in lines of four.
  static func words(_ words: [UInt64]) -> [String] {
    stride(from: 0, to: words.count, by: 4).map { start in
      words[start..<min(start + 4, words.count)].map { "0x" + hex($0) + "," }.joined(separator: " ")
    }
  }

  private static func infinity(_ value: some BinaryFloatingPoint) -> String? {
    value.isInfinite ? (value < 0 ? "-.infinity" : ".infinity") : nil
  }
}
