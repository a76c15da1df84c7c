import CapnProto
import CapnProtoReflection
import Testing
import TestSupport

@Suite struct TextPrintingTests {
  /// Both forms of the messages that `texts` describe are what the tool prints.
  private func comparePrinted(_ fixture: Fixture, _ type: String, _ texts: [String]) async throws {
    let schema = try fixture.structure(type)
    for text in texts {
      let bytes = try await fixture.convert("text:binary", type, text)
      try await comparePrinted(fixture, schema, type, bytes)
    }
  }

  private func comparePrinted(_ fixture: Fixture, _ schema: Schema.Struct, _ type: String, _ bytes: [UInt8])
    async throws
  {
    let short = try await fixture.convert("binary:text", type, bytes, ["--short"])
    let pretty = try await fixture.convert("binary:text", type, bytes)
    try withMessage(bytes, schema) { reader in
      let printed = try (reader.text(), reader.text(TextOptions(isPretty: true)))
      #expect(printed.0 + "\n" == String(decoding: short, as: UTF8.self))
      #expect(printed.1 + "\n" == String(decoding: pretty, as: UTF8.self))
    }
  }

  @Test func everyTypeIsPrintedAsTheToolDoes() async throws {
    let fixture = try await Fixture.interop("everything.capnp")
    try await comparePrinted(
      fixture, "Everything",
      [try Fixture.interopText("Oracle/everything.txt"), "()", "(text = \"\", structs = [], data = \"\")"])
    try await comparePrinted(fixture, "Defaults", ["()", "(bool = false, numbers = [], group = (number = 1))"])
    try await comparePrinted(
      fixture, "Unions",
      [
        "()", "(number = 0)", "(text = \"x\", named = (large = 5))", "(pair = (left = 1, right = \"r\"), before = 3)",
        "(nested = (name = \"n\"), group = (id = 4, inner = (two = (a = true, b = [\"x\"]))))", "(numbers = [])",
      ])
    try await comparePrinted(
      fixture, "Tree",
      [
        "(label = \"a\", children = [(label = \"b\", payload = \"\\x00\\xff\\x1b'\\\"\\n\"), (left = (left = (label = \"deep and long enough to be broken into lines\")))])"
      ])
  }

  @Test func genericTypesArePrintedAsTheToolDoes() async throws {
    let fixture = try await Fixture.interop("generics.capnp")
    try await comparePrinted(fixture, "Registry", [try Fixture.interopText("Oracle/registry.txt"), "()"])
  }

  @Test func schemasArePrintedAsTheToolDoes() async throws {
    let fixture = try await Fixture.language()
    let bytes = fixture.request
    let schema = try fixture.structure("CodeGeneratorRequest")
    try await comparePrinted(fixture, schema, "CodeGeneratorRequest", bytes)
  }

  @Test func unknownEnumerantsAndMembersArePrintedAsTheToolDoes() async throws {
    let fixture = try await Fixture.interop("everything.capnp")
    let everything = try fixture.structure("Everything")
    let enumeration = try makeMessage(everything) { try $0.set("color", to: 77) }
    try await comparePrinted(fixture, everything, "Everything", enumeration)
    let unions = try fixture.structure("Unions")
    let member = try makeMessage(unions) { $0.raw.store(UInt16(999), at: try #require(unions.discriminantOffset)) }
    try await comparePrinted(fixture, unions, "Unions", member)
  }

  @Test func floatsArePrintedAsTheToolDoes() async throws {
    let fixture = try await Fixture.interop("everything.capnp")
    let schema = try fixture.structure("Everything")
    var random = SeededGenerator(seed: 7)
    let special: [Double] = [
      0, -0.0, Double.leastNonzeroMagnitude, 2.2250738585072014e-308, 1e15, 1e16, 1e22, 1e23, 0.3, 0.1 + 0.2, 123456,
      1e-5,
    ]
    let bytes = try makeMessage(schema) { root in
      let doubles = try root.initList("float64s", count: 400)
      for index in doubles.indices {
        // Of all sizes, of a few digits, and subnormal ones.
        let value: Double =
          switch index % 4 {
          case 0: Double(bitPattern: random.next())
          case 1: Double(Int.random(in: -99999...99999, using: &random)) / 1000
          case 2: Double(bitPattern: random.next() >> UInt64.random(in: 12...63, using: &random))
          default: special[index / 4 % special.count]
          }
        try doubles.set(index, to: .float(value))
      }
      let floats = try root.initList("float32s", count: 400)
      for index in floats.indices {
        let bits =
          UInt32(truncatingIfNeeded: random.next()) >> (index % 2 == 0 ? 0 : UInt32.random(in: 9...31, using: &random))
        try floats.set(index, to: .float(Double(Float(bitPattern: bits))))
      }
    }
    try await comparePrinted(fixture, schema, "Everything", bytes)
  }

  @Test func deepAndLargeValuesEndWithALimit() async throws {
    let schema = try await Fixture.interop("everything.capnp").structure("Tree")
    var message = try MessageBuilder(rootSize: schema.size)
    let root = DynamicStruct.Builder(message.root, schema)
    try root.set("label", to: .text(String(repeating: "x", count: 1000)))
    var inner = try root.initStruct("left")
    for _ in 0..<100 { inner = try inner.initStruct("left") }
    let reader = root.asReader
    #expect(throws: ReflectionError(.nestingLimitExceeded(limit: 64))) { try reader.text() }
    #expect(throws: ReflectionError(.sizeLimitExceeded(limit: 100))) {
      try reader.text(TextOptions(nesting: 1000, byteLimit: 100))
    }
  }
}
