/// A value of a JSON text.
struct JSONValue {
  let content: Content
  /// The byte of the text where it begins; 0 for a value that is to be written.
  let offset: Int

  init(_ content: Content, at offset: Int = 0) {
    self.content = content
    self.offset = offset
  }

  enum Content {
    case null
    case bool(Bool)
    /// As it is written in the text.
    case number(String)
    case string(String)
    case array([JSONValue])
    /// An array of numbers.
    case bytes([UInt8])
    /// In the order of the text.
    case object([JSONMember])
  }

  /// What this is, for errors.
  var kind: String {
    switch content {
    case .null: "null"
    case .bool: "a boolean"
    case .number: "a number"
    case .string: "a string"
    case .array, .bytes: "an array"
    case .object: "an object"
    }
  }
}

/// A member of a JSON object.
struct JSONMember {
  let name: String
  let value: JSONValue
}
