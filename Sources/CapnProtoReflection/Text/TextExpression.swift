/// A value as the text form says it, before its type is known.
struct TextExpression {
  let value: Value
  /// The byte of the input where it begins.
  let offset: Int

  indirect enum Value {
    case integer(magnitude: UInt64, isNegative: Bool)
    case float(Double)
    /// The bytes of one or more strings in quotes.
    case string([UInt8])
    /// The bytes of `0x"…"`.
    case binary([UInt8])
    case name(String)
    case list([TextExpression])
    case tuple([(name: String, value: TextExpression)])
    /// A value in parentheses: the value, or if it is a number, an enumerant that the schema does not know.
    case parenthesized(TextExpression)
  }
}

/// Parses the text form: the values of the schema language.
struct TextParser {
  private var cursor: InputCursor
  private let nesting: Int

  init(_ bytes: [UInt8], nesting: Int) {
    cursor = InputCursor(bytes)
    self.nesting = nesting
  }

  /// The one value that the input holds.
  mutating func parse() throws(ParseFailure) -> TextExpression {
    let value = try expression(level: 0)
    skipSpace()
    guard cursor.next == nil else { throw cursor.failure("the end of the text") }
    return value
  }

  private mutating func skipSpace() {
    while let byte = cursor.next {
      switch byte {
      case 9...13, 32: cursor.advance()
      case UInt8(ascii: "#"): _ = cursor.take { $0 != UInt8(ascii: "\n") }
      default: return
      }
    }
  }

  private mutating func expression(level: Int) throws(ParseFailure) -> TextExpression {
    skipSpace()
    let start = cursor.offset
    guard level <= nesting else { throw ParseFailure(.nestingLimitExceeded(limit: nesting), at: start) }
    guard let byte = cursor.next else { throw cursor.failure("a value") }
    let value: TextExpression.Value
    switch byte {
    case UInt8(ascii: "("): value = try tuple(level)
    case UInt8(ascii: "["): value = try list(level)
    case UInt8(ascii: "\""): value = .string(try strings())
    case UInt8(ascii: "-"):
      cursor.advance()
      skipSpace()
      value = try negative()
    case _ where byte.isDigit: value = try number()
    case _ where Self.isNameByte(byte): value = .name(name())
    default: throw cursor.failure("a value")
    }
    return TextExpression(value: value, offset: start)
  }

  // MARK: Aggregates

  private mutating func list(_ level: Int) throws(ParseFailure) -> TextExpression.Value {
    cursor.advance()
    var elements: [TextExpression] = []
    while true {
      skipSpace()
      if cursor.take(UInt8(ascii: "]")) { return .list(elements) }
      elements.append(try expression(level: level + 1))
      skipSpace()
      if cursor.take(UInt8(ascii: ",")) { continue }
      guard cursor.next == UInt8(ascii: "]") else { throw cursor.failure("',' or ']'") }
    }
  }

  private mutating func tuple(_ level: Int) throws(ParseFailure) -> TextExpression.Value {
    cursor.advance()
    var members: [(name: String, value: TextExpression)] = []
    while true {
      skipSpace()
      if cursor.take(UInt8(ascii: ")")) { return .tuple(members) }
      guard let byte = cursor.next, Self.isNameByte(byte), !byte.isDigit else {
        if members.isEmpty, cursor.next != nil { return try parenthesized(level) }
        throw cursor.failure("a field's name")
      }
      let start = cursor
      let name = name()
      skipSpace()
      guard cursor.take(UInt8(ascii: "=")) else {
        guard members.isEmpty, cursor.next == UInt8(ascii: ")") else { throw cursor.failure("'='") }
        cursor = start
        return try parenthesized(level)
      }
      members.append((name, try expression(level: level + 1)))
      skipSpace()
      if cursor.take(UInt8(ascii: ",")) { continue }
      guard cursor.next == UInt8(ascii: ")") else { throw cursor.failure("',' or ')'") }
    }
  }

  private mutating func parenthesized(_ level: Int) throws(ParseFailure) -> TextExpression.Value {
    let value = try expression(level: level + 1)
    skipSpace()
    guard cursor.take(UInt8(ascii: ")")) else { throw cursor.failure("')'") }
    return .parenthesized(value)
  }

  // MARK: Names and numbers

  private static func isNameByte(_ byte: UInt8) -> Bool {
    byte.isDigit || byte == UInt8(ascii: "_") || byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")
  }

  private mutating func name() -> String { String(decoding: cursor.take(while: Self.isNameByte), as: UTF8.self) }

  private mutating func negative() throws(ParseFailure) -> TextExpression.Value {
    let start = cursor.offset
    if let byte = cursor.next, !byte.isDigit {
      guard name() == "inf" else { throw ParseFailure(.expected("a number"), at: start) }
      return .float(-.infinity)
    }
    switch try number() {
    case .integer(let magnitude, _): return .integer(magnitude: magnitude, isNegative: true)
    case .float(let value): return .float(-value)
    default: throw ParseFailure(.expected("a number"), at: start)
    }
  }

