/// Parses JSON as RFC 8259 defines it, and nothing else.
struct JSONParser {
  private var cursor: InputCursor
  private let nesting: Int

  init(_ bytes: [UInt8], nesting: Int) {
    cursor = InputCursor(bytes)
    self.nesting = nesting
  }

  /// The one value that the input holds.
  mutating func parse() throws(ParseFailure) -> JSONValue {
    let value = try value(level: 0)
    skipSpace()
    guard cursor.next == nil else { throw cursor.failure("the end of the text") }
    return value
  }

  private mutating func skipSpace() {
    _ = cursor.take { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D }
  }

  private mutating func value(level: Int) throws(ParseFailure) -> JSONValue {
    skipSpace()
    let start = cursor.offset
    switch cursor.next {
    case UInt8(ascii: "{"): return JSONValue(.object(try members(level + 1)), at: start)
    case UInt8(ascii: "["): return JSONValue(.array(try elements(level + 1)), at: start)
    case UInt8(ascii: "\""): return JSONValue(.string(try string()), at: start)
    case UInt8(ascii: "-"): return JSONValue(.number(try number()), at: start)
    case .some(let byte) where byte.isDigit: return JSONValue(.number(try number()), at: start)
    case UInt8(ascii: "t"): return JSONValue(try literal("true", .bool(true)), at: start)
    case UInt8(ascii: "f"): return JSONValue(try literal("false", .bool(false)), at: start)
    case UInt8(ascii: "n"): return JSONValue(try literal("null", .null), at: start)
    default: throw cursor.failure("a value")
    }
  }

  private mutating func literal(
    _ text: StaticString, _ content: JSONValue.Content
  ) throws(ParseFailure) -> JSONValue.Content {
    let start = cursor.offset
    let word = cursor.take { $0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "z") }
    guard String(decoding: word, as: UTF8.self) == text.description else {
      throw ParseFailure(.expected("a value"), at: start)
    }
    return content
  }

  // MARK: Aggregates

  private func checkLevel(_ level: Int) throws(ParseFailure) {
    guard level <= nesting else { throw ParseFailure(.nestingLimitExceeded(limit: nesting), at: cursor.offset) }
  }

  private mutating func elements(_ level: Int) throws(ParseFailure) -> [JSONValue] {
    try checkLevel(level)
    cursor.advance()
    skipSpace()
    var elements: [JSONValue] = []
    if cursor.take(UInt8(ascii: "]")) { return elements }
    while true {
      elements.append(try value(level: level))
      skipSpace()
      if cursor.take(UInt8(ascii: "]")) { return elements }
      guard cursor.take(UInt8(ascii: ",")) else { throw cursor.failure("',' or ']'") }
    }
  }

  private mutating func members(_ level: Int) throws(ParseFailure) -> [JSONMember] {
    try checkLevel(level)
    cursor.advance()
    skipSpace()
    var members: [JSONMember] = []
    if cursor.take(UInt8(ascii: "}")) { return members }
    while true {
      skipSpace()
      guard cursor.next == UInt8(ascii: "\"") else { throw cursor.failure("a name in quotes") }
      let name = try string()
      skipSpace()
      guard cursor.take(UInt8(ascii: ":")) else { throw cursor.failure("':'") }
      members.append(JSONMember(name: name, value: try value(level: level)))
      skipSpace()
      if cursor.take(UInt8(ascii: "}")) { return members }
      guard cursor.take(UInt8(ascii: ",")) else { throw cursor.failure("',' or '}'") }
    }
  }

  // MARK: Numbers and strings

  private mutating func number() throws(ParseFailure) -> String {
    let start = cursor.offset
    _ = cursor.take(UInt8(ascii: "-"))
    if !cursor.take(UInt8(ascii: "0")) { try digits() }
    if cursor.take(UInt8(ascii: ".")) { try digits() }
    if cursor.take(UInt8(ascii: "e")) || cursor.take(UInt8(ascii: "E")) {
      if !cursor.take(UInt8(ascii: "+")) { _ = cursor.take(UInt8(ascii: "-")) }
      try digits()
    }
    return String(decoding: cursor.bytes[start..<cursor.offset], as: UTF8.self)
  }

  private mutating func digits() throws(ParseFailure) {
    guard !cursor.take(while: \.isDigit).isEmpty else { throw cursor.failure("a digit") }
  }

  private mutating func string() throws(ParseFailure) -> String {
    let start = cursor.offset
    cursor.advance()
    var bytes: [UInt8] = []
    while true {
      bytes += cursor.take { $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
      if cursor.take(UInt8(ascii: "\"")) { break }
      guard cursor.take(UInt8(ascii: "\\")) else { throw cursor.failure("the end of the string") }
      try escaped(into: &bytes)
    }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw ParseFailure(.notUTF8, at: start) }
    return text
  }

  private mutating func escaped(into bytes: inout [UInt8]) throws(ParseFailure) {
    let value: UInt8
    switch cursor.next {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): value = cursor.next ?? 0
    case UInt8(ascii: "b"): value = 8
    case UInt8(ascii: "t"): value = 9
    case UInt8(ascii: "n"): value = 10
    case UInt8(ascii: "f"): value = 12
    case UInt8(ascii: "r"): value = 13
    case UInt8(ascii: "u"):
      bytes += String(Character(try scalar())).utf8
      return
    default: throw cursor.failure("an escape sequence")
    }
    cursor.advance()
    bytes.append(value)
  }

  /// The character of `uXXXX`, or of two such that are a surrogate pair.
  private mutating func scalar() throws(ParseFailure) -> Unicode.Scalar {
    let start = cursor.offset
    let first = try codeUnit()
    if let scalar = Unicode.Scalar(first) { return scalar }
    guard first < 0xDC00, cursor.take(UInt8(ascii: "\\")), cursor.next == UInt8(ascii: "u") else {
      throw ParseFailure(.expected("a surrogate pair"), at: start)
    }
    let second = try codeUnit()
    guard second >= 0xDC00, second < 0xE000,
      let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
    else { throw ParseFailure(.expected("a surrogate pair"), at: start) }
    return scalar
  }

  private mutating func codeUnit() throws(ParseFailure) -> UInt32 {
    cursor.advance()
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = cursor.next?.hexDigit else { throw cursor.failure("four hexadecimal digits") }
      value = value << 4 | UInt32(digit)
      cursor.advance()
    }
    return value
  }
}
