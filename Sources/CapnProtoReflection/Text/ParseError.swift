/// Why a text or JSON could not be parsed: what was wrong, and where.
public struct ParseError: Error, Sendable, Hashable {
  /// What was wrong.
  public enum Kind: Sendable, Hashable {
    /// Something else was expected there.
    case expected(String)
    /// A string holds bytes that are not UTF-8.
    case notUTF8
    /// Values are nested deeper than `limit`.
    case nestingLimitExceeded(limit: Int)
    /// The input has more than `limit` bytes.
    case sizeLimitExceeded(limit: Int)
    /// The value does not fit what it is for.
    case value(ReflectionError)
  }

  /// What was wrong.
  public let kind: Kind
  /// The byte in the input.
  public let offset: Int
  /// The line, counted from 1.
  public let line: Int
  /// The byte in the line, counted from 1.
  public let column: Int

  /// An error at byte `offset` of `input`.
  init(_ kind: Kind, at offset: Int, in input: [UInt8]) {
    self.kind = kind
    self.offset = offset
    let before = input.prefix(offset)
    line = before.count { $0 == UInt8(ascii: "\n") } + 1
    column = offset - (before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0) + 1
  }
}

extension ParseError: CustomStringConvertible {
  /// Where it was, and what was wrong, in one line.
  public var description: String { "\(line):\(column): \(kind)" }
}

extension ParseError.Kind: CustomStringConvertible {
  /// What was wrong, in one line.
  public var description: String {
    switch self {
    case .expected(let what): "expected \(what)"
    case .notUTF8: "the string is not valid UTF-8"
    case .nestingLimitExceeded(let limit): "values are nested deeper than \(limit) levels"
    case .sizeLimitExceeded(let limit): "the input has more than \(limit) bytes"
    case .value(let error): "\(error)"
    }
  }
}

/// What is wrong at a byte of the input: the form in which parsers hand errors up, before lines are counted.
struct ParseFailure: Error {
  let kind: ParseError.Kind
  let offset: Int

  init(_ kind: ParseError.Kind, at offset: Int) {
    self.kind = kind
    self.offset = offset
  }

  func located(in input: [UInt8]) -> ParseError { ParseError(kind, at: offset, in: input) }
}

/// Bytes that are taken one after the other.
struct InputCursor {
  let bytes: [UInt8]
  private(set) var offset = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// The next byte; nil at the end.
  var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

  /// The byte after the next `distance`; nil behind the end.
  func peek(_ distance: Int) -> UInt8? { offset + distance < bytes.count ? bytes[offset + distance] : nil }

  mutating func advance(_ count: Int = 1) { offset = min(offset + count, bytes.count) }

  /// Takes `byte` if it is the next.
  mutating func take(_ byte: UInt8) -> Bool {
    guard next == byte else { return false }
    offset += 1
    return true
  }

  /// Takes bytes as long as they are such.
  mutating func take(while matches: (UInt8) -> Bool) -> ArraySlice<UInt8> {
    let start = offset
    while let byte = next, matches(byte) { offset += 1 }
    return bytes[start..<offset]
  }

  func failure(_ expected: String) -> ParseFailure { ParseFailure(.expected(expected), at: offset) }
}

extension UInt8 {
  /// The value of a hexadecimal digit; nil for other characters.
  var hexDigit: UInt8? {
    switch self {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  var isDigit: Bool { self >= UInt8(ascii: "0") && self <= UInt8(ascii: "9") }
}
