import CapnProtoReflection
import TestSupport

/// Writes random values to a struct of any schema, so that every pointer that is set leads to something.
struct RandomFiller {
  private var random: SeededGenerator
  private var left = 400

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  mutating func fill(_ structure: borrowing DynamicStruct.Builder, level: Int = 0) throws {
    let members = structure.schema.fields.filter { $0.discriminant != nil }
    for field in structure.schema.fields where field.discriminant == nil {
      if field.isGroup || Bool.random(using: &random) { try fill(field, of: structure, level) }
    }
    if let member = members.randomElement(using: &random) { try fill(member, of: structure, level) }
  }

  private mutating func fill(_ field: Schema.Field, of structure: borrowing DynamicStruct.Builder, _ level: Int) throws
  {
    left -= 1
    switch field.type {
    case .structure:
      guard field.isGroup || (level < 6 && left > 0) else { return }
      let inner = try structure.initStruct(field)
      try fill(inner, level: level + 1)
    case .list:
      let list = try structure.initList(field, count: count(level))
      try fill(list, level: level + 1)
    case .anyPointer, .interface: break
    case let type: try structure.set(field, to: value(type))
    }
  }

  private mutating func fill(_ list: borrowing DynamicList.Builder, level: Int) throws {
    for index in list.indices {
      left -= 1
      switch list.elementType {
      case .structure:
        let inner = try list.structure(index)
        try fill(inner, level: level + 1)
      case .list:
        let inner = try list.initList(index, count: count(level))
        try fill(inner, level: level + 1)
      case .anyPointer, .interface: break
      case let type: try list.set(index, to: value(type))
      }
    }
  }

  private mutating func count(_ level: Int) -> Int { left > 0 && level < 8 ? Int.random(in: 0...5, using: &random) : 0 }

  private mutating func value(_ type: Schema.ValueType) -> PlainValue {
    switch type {
    case .bool: .bool(Bool.random(using: &random))
    case .int8: .int(Int64(Int8.random(in: .min ... .max, using: &random)))
    case .int16: .int(Int64(Int16.random(in: .min ... .max, using: &random)))
    case .int32: .int(Int64(Int32.random(in: .min ... .max, using: &random)))
    case .int64: .int(Int64.random(in: .min ... .max, using: &random))
    case .uint8: .uint(random.next() & 0xFF)
    case .uint16: .uint(random.next() & 0xFFFF)
    case .uint32: .uint(random.next() & 0xFFFF_FFFF)
    case .uint64: .uint(random.next())
    case .float32: .float(float32())
    case .float64: .float(float64())
    case .text: .text(text())
    case .data:
      .data((0..<Int.random(in: 0...9, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) })
    case .enumeration(let schema): .uint(random.next() % UInt64(schema.count + 2))
    default: .void
    }
  }

  /// What 8 digits tell apart, which is as many as are printed.
  private mutating func float32() -> Double {
    let special: [Double] = [.nan, .infinity, -.infinity, -0.0]
    if let value = special.randomElement(using: &random), Bool.random(using: &random) { return value }
    return Double(Float(Int32.random(in: -99999...99999, using: &random)) / 64)
  }

  private mutating func float64() -> Double {
    let value = Double(bitPattern: random.next())
    return value.isNaN ? .nan : value
  }

  private mutating func text() -> String {
    let characters: [Character] = [
      "a", "B", "7", " ", "\"", "\\", "'", "/", "\n", "\t", "\u{1}", "\u{7f}", "é", "漢", "😀", "\0",
    ]
    return String(
      (0..<Int.random(in: 0...12, using: &random)).map { _ in characters.randomElement(using: &random) ?? "x" })
  }
}
