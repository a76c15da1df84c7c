import CapnProto
import CapnProtoReflection
import Testing

/// A schema with every annotation of `json.capnp`.
private let annotated = """
  using Json = import "/capnp/compat/json.capnp";
  struct Root $Json.discriminator(name = "kind") {
    plain @0 :Int32 $Json.name("the_plain");
    flat :group $Json.flatten() { x @1 :Int8; y @2 :Text; }
    pre :group $Json.flatten(prefix = "pre_") {
      x @3 :Int8;
      deep :group $Json.flatten(prefix = "deep_") { z @4 :Int64; }
    }
    b64 @5 :Data $Json.base64;
    hex @6 :Data $Json.hex;
    union {
      one @7 :Void;
      two @8 :Text $Json.name("zwei");
      three :group $Json.flatten() { a @9 :Int32; c @10 :UInt64; }
      four @11 :Inner $Json.flatten(prefix = "four_");
    }
    un :union $Json.discriminator(valueName = "value") { p @12 :Int32; q @13 :Text; v @14 :Void; s @15 :Inner; }
    un2 :union $Json.flatten(prefix = "u_") $Json.discriminator(name = "t", valueName = "val") {
      p @16 :Int32;
      q @17 :Text;
    }
    e @18 :Kind;
    lb @19 :List(Data);
    f @20 :Float32;
    last @21 :Bool;
    un3 :union $Json.discriminator() { p @22 :Int32; q @23 :Text; }
    un4 :union $Json.flatten() $Json.discriminator() { m @24 :Int32; n @25 :Text; }
    un5 :union { p @26 :Text; q @27 :Text; g :group { r @28 :Int8; } }
    le @29 :List(Kind);
  }
  struct Inner { sx @0 :Int32; st @1 :Text; }
  enum Kind { x @0 $Json.name("ex"); y @1; }
  interface Rpc { tell @0 () $Json.notification; ask @1 (); }
  """

@Suite struct JSONTests {
  /// The messages that `texts` describe become the JSON that the tool makes of them.
  private func compareEncoded(_ fixture: Fixture, _ type: String, _ texts: [String]) async throws {
    let schema = try fixture.structure(type)
    for text in texts {
      let bytes = try await fixture.convert("text:binary", type, text)
      let short = try await fixture.convert("binary:json", type, bytes, ["--short"])
      let pretty = try await fixture.convert("binary:json", type, bytes)
      try withMessage(bytes, schema) { reader in
        let encoded = try (JSONCodec().encode(reader), JSONCodec(JSONOptions(isPretty: true)).encode(reader))
        #expect(encoded.0 + "\n" == String(decoding: short, as: UTF8.self))
        #expect(encoded.1 + "\n" == String(decoding: pretty, as: UTF8.self))
      }
    }
  }

  /// The canonical form of the message that `json` becomes.
  private func decode(_ json: String, _ schema: Schema.Struct, _ options: JSONOptions = JSONOptions()) throws -> [UInt8]
  {
    let bytes = try makeMessage(schema) { try JSONCodec(options).decode(json, into: $0) }
    return try withMessage(bytes, schema) { try $0.raw.canonicalized() }
  }

  /// The texts become the messages that the tool makes of them.
  private func compareDecoded(_ fixture: Fixture, _ type: String, _ texts: [String]) async throws {
    let schema = try fixture.structure(type)
    for text in texts {
      let expected = try await fixture.convert("json:binary", type, text)
      let canonical = try withMessage(expected, schema) { try $0.raw.canonicalized() }
      #expect(try decode(text, schema) == canonical, "\(text)")
    }
  }

  @Test func everyTypeBecomesTheToolsJSON() async throws {
    let fixture = try await Fixture.interop("everything.capnp")
    let everything = try Fixture.interopText("Oracle/everything.txt")
    try await compareEncoded(
      fixture, "Everything",
      [
        everything, "()", "(text = \"\\x01\\b\\f\\n\\r\\t\\\"\\\\/\\x7fé😀\", data = \"\", structs = [], float64 = nan)",
        "(float32s = [nan, inf, -inf, 0.1, 1e30], float64s = [0.1, 1e300, -0.0, 123456789])",
      ])
    try await compareEncoded(
      fixture, "Unions",
      [
        "()", "(number = 0)", "(nothing = void, named = (none = void))", "(pair = (left = 1), before = 3)",
        "(nested = (), group = (inner = (two = (b = [\"x\"]))))",
      ])
    try await compareEncoded(fixture, "Defaults", ["()", "(bool = false, group = (number = 1))"])
    let schema = try fixture.structure("Everything")
    let bytes = try await fixture.convert("text:binary", "Everything", everything)
    let json = try withMessage(bytes, schema) { try JSONCodec(JSONOptions(isPretty: true)).encode($0) }
    try await compareDecoded(fixture, "Everything", [json, "{}", " {\n\"text\" : \"\\u0041\\n\\/\" }"])
  }

