import CapnProto

extension DynamicStruct.Reader {
  /// The struct in the text form of the schema language, as `capnp decode` prints it: `(name = "x", list = [1, 2])`. Fields
  /// whose pointers are null are left out.
  ///
  /// - Throws: ``ReflectionError``: what is wrong with the message; `nestingLimitExceeded`; or `sizeLimitExceeded`.
  public func text(_ options: TextOptions = TextOptions()) throws(ReflectionError) -> String {
    var printer = TextPrinter(options)
    return String(decoding: try printer.print(self, level: 1, .bare), as: UTF8.self)
  }
}

extension DynamicList.Reader {
  /// The list in the text form of the schema language: `[1, 2]`.
  ///
  /// - Throws: As for structs.
  public func text(_ options: TextOptions = TextOptions()) throws(ReflectionError) -> String {
    var printer = TextPrinter(options)
    return String(decoding: try printer.print(self, level: 1, .bare), as: UTF8.self)
  }
}

/// Prints values from the inside out, since what is inside decides how what is around it is broken into lines.
struct TextPrinter {
  private let options: TextOptions
  private var bytesLeft: Int

  /// What stands before a value.
  enum Position {
    /// The value begins its line, or follows the bracket of a list.
    case bare
    /// A name.
    case afterName
  }

  init(_ options: TextOptions) {
    self.options = options
    bytesLeft = options.byteLimit
  }

  // MARK: Values

  private mutating func print(
    _ value: borrowing DynamicValue, level: Int, _ position: Position
  ) throws(ReflectionError) -> [UInt8] {
    switch value {
    case .void: return try leaf("void")
    case .bool(let value): return try leaf(value ? "true" : "false")
    case .int(let value): return try leaf(String(value))
    case .uint(let value): return try leaf(String(value))
    case .float32(let value): return try leaf(DecimalForm.text(value))
    case .float64(let value): return try leaf(DecimalForm.text(value))
    case .text(let text): return try quoted(text.utf8.count) { Self.escape(text.utf8, isText: true, into: &$0) }
    case .data(let data):
      return try quoted(data.byteCount) { output in
        // Bytes of the message, each looked at once.
        unsafe data.withUnsafeBytes { unsafe Self.escape($0, isText: false, into: &output) }
      }
    case .enumeration(let value): return try leaf(value.enumerant?.name ?? "(\(value.rawValue))")
    case .list(let list): return try print(list, level: level, position)
    case .structure(let structure): return try print(structure, level: level, position)
    case .capability: return try leaf("<external capability>")
    case .anyPointer: return try leaf("<opaque pointer>")
    }
  }

  mutating func print(
    _ list: borrowing DynamicList.Reader, level: Int, _ position: Position
  ) throws(ReflectionError) -> [UInt8] {
    try checkLevel(level)
    var items: [[UInt8]] = []
    for index in list.indices { items.append(try print(list[index], level: level + 1, .bare)) }
    return [UInt8(ascii: "[")] + (try join(items, level, position, isRecord: false)) + [UInt8(ascii: "]")]
  }

  mutating func print(
    _ structure: borrowing DynamicStruct.Reader, level: Int, _ position: Position
  ) throws(ReflectionError) -> [UInt8] {
    try checkLevel(level)
    var items: [[UInt8]] = []
    let active = structure.which
    for field in structure.schema.fields {
      if field.discriminant != nil {
        // The union's member is printed in its place, but for the first one if it is a null pointer.
        guard field.index == active?.index else { continue }
        let isValue = try structure.has(field)
        guard isValue || field.discriminant != 0 else { continue }
      } else {
        guard try structure.has(field) else { continue }
      }
      let name = try leaf(field.name + " = ")
      items.append(name + (try print(structure[field], level: level + 1, .afterName)))
    }
    return [UInt8(ascii: "(")] + (try join(items, level, position, isRecord: true)) + [UInt8(ascii: ")")]
  }

  // MARK: Lines

  /// The items, in one line if they are short, else each in its own.
  private mutating func join(
    _ items: [[UInt8]], _ level: Int, _ position: Position, isRecord: Bool
  ) throws(ReflectionError) -> [UInt8] {
    let isBroken = options.isPretty && !Self.fitOneLine(items, isRecord: isRecord)
    let indentation = [UInt8](repeating: UInt8(ascii: " "), count: level * 2)
    let lineBreak = [UInt8(ascii: "\n")] + indentation
    let delimiter = isBroken ? [UInt8(ascii: ",")] + lineBreak : Array(", ".utf8)
    try spend(items.count * delimiter.count + lineBreak.count + 3)
    var joined: [UInt8] = []
    joined.reserveCapacity(items.reduce(lineBreak.count + 1) { $0 + $1.count + delimiter.count })
    if isBroken { joined += position == .bare ? [UInt8(ascii: " ")] : lineBreak }
    for (index, item) in items.enumerated() {
      if index > 0 { joined += delimiter }
      joined += item
    }
    if isBroken { joined.append(UInt8(ascii: " ")) }
    return joined
  }

  /// Whether no item has more than 24 bytes or a line break, and all of a struct's together have no more than 64.
  private static func fitOneLine(_ items: [[UInt8]], isRecord: Bool) -> Bool {
    var total = 0
    for item in items {
      if item.count > 24 || item.contains(UInt8(ascii: "\n")) { return false }
      total += item.count
      if isRecord && total > 64 { return false }
    }
    return true
  }

  // MARK: Limits

  private mutating func spend(_ byteCount: Int) throws(ReflectionError) {
    guard byteCount <= bytesLeft else { throw ReflectionError(.sizeLimitExceeded(limit: options.byteLimit)) }
    bytesLeft -= byteCount
  }

  private mutating func leaf(_ text: String) throws(ReflectionError) -> [UInt8] {
    try spend(text.utf8.count)
    return Array(text.utf8)
  }

  private func checkLevel(_ level: Int) throws(ReflectionError) {
    guard level <= options.nesting else { throw ReflectionError(.nestingLimitExceeded(limit: options.nesting)) }
  }

  // MARK: Strings

  private mutating func quoted(
    _ byteCount: Int, _ escape: (inout [UInt8]) -> Void
  ) throws(ReflectionError) -> [UInt8] {
    // The escaped form has as many bytes at least; what is beyond is counted afterwards, and no more than fourfold.
    try spend(byteCount + 2)
    var text = [UInt8(ascii: "\"")]
    text.reserveCapacity(byteCount + 2)
    escape(&text)
    text.append(UInt8(ascii: "\""))
    try spend(text.count - byteCount - 2)
    return text
  }

  private static func escape(_ bytes: some Sequence<UInt8>, isText: Bool, into output: inout [UInt8]) {
    let backslash = UInt8(ascii: "\\")
    for byte in bytes {
      switch byte {
      case 7: output += [backslash, UInt8(ascii: "a")]
      case 8: output += [backslash, UInt8(ascii: "b")]
      case 9: output += [backslash, UInt8(ascii: "t")]
      case 10: output += [backslash, UInt8(ascii: "n")]
      case 11: output += [backslash, UInt8(ascii: "v")]
      case 12: output += [backslash, UInt8(ascii: "f")]
      case 13: output += [backslash, UInt8(ascii: "r")]
      case UInt8(ascii: "\""), UInt8(ascii: "'"), backslash: output += [backslash, byte]
      case 0x20..<0x7F: output.append(byte)
      case 0x80... where isText: output.append(byte)
      default:
        let zero = UInt8(ascii: "0")
        output += [backslash, zero + byte >> 6, zero + byte >> 3 & 7, zero + byte & 7]
      }
    }
  }
}
