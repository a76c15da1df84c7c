import CapnProto

extension DynamicStruct.Builder {
  /// Sets the fields that `text` names, in the text form that `capnp encode` reads and ``DynamicStruct/Reader/text(_:)``
  /// prints. Other fields stay as they are.
  ///
  /// An enumerant may also be a number in parentheses, as one that the schema does not know is printed. Pointers of any
  /// type, capabilities, and constants of schemas cannot be written so.
  ///
  /// - Throws: ``ParseError``, with the place in the text. The struct then may be partly filled.
  public func parse(text: String, _ options: TextOptions = TextOptions()) throws(ParseError) {
    let bytes = Array(text.utf8)
    guard bytes.count <= options.byteLimit else {
      throw ParseError(.sizeLimitExceeded(limit: options.byteLimit), at: 0, in: [])
    }
    do throws(ParseFailure) {
      var parser = TextParser(bytes, nesting: options.nesting)
      let expression = try parser.parse()
      guard case .tuple(let members) = expression.value else {
        throw ParseFailure(.expected("a struct in parentheses"), at: expression.offset)
      }
      try fill(members)
    } catch {
      throw error.located(in: bytes)
    }
  }

  /// Recursion ends with the expression, whose depth is limited.
  fileprivate func fill(_ members: [(name: String, value: TextExpression)]) throws(ParseFailure) {
    for (name, expression) in members {
      guard let field = schema.field(named: name) else {
        throw ParseFailure(
          .value(ReflectionError(.noSuchMember(name), type: schema.displayName)), at: expression.offset)
      }
      switch (type(of: field), expression.unwrapped.value) {
      case (.structure, .tuple(let members)): try initStruct(field, at: expression.offset).fill(members)
      case (.list, .list(let elements)):
        try initList(field, count: elements.count, at: expression.offset).fill(elements)
      case (let type, _): try set(field, to: try expression.plain(as: type), at: expression.offset)
      }
    }
  }
}

extension DynamicList.Builder {
  fileprivate func fill(_ elements: [TextExpression]) throws(ParseFailure) {
    for (index, expression) in elements.enumerated() {
      switch (elementType, expression.unwrapped.value) {
      case (.structure, .tuple(let members)): try structure(index, at: expression.offset).fill(members)
      case (.list, .list(let elements)):
        try initList(index, count: elements.count, at: expression.offset).fill(elements)
      default: try set(index, to: try expression.plain(as: elementType), at: expression.offset)
      }
    }
  }
}

extension TextExpression {
  /// The value as one of `type`, which is no struct and no list.
  fileprivate func plain(as type: Schema.ValueType) throws(ParseFailure) -> PlainValue {
    switch (type, value) {
    case (.void, .name("void")): return .void
    case (.bool, .name("true")): return .bool(true)
    case (.bool, .name("false")): return .bool(false)
    case (.float32, .name("inf")), (.float64, .name("inf")): return .float(.infinity)
    case (.float32, .name("nan")), (.float64, .name("nan")): return .float(.nan)
    case (.enumeration, .name(let name)): return .text(name)
    case (.enumeration, .parenthesized(let inner)):
      guard case .integer(let number, false) = inner.value else { return try inner.plain(as: type) }
      return .uint(number)
    case (_, .parenthesized(let inner)): return try inner.plain(as: type)
    case (.enumeration, _), (.text, .integer), (.data, .integer): break
    case (.float32, .integer(let magnitude, true)), (.float64, .integer(let magnitude, true)):
      return .float(-Double(magnitude))
    case (_, .integer(let magnitude, false)): return .uint(magnitude)
    case (_, .integer(let magnitude, true)):
      guard magnitude <= 1 << 63 else { throw mismatch(type) }
      return .int(Int64(truncatingIfNeeded: 0 &- magnitude))
    case (.float32, .float(let number)), (.float64, .float(let number)): return .float(number)
    case (.text, .string(let bytes)):
      guard let text = String(validating: bytes, as: UTF8.self) else { throw ParseFailure(.notUTF8, at: offset) }
      return .text(text)
    case (.data, .string(let bytes)), (.data, .binary(let bytes)): return .data(bytes)
    default: break
    }
    throw mismatch(type)
  }

  private func mismatch(_ type: Schema.ValueType) -> ParseFailure {
    ParseFailure(.value(ReflectionError(.wrongType(expected: "\(type)", found: kind))), at: offset)
  }

  /// What this is, for errors.
  private var kind: String {
    switch value {
    case .integer: "an integer"
    case .float: "a floating-point number"
    case .string: "a string"
    case .binary: "binary data"
    case .name(let name): "'\(name)'"
    case .list: "a list"
    case .tuple: "a struct"
    case .parenthesized(let inner): inner.kind
    }
  }
}
