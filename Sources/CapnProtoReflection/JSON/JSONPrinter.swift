/// Prints JSON as libcapnp lays it out.
struct JSONPrinter {
  private let isPretty: Bool

  init(isPretty: Bool) { self.isPretty = isPretty }

  /// The text of `value`, which is as deep as the message that it came from may be.
  func print(_ value: JSONValue) -> [UInt8] {
    var isBroken = false
    return print(value, indentation: 0, isBroken: &isBroken, followsName: false)
  }

  private func print(_ value: JSONValue, indentation: Int, isBroken: inout Bool, followsName: Bool) -> [UInt8] {
    switch value.content {
    case .null: return Array("null".utf8)
    case .bool(let value): return Array((value ? "true" : "false").utf8)
    case .number(let text): return Array(text.utf8)
    case .string(let text): return Self.quoted(text)
    case .bytes(let bytes):
      let items = bytes.map { Array(String($0).utf8) }
      return join(items, "[", "]", indentation, hasBroken: false, isBroken: &isBroken, followsName)
    case .array(let elements):
      var hasBroken = false
      let items = elements.map {
        print($0, indentation: indentation + (elements.count > 1 ? 1 : 0), isBroken: &hasBroken, followsName: false)
      }
      return join(items, "[", "]", indentation, hasBroken: hasBroken, isBroken: &isBroken, followsName)
    case .object(let members):
      var hasBroken = false
      let colon = Array((isPretty ? ": " : ":").utf8)
      let items = members.map { member in
        Self.quoted(member.name) + colon
          + print(
            member.value, indentation: indentation + (members.count > 1 ? 1 : 0), isBroken: &hasBroken,
            followsName: true)
      }
      return join(items, "{", "}", indentation, hasBroken: hasBroken, isBroken: &isBroken, followsName)
    }
  }

  /// The items between brackets: in lines of their own if one of them is long or has several lines.
  private func join(
    _ items: [[UInt8]], _ opening: Unicode.Scalar, _ closing: Unicode.Scalar, _ indentation: Int, hasBroken: Bool,
    isBroken: inout Bool, _ followsName: Bool
  ) -> [UInt8] {
    let breaks = isPretty && items.count > 1 && (hasBroken || items.contains { $0.count > 50 })
    let lineBreak = [UInt8(ascii: "\n")] + [UInt8](repeating: UInt8(ascii: " "), count: (indentation + 1) * 2)
    let delimiter = breaks ? [UInt8(ascii: ",")] + lineBreak : Array((isPretty ? ", " : ",").utf8)
    var joined = [UInt8(ascii: opening)]
    joined.reserveCapacity(items.reduce(2) { $0 + $1.count + delimiter.count })
    if breaks {
      isBroken = true
      joined += followsName ? lineBreak : [UInt8(ascii: " ")]
    }
    for (index, item) in items.enumerated() {
      if index > 0 { joined += delimiter }
      joined += item
    }
    if breaks { joined.append(UInt8(ascii: " ")) }
    joined.append(UInt8(ascii: closing))
    return joined
  }

  private static func quoted(_ text: String) -> [UInt8] {
    let digits = Array("0123456789abcdef".utf8)
    var output = [UInt8(ascii: "\"")]
    output.reserveCapacity(text.utf8.count + 2)
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): output += [UInt8(ascii: "\\"), byte]
      case 8: output += Array("\\b".utf8)
      case 9: output += Array("\\t".utf8)
      case 10: output += Array("\\n".utf8)
      case 12: output += Array("\\f".utf8)
      case 13: output += Array("\\r".utf8)
      case 0..<0x20: output += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      default: output.append(byte)
      }
    }
    output.append(UInt8(ascii: "\""))
    return output
  }
}