  @Test func genericTypesBecomeTheToolsJSON() async throws {
    let fixture = try await Fixture.interop("generics.capnp")
    try await compareEncoded(fixture, "Registry", [try Fixture.interopText("Oracle/registry.txt")])
  }

  @Test func annotationsShapeTheJSON() async throws {
    try await Fixture.written(annotated) { fixture in
      try await compareEncoded(
        fixture, "Root",
        [
          "()", "(three = (a = 1, c = 2), un = (v = void))",
          "(four = (sx = 1, st = \"q\"), un = (s = (sx = 3)), f = nan)",
          """
          (plain = 5, flat = (x = 1, y = "a/b"), pre = (x = 2, deep = (z = 3)), b64 = 0x"00ff41", hex = 0x"00ff41",
           two = "t", un = (q = "x"), un2 = (q = "y"), e = y, lb = ["ab"], f = 0.1, un3 = (q = "z"), un4 = (n = "w"),
           un5 = (g = (r = 3)), le = [x, y])
          """,
        ])
      try await compareDecoded(
        fixture, "Root",
        [
          "{}",
          """
          {"the_plain":1,"x":2,"y":"q","pre_x":3,"pre_deep_z":"4","b64":"AP9B","hex":"00ff41","kind":"zwei","zwei":"t",
           "un":{"un":"q","value":"e"},"e":"ex","f":"NaN"}
          """,
          #"{"e":"y","a":5,"kind":"three","c":"7","u_val":"s","u_t":"q","le":["ex",1]}"#,
          #"{"the_plain":"5","kind":"four","four_sx":9,"last":true,"un5":{"g":{"r":"4"}}}"#,
          #"{"plain":3,"e":7,"unknown":[1,{}],"lb":[[1,2],[]],"f":"-Infinity"}"#,
          #"{"un4":"n","n":"x","un3":{"q":"y"},"kind":"nope","four_sx":1}"#,
        ])
    }
  }

  @Test func notificationsAreMarked() async throws {
    let rpc = try #require(try await Fixture.written(annotated).registry.interface(named: "Rpc"))
    #expect(rpc.methods.map(\.isJSONNotification) == [true, false])
  }

  @Test(arguments: [
    #"struct Root { a @0 :Text $Json.flatten(); }"#, #"struct Root { a @0 :Text $Json.base64; }"#,
    #"struct Root { a @0 :Text $Json.hex; }"#, #"struct Root { a @0 :Root $Json.flatten(prefix = "x"); }"#,
    #"struct Root { a @0 :Text; b @1 :Text $Json.name("a"); }"#,
    #"struct Root { a @0 :Text; g :group $Json.flatten() { a @1 :Text; } }"#,
  ])
  func annotationsThatDoNotFitAreErrors(_ text: String) async throws {
    let fixture = try await Fixture.written("using Json = import \"/capnp/compat/json.capnp\";\n\(text)")
    let schema = try fixture.structure("Root")
    let bytes = try makeMessage(schema) { _ in }
    let error = #expect(throws: ReflectionError.self) { try withMessage(bytes, schema) { try JSONCodec().encode($0) } }
    guard case .invalidAnnotation = error?.kind else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func optionsDecideWhatIsWrittenAndRead() async throws {
    let schema = try await Fixture.interop("everything.capnp").structure("Unions")
    let bytes = try makeMessage(schema) { try $0.set("text", to: "x") }
    try withMessage(bytes, schema) { reader in
      let json = try JSONCodec(JSONOptions(hasMode: .nonDefault)).encode(reader)
      #expect(json == #"{"named":{"small":0},"group":{"inner":{"one":0}},"text":"x"}"#)
    }
    #expect(try decode(#"{"nobody":1}"#, schema) == decode("{}", schema))
    let error = #expect(throws: ParseError.self) {
      try decode("{\n \"nobody\":1}", schema, JSONOptions(rejectsUnknownFields: true))
    }
    #expect(error?.kind == .value(ReflectionError(.noSuchMember("nobody"), type: schema.displayName)))
    #expect(error?.line == 2)
    #expect(error?.column == 11)
    // Null leaves pointers as they are.
    #expect(try decode(#"{"nested":null,"before":1}"#, schema) == decode(#"{"before":1}"#, schema))
  }