  private mutating func number() throws(ParseFailure) -> TextExpression.Value {
    let start = cursor.offset
    if cursor.next == UInt8(ascii: "0"), cursor.peek(1).map({ $0 | 0x20 }) == UInt8(ascii: "x") {
      cursor.advance(2)
      if cursor.next == UInt8(ascii: "\"") { return .binary(try hexBytes()) }
      let digits = cursor.take { $0.hexDigit != nil }
      return try integer(digits, radix: 16, at: start)
    }
    let digits = cursor.take(while: \.isDigit)
    var isFloat = false
    if cursor.take(UInt8(ascii: ".")) {
      isFloat = true
      _ = cursor.take(while: \.isDigit)
    }
    if cursor.next.map({ $0 | 0x20 }) == UInt8(ascii: "e") {
      isFloat = true
      cursor.advance()
      if cursor.next == UInt8(ascii: "-") || cursor.next == UInt8(ascii: "+") { cursor.advance() }
      guard cursor.next?.isDigit == true else { throw cursor.failure("an exponent") }
      _ = cursor.take(while: \.isDigit)
    }
    if !isFloat {
      return try integer(digits, radix: digits.first == UInt8(ascii: "0") && digits.count > 1 ? 8 : 10, at: start)
    }
    try checkEndOfNumber()
    var text = String(decoding: cursor.bytes[start..<cursor.offset], as: UTF8.self)
    if text.hasSuffix(".") { text.append("0") }
    guard let value = Double(text.replacingPointBeforeExponent) else {
      throw ParseFailure(.expected("a number"), at: start)
    }
    return .float(value)
  }

  private func integer(
    _ digits: ArraySlice<UInt8>, radix: Int, at start: Int
  ) throws(ParseFailure) -> TextExpression.Value {
    try checkEndOfNumber()
    guard let value = UInt64(String(decoding: digits, as: UTF8.self), radix: radix) else {
      throw ParseFailure(.expected("an integer of 64 bits"), at: start)
    }
    return .integer(magnitude: value, isNegative: false)
  }

  private func checkEndOfNumber() throws(ParseFailure) {
    if let byte = cursor.next, Self.isNameByte(byte) || byte == UInt8(ascii: ".") {
      throw cursor.failure("the end of the number")
    }
  }

  // MARK: Strings

  /// Strings that follow one another are one.
  private mutating func strings() throws(ParseFailure) -> [UInt8] {
    var bytes: [UInt8] = []
    while cursor.next == UInt8(ascii: "\"") {
      try quoted(into: &bytes)
      skipSpace()
    }
    return bytes
  }

  private mutating func quoted(into bytes: inout [UInt8]) throws(ParseFailure) {
    cursor.advance()
    while let byte = cursor.next {
      switch byte {
      case UInt8(ascii: "\""):
        cursor.advance()
        return
      case UInt8(ascii: "\n"): throw cursor.failure("the end of the string")
      case UInt8(ascii: "\\"):
        cursor.advance()
        bytes.append(try escaped())
      default:
        bytes.append(byte)
        cursor.advance()
      }
    }
    throw cursor.failure("the end of the string")
  }

  private mutating func escaped() throws(ParseFailure) -> UInt8 {
    guard let byte = cursor.next else { throw cursor.failure("an escape sequence") }
    if byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "7") { return try octal() }
    let value: UInt8
    switch byte {
    case UInt8(ascii: "a"): value = 7
    case UInt8(ascii: "b"): value = 8
    case UInt8(ascii: "t"): value = 9
    case UInt8(ascii: "n"): value = 10
    case UInt8(ascii: "v"): value = 11
    case UInt8(ascii: "f"): value = 12
    case UInt8(ascii: "r"): value = 13
    case UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "\\"), UInt8(ascii: "?"): value = byte
    case UInt8(ascii: "x"):
      guard let high = cursor.peek(1)?.hexDigit, let low = cursor.peek(2)?.hexDigit else {
        throw cursor.failure("two hexadecimal digits")
      }
      cursor.advance(2)
      value = high << 4 | low
    default: throw cursor.failure("an escape sequence")
    }
    cursor.advance()
    return value
  }

  private mutating func octal() throws(ParseFailure) -> UInt8 {
    var value = 0
    for _ in 0..<3 {
      guard let digit = cursor.next, digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "7") else { break }
      value = value << 3 | Int(digit - UInt8(ascii: "0"))
      cursor.advance()
    }
    guard let byte = UInt8(exactly: value) else { throw cursor.failure("a byte in octal digits") }
    return byte
  }

  private mutating func hexBytes() throws(ParseFailure) -> [UInt8] {
    cursor.advance()
    var bytes: [UInt8] = []
    var high: UInt8?
    while let byte = cursor.next {
      cursor.advance()
      if let digit = byte.hexDigit {
        if let first = high {
          bytes.append(first << 4 | digit)
          high = nil
        } else {
          high = digit
        }
      } else if byte == UInt8(ascii: "\""), high == nil {
        return bytes
      } else if byte != UInt8(ascii: " ") || high != nil {
        throw cursor.failure("pairs of hexadecimal digits")
      }
    }
    throw cursor.failure("the end of the bytes")
  }
}

extension String {
  /// With a digit after the point, which the standard library wants: `1.e5` is `1.0e5`.
  fileprivate var replacingPointBeforeExponent: String {
    guard let point = firstIndex(of: "."), let next = self[point...].dropFirst().first, !next.isNumber else {
      return self
    }
    return self[...point] + "0" + self[index(after: point)...]
  }
}

extension TextExpression {
  /// The value without parentheses around it.
  var unwrapped: TextExpression {
    guard case .parenthesized(let inner) = value else { return self }
    return inner.unwrapped
  }
}
