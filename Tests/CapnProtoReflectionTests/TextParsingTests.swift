import CapnProto
import CapnProtoReflection
import Testing

@Suite struct TextParsingTests {
  /// The canonical form of the message that `text` describes, as we read it.
  private func parse(_ text: String, _ schema: Schema.Struct, _ options: TextOptions = TextOptions()) throws -> [UInt8]
  {
    let bytes = try makeMessage(schema) { try $0.parse(text: text, options) }
    return try withMessage(bytes, schema) { try $0.raw.canonicalized() }
  }

  private func compareParsed(_ fixture: Fixture, _ type: String, _ texts: [String]) async throws {
    let schema = try fixture.structure(type)
    for text in texts {
      let expected = try await fixture.convert("text:binary", type, text)
      let canonical = try withMessage(expected, schema) { try $0.raw.canonicalized() }
      #expect(try parse(text, schema) == canonical, "\(text)")
    }
  }

  @Test func everyTypeIsParsedAsTheToolDoes() async throws {
    let fixture = try await Fixture.interop("everything.capnp")
    try await compareParsed(
      fixture, "Everything",
      [
        try Fixture.interopText("Oracle/everything.txt"), "()", " ( # a comment\n int8 = -0x10, uInt8 = 017, ) ",
        "(text = \"\", data = \"abc\", nested = (), structs = [], numberLists = [[], [1]])",
        "(text = \"a\\x41\\101\\0\\n\\t\\\"\\'\\\\\\?é\" \"b\"\n # c\n \"d\", data = 0x\"00 ff a\")".replacing(
          "ff a", with: "ff 0a"),
        "(float32 = -inf, float64 = 1.5e3, float32s = [1, -2, 1., 2e2, inf], float64s = [1.e2, 0x10])",
        "(int64 = -9223372036854775808, uInt64 = 0xffffffffffffffff, int8 = 1, int8 = 2, text = \"x\", text = \"y\")",
      ])
    try await compareParsed(
      fixture, "Unions",
      [
        "(number = 0)", "(number = 7)", "(text = \"x\", named = (large = 5))", "(nothing = void)",
        "(pair = (left = 1, right = \"r\"), before = 3)", "(named = (small = 1, name = \"n\"))",
        "(nested = (name = \"n\"), group = (id = 4, inner = (two = (a = true, b = [\"x\"]))))",
      ])
    try await compareParsed(
      fixture, "Defaults",
      [
        "()", "(int8 = (5), text = ((\"x\")), color = (green))",
        "(bool = false, int8 = 0, text = \"x\", group = (number = 1), nested = (value = 1))",
      ])
  }

  @Test func genericTypesAreParsedAsTheToolDoes() async throws {
    let fixture = try await Fixture.interop("generics.capnp")
    try await compareParsed(fixture, "Registry", [try Fixture.interopText("Oracle/registry.txt")])
  }

  @Test func schemasSurviveTheirTextForm() async throws {
    let fixture = try await Fixture.language()
    let schema = try fixture.structure("CodeGeneratorRequest")
    let bytes = try await Tool.capnp(["compile", "-o-", "/usr/include/capnp/c++.capnp"])
    let (canonical, text) = try withMessage(bytes, schema) { reader in
      try (reader.raw.canonicalized(), reader.text(TextOptions(isPretty: true)))
    }
    #expect(try parse(text, schema) == canonical)
  }

  @Test(arguments: [
    ("", 0, "a value"), ("(", 1, "a field's name"), ("(text", 5, "'='"), ("(text = ", 8, "a value"),
    ("(text = \"", 9, "the end of the string"), ("(text = \"\n\")", 9, "the end of the string"),
    ("(text = \"\\q\")", 10, "an escape sequence"), ("(text = \"\\x4\")", 10, "two hexadecimal digits"),
    ("(data = 0x\"1\")", 13, "pairs of hexadecimal digits"), ("(int8 = 1 2)", 10, "',' or ')'"),
    ("(int8s = [1 2])", 12, "',' or ']'"), ("(int8 = 12x)", 10, "the end of the number"),
    ("(uInt64 = 18446744073709551616)", 10, "an integer of 64 bits"), ("() ()", 3, "the end of the text"),
    ("(float64 = 1e)", 13, "an exponent"), ("(, int8 = 1)", 1, "a value"), ("5", 0, "a struct in parentheses"),
    ("(int8 = -x)", 9, "a number"), ("(data = \"\\777\")", 13, "a byte in octal digits"),
  ])
  func malformedTextIsAnErrorWithItsPlace(_ text: String, _ offset: Int, _ expected: String) async throws {
    let schema = try await Fixture.interop("everything.capnp").structure("Everything")
    let error = #expect(throws: ParseError.self) { try parse(text, schema) }
    #expect(error?.kind == .expected(expected))
    #expect(error?.offset == offset)
  }

  @Test(arguments: [
    "(int8 = 128)", "(int8 = -129)", "(uInt8 = -1)", "(int32 = 1.5)", "(text = 5)", "(text = x)", "(color = pink)",
    "(color = 5)", "(bool = 1)", "(void = 0)", "(nested = [])", "(int8s = ())", "(int8s = 5)", "(nobody = 1)",
    "(float32 = x)", "(nested = (nobody = 1))", "(structs = [(value = x)])", "(data = [1])", "(text = 0x\"41\")",
    "(int64 = -9223372036854775809)",
  ])
  func valuesOfTheWrongTypeAreErrors(_ text: String) async throws {
    let fixture = try await Fixture.interop("everything.capnp")
    let error = #expect(throws: ParseError.self) { try parse(text, try fixture.structure("Everything")) }
    guard case .value = error?.kind else {
      Issue.record("\(String(describing: error))")
      return
    }
    await #expect(throws: Tool.Failure.self) { try await fixture.convert("text:binary", "Everything", text) }
  }

  @Test func errorsNameLineTypeAndField() async throws {
    let schema = try await Fixture.interop("everything.capnp").structure("Everything")
    let error = #expect(throws: ParseError.self) { try parse("(text = \"x\",\n  nested = (value = \"y\"))", schema) }
    #expect(error?.line == 2)
    #expect(error?.column == 21)
    #expect(error.map { "\($0)" } == "2:21: expected Int32, found a string")
    let range = #expect(throws: ParseError.self) { try parse("(int8s = [1, 999])", schema) }
    #expect(range.map { "\($0)" } == "1:14: List(Int8).[1]: 999 is no value of Int8")
  }

  @Test func limitsEndDeepAndLargeTexts() async throws {
    let schema = try await Fixture.interop("everything.capnp").structure("Tree")
    let deep = String(repeating: "(left = ", count: 100_000)
    let error = #expect(throws: ParseError.self) { try parse(deep, schema) }
    #expect(error?.kind == .nestingLimitExceeded(limit: 64))
    let brackets = #expect(throws: ParseError.self) { try parse(String(repeating: "[", count: 100_000), schema) }
    #expect(brackets?.kind == .nestingLimitExceeded(limit: 64))
    let large = #expect(throws: ParseError.self) {
      try parse("(label = \"12345\")", schema, TextOptions(byteLimit: 10))
    }
    #expect(large?.kind == .sizeLimitExceeded(limit: 10))
  }
}