  @Test(arguments: [
    ("", 0, "a value"), ("{", 1, "a name in quotes"), ("{\"a\"", 4, "':'"), ("{\"a\":", 5, "a value"),
    ("{\"a\":1", 6, "',' or '}'"), ("{\"a\":1,}", 7, "a name in quotes"), ("{\"a\":[1,]}", 8, "a value"),
    ("{\"a\":[1 2]}", 8, "',' or ']'"), ("{} {}", 3, "the end of the text"), ("{\"a\":01}", 6, "',' or '}'"),
    ("{\"a\":-}", 6, "a digit"), ("{\"a\":1.}", 7, "a digit"), ("{\"a\":1e+}", 8, "a digit"),
    ("{\"a\":nul}", 5, "a value"), ("{\"a\":truex}", 5, "a value"), ("{\"a", 3, "the end of the string"),
    ("{\"a\n\":1}", 3, "the end of the string"), ("{\"\\q\":1}", 3, "an escape sequence"),
    ("{\"\\u12\":1}", 6, "four hexadecimal digits"), ("{\"\\ud800\":1}", 3, "a surrogate pair"),
    ("{\"\\ud800\\u0041\":1}", 3, "a surrogate pair"), ("{\"\\udc00\":1}", 3, "a surrogate pair"),
    ("{'a':1}", 1, "a name in quotes"), ("{\"a\":NaN}", 5, "a value"), ("{\"a\":+1}", 5, "a value"),
    ("{\"data\":[256]}", 9, "a number from 0 to 255"), ("{\"data\":[\"x\"]}", 9, "a number from 0 to 255"),
    ("{\"int8\":\"x\"}", 8, "an integer"), ("{\"float32\":\"0x10\"}", 11, "a number"),
  ])
  func malformedJSONIsAnErrorWithItsPlace(_ text: String, _ offset: Int, _ expected: String) async throws {
    let schema = try await Fixture.interop("everything.capnp").structure("Everything")
    let error = #expect(throws: ParseError.self) { try decode(text, schema) }
    #expect(error?.kind == .expected(expected))
    #expect(error?.offset == offset)
  }

  @Test(arguments: [
    "[]", "5", "{\"bool\":1}", "{\"bool\":null}", "{\"int8\":128}", "{\"int8\":1.5}", "{\"int8\":null}",
    "{\"uInt8\":-1}",
    "{\"int64\":\"9223372036854775808\"}", "{\"text\":5}", "{\"data\":\"AA==\"}", "{\"color\":\"pink\"}",
    "{\"color\":70000}", "{\"nested\":[]}", "{\"int8s\":{}}", "{\"int8s\":[\"a\"]}", "{\"float64\":true}",
  ])
  func valuesOfTheWrongTypeAreErrors(_ text: String) async throws {
    let schema = try await Fixture.interop("everything.capnp").structure("Everything")
    #expect(throws: ParseError.self) { try decode(text, schema) }
  }

  @Test func integersOf64BitsAreExact() async throws {
    let schema = try await Fixture.interop("everything.capnp").structure("Everything")
    let bytes = try makeMessage(schema) {
      try JSONCodec().decode(#"{"int64":-9007199254740993,"uInt64":"18446744073709551615","int32":2e3}"#, into: $0)
    }
    try withMessage(bytes, schema) { reader in
      guard case .int(-9_007_199_254_740_993) = try reader["int64"], case .uint(.max) = try reader["uInt64"],
        case .int(2000) = try reader["int32"]
      else { throw Tool.Failure(description: "values differ") }
    }
  }

  /// The tool gets these wrong, so that it cannot be asked.
  @Test func escapedCharactersAreUnderstood() async throws {
    let schema = try await Fixture.interop("everything.capnp").structure("Everything")
    let bytes = try makeMessage(schema) {
      try JSONCodec().decode(#"{"text":"\u00e9\ud83d\ude00\u6f22\b\f\r\t\"\\\u0000"}"#, into: $0)
    }
    try withMessage(bytes, schema) { reader in
      guard case .text("é😀漢\u{8}\u{c}\r\t\"\\\0") = try reader["text"] else {
        throw Tool.Failure(description: try reader.text())
      }
    }
  }

  @Test func limitsEndDeepAndLargeTexts() async throws {
    let schema = try await Fixture.interop("everything.capnp").structure("Tree")
    for opening in ["[", "{\"left\":"] {
      let error = #expect(throws: ParseError.self) { try decode(String(repeating: opening, count: 100_000), schema) }
      #expect(error?.kind == .nestingLimitExceeded(limit: 64))
    }
    let large = #expect(throws: ParseError.self) { try decode("{\"label\":\"1\"}", schema, JSONOptions(byteLimit: 10)) }
    #expect(large?.kind == .sizeLimitExceeded(limit: 10))
    let bytes = try makeMessage(schema) { try $0.set("label", to: .text(String(repeating: "x", count: 1000))) }
    #expect(throws: ReflectionError(.sizeLimitExceeded(limit: 100))) {
      try withMessage(bytes, schema) { try JSONCodec(JSONOptions(byteLimit: 100)).encode($0) }
    }
  }

  @Test func pointersOfAnyTypeHaveNoJSON() async throws {
    let schema = try await Fixture.interop("everything.capnp").structure("Anything")
    let bytes = try makeMessage(schema) { try $0.pointer("any").setText("x") }
    #expect(throws: ReflectionError(.notExpressible("AnyPointer"), type: schema.displayName, member: "any")) {
      try withMessage(bytes, schema) { try JSONCodec().encode($0) }
    }
    let error = #expect(throws: ParseError.self) { try decode(#"{"any":1}"#, schema) }
    #expect(error?.kind == .value(ReflectionError(.notExpressible("AnyPointer"))))
  }
}
