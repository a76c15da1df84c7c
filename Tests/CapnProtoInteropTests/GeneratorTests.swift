import Foundation
import Testing

/// `capnpc-swift` as a tool: what it writes, and how it fails.
@Suite struct GeneratorTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// Runs `capnp compile` with the generator on `arguments`, into the temporary directory.
  private func compile(_ arguments: [String], environment: [String: String] = [:]) async throws -> Tool.Outcome {
    try await Tool.outcome(
      Tool.capnp, ["compile", "-o\(Tool.generator):\(directory.url.path)"] + arguments, environment: environment)
  }

  @Test("the generator reproduces its own code for schema.capnp")
  func regenerate() async throws {
    let outcome = try await compile(["--src-prefix=/usr/include", "/usr/include/capnp/schema.capnp"])
    #expect(outcome.errors == "")
    let committed = Tool.package.appending(path: "Sources/CapnProtoSchema/Generated/schema.capnp.swift")
    let expected = try String(contentsOf: committed, encoding: .utf8)
    // Not compared by the macro, which would print both.
    let isSame = try directory.text(of: "capnp/schema.capnp.swift") == expected
    #expect(isSame, "regenerate Sources/CapnProtoSchema/Generated/schema.capnp.swift")
  }

  @Test("what is generated for the schemas that come with Cap'n Proto compiles")
  func standardSchemas() async throws {
    let names = ["c++", "rpc", "rpc-twoparty", "stream", "persistent", "compat/json"]
    let outcome = try await compile(["--src-prefix=/usr/include"] + names.map { "/usr/include/capnp/\($0).capnp" })
    #expect(outcome.errors == "")
    let sources = names.map { directory.url.appending(path: "capnp/\($0).capnp.swift").path }
    #expect(try await Tool.diagnostics(ofCompiling: sources) == "")
  }

  @Test("what is generated for one access level compiles", arguments: ["public", "package", "internal"])
  func accessCompiles(_ access: String) async throws {
    let outcome = try await compile(
      schema: """
        $Swift.access(\(access));
        struct S(T) { list @0 :List(UInt8) = [1]; t @1 :T; g :group { u :union { a @2 :Void; b @3 :S(T); } } }
        enum E { a @0; }
        interface I extends(J) { m @0 S -> stream; }
        interface J { n @0 (e :E = a) -> (i :I); const text :Text = "a"; }
        const c :List(UInt8) = [2];
        const d :S(Text) = (list = [3]);
        annotation x @0xc3e5f7a90b1d2f40 (*) :E;

        """)
    #expect(outcome.errors == "")
    let source = directory.url.appending(path: "options.capnp.swift").path
    #expect(try await Tool.diagnostics(ofCompiling: [source]) == "")
  }

  @Test("doc comments become documentation")
  func documentation() async throws {
    let outcome = try await compile(
      ["--src-prefix=\(Tool.schema(""))", Tool.schema("everything.capnp"), Tool.schema("imported/imported.capnp")])
    #expect(outcome.errors == "")
    let text = try directory.text(of: "everything.capnp.swift")
    #expect(text.contains("/// What the doc comment of an enum becomes.\npublic enum Color"))
    #expect(text.contains("  /// The doc comment of an enumerant.\n  case red\n"))
    #expect(
      text.contains(
        "    /// The doc comment of a field.\n    ///\n    /// With a second paragraph.\n    @inlinable public var color"
      ))
    #expect(text.contains("/// A constant of a file.\n@inlinable public var answer"))
  }

  @Test("types of a file in another module are imported from it")
  func importedModule() async throws {
    let arguments = ["--src-prefix=\(Tool.schema(""))", Tool.schema("everything.capnp")]
    _ = try await compile(arguments, environment: ["CAPNPC_SWIFT_IMPORTS": "imported/imported.capnp=Other"])
    #expect(try directory.text(of: "everything.capnp.swift").contains("import CapnProto\nimport Other\n"))
    _ = try await compile(arguments)
    #expect(try !directory.text(of: "everything.capnp.swift").contains("import Other"))
  }

  @Test("a hidden name is refused when no module is known to qualify it with")
  func hiddenName() async throws {
    let outcome = try await compile(["--src-prefix=\(Tool.schema(""))", Tool.schema("names.capnp")])
    #expect(!outcome.status.isSuccess)
    #expect(outcome.errors.contains("names.capnp:Names.outer: error: another declaration hides Hidden here"))
  }

  /// Compiles `text`, a schema that can use the annotations of `swift.capnp`.
  private func compile(schema text: String) async throws -> Tool.Outcome {
    let include = Tool.package.appending(path: "Schemas/Include").path
    let header = "@0xbf5147cbbecf40c5;\nusing Swift = import \"/sluice/swift.capnp\";\n"
    let schema = try directory.write(header + text, to: "options.capnp")
    return try await compile(["-I\(include)", "--src-prefix=\(directory.url.path)", schema])
  }

  @Test("code can be for fewer than all modules", arguments: ["package", "internal"])
  func access(_ access: String) async throws {
    let outcome = try await compile(
      schema: "$Swift.access(\(access));\nstruct S { list @0 :List(UInt8) = [1]; }\nconst c :List(UInt8) = [2];\n")
    #expect(outcome.errors == "")
    let text = try directory.text(of: "options.capnp.swift")
    #expect(!text.contains("public "))
    #expect(text.contains(access == "package" ? "\npackage enum S:" : "\nenum S:"))
    #expect(text.contains(access == "package" ? "@inlinable package var list" : "    var list"))
  }

  @Test(
    "what annotations say wrongly is told with the declaration",
    arguments: [
      ("struct S $Swift.name(\"a b\") {}", "options.capnp:S: error: $Swift.name is \"a b\", which is not a name"),
      ("struct S { f @0 :Text $Swift.name(\"\"); }", "options.capnp:S.f: error: $Swift.name is \"\""),
      ("enum E { a @0 $Swift.name(\"1\"); }", "options.capnp:E.a: error: $Swift.name is \"1\""),
      ("interface I { m @0 () -> () $Swift.name(\"_m\"); }", "options.capnp:I.m: error: $Swift.name is \"_m\""),
      (
        "struct S {} struct T $Swift.name(\"S\") {}", "options.capnp:T: error: $Swift.name is \"S\", as S is called too"
      ),
      (
        "struct S { f @0 :Text; g @1 :Text $Swift.name(\"f\"); }",
        "options.capnp:S.g: error: $Swift.name is \"f\", as f is called too"
      ),
      ("$Swift.module(\"my module\");", "options.capnp: error: $Swift.module is \"my module\""),
    ])
  func wrongAnnotation(_ schema: String, _ error: String) async throws {
    let outcome = try await compile(schema: schema + "\n")
    #expect(!outcome.status.isSuccess)
    #expect(outcome.errors.contains(error))
  }

  @Test("a file's module is imported, and has to be the one that is built")
  func moduleAnnotation() async throws {
    let include = Tool.package.appending(path: "Schemas/Include").path
    _ = try directory.write(
      "@0xbf5147cbbecf40c6;\n$import \"/sluice/swift.capnp\".module(\"Other\");\nstruct T { f @0 :Text; }\n",
      to: "other.capnp")
    let schema = try directory.write(
      "@0xbf5147cbbecf40c5;\nstruct S { t @0 :import \"other.capnp\".T; }\n", to: "options.capnp")
    let arguments = ["-I\(include)", "--src-prefix=\(directory.url.path)", schema]
    #expect(try await compile(arguments).errors == "")
    #expect(try directory.text(of: "options.capnp.swift").contains("import CapnProto\nimport Other\n"))
    // In the same module, there is nothing to import.
    #expect(try await compile(arguments, environment: ["CAPNPC_SWIFT_MODULE": "Other"]).errors == "")
    #expect(try !directory.text(of: "options.capnp.swift").contains("import Other"))
    let other = try await compile(
      ["-I\(include)", "--src-prefix=\(directory.url.path)", directory.url.appending(path: "other.capnp").path],
      environment: ["CAPNPC_SWIFT_MODULE": "Mine"])
    #expect(
      other.errors.contains("other.capnp: error: $Swift.module is Other, but code is generated for the module Mine"))
  }

  @Test("two files of a module cannot declare the same")
  func sameName() async throws {
    let first = try directory.write("@0xbf5147cbbecf40c6;\nstruct Value {}\n", to: "first.capnp")
    let second = try directory.write("@0xbf5147cbbecf40c5;\nenum Value { a @0; }\n", to: "second.capnp")
    let outcome = try await compile(["--src-prefix=\(directory.url.path)", first, second])
    #expect(outcome.errors.contains("second.capnp:Value: error: first.capnp:Value is Value in Swift too"))
  }

  @Test("public code cannot use types that are not")
  func narrowAccess() async throws {
    let include = Tool.package.appending(path: "Schemas/Include").path
    _ = try directory.write(
      "@0xbf5147cbbecf40c6;\n$import \"/sluice/swift.capnp\".access(internal);\nstruct T { f @0 :Text; }\n",
      to: "other.capnp")
    let schema = try directory.write(
      "@0xbf5147cbbecf40c5;\nstruct S { t @0 :import \"other.capnp\".T; }\n", to: "options.capnp")
    let outcome = try await compile(["-I\(include)", "--src-prefix=\(directory.url.path)", schema])
    #expect(outcome.errors.contains("options.capnp: error: its code is public, but that of other.capnp:T"))
  }

  @Test("a schema's own errors are shown with their line")
  func schemaError() async throws {
    let schema = try directory.write("@0xbf5147cbbecf40c5;\nstruct S {\n  f @0 :Missing;\n}\n", to: "wrong.capnp")
    let outcome = try await compile(["--src-prefix=\(directory.url.path)", schema])
    #expect(!outcome.status.isSuccess)
    #expect(outcome.errors.contains("wrong.capnp:3:9-16: error: Not defined: Missing"))
  }

  @Test("what is no request is refused", arguments: [[], [1, 2, 3], [UInt8](repeating: 0xff, count: 4096)])
  func malformedRequest(_ input: [UInt8]) async throws {
    let outcome = try await Tool.outcome(.path(.init(Tool.generator)), [], input: input)
    #expect(!outcome.status.isSuccess)
    #expect(outcome.errors.hasPrefix("capnpc-swift: error: "))
  }
}
