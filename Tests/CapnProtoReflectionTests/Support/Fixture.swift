import CapnProto
import CapnProtoReflection
import Foundation

/// A schema file, and what the schema compiler makes of it.
struct Fixture: Sendable {
  let path: String
  /// The `CodeGeneratorRequest`.
  let request: [UInt8]
  let registry: SchemaRegistry

  private init(_ path: String) async throws {
    self.path = path
    request = try await Tool.capnp(["compile", "-o-", path])
    registry = try SchemaRegistry(codeGeneratorRequest: request)
  }

  private static let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()

  /// A schema of the tests of generated code.
  static func interop(_ name: String) async throws -> Fixture {
    try await Fixture(tests.deletingLastPathComponent().appending(path: "CapnProtoInteropTests/Schemas/\(name)").path)
  }

  /// A schema of these tests, which generated code was made of too.
  static func own(_ name: String) async throws -> Fixture {
    try await Fixture(tests.appending(path: "Schemas/\(name)").path)
  }

  /// A schema of this text, which `use` may let the tool read too. The file is gone afterwards.
  static func written<Result>(_ text: String, _ use: (Fixture) async throws -> Result) async throws -> Result {
    let file = FileManager.default.temporaryDirectory.appending(path: "reflection-\(UUID().uuidString).capnp")
    try "@0xb3a1f0c4d5e69782;\n\(text)\n".write(to: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(at: file) }
    return try await use(try await Fixture(file.path))
  }

  /// A schema of this text, for which the tool is not needed any more.
  static func written(_ text: String) async throws -> Fixture { try await written(text) { $0 } }

  /// The schema language's own schema, where the tool's package installed it.
  static func language() async throws -> Fixture { try await Fixture("/usr/include/capnp/schema.capnp") }

  /// The text of a file beside the tests of generated code.
  static func interopText(_ name: String) throws -> String {
    let folder = tests.deletingLastPathComponent().appending(path: "CapnProtoInteropTests")
    return try String(contentsOf: folder.appending(path: name), encoding: .utf8)
  }

  func structure(_ name: String) throws -> Schema.Struct {
    guard let structure = registry.structure(named: name) else { throw Tool.Failure(description: "no struct \(name)") }
    return structure
  }

  /// Lets the tool convert a message of type `type`.
  func convert(_ formats: String, _ type: String, _ input: [UInt8], _ options: [String] = []) async throws -> [UInt8] {
    try await Tool.capnp(["convert"] + options + [formats, path, type], input: input)
  }

  /// The same, for text.
  func convert(_ formats: String, _ type: String, _ text: String) async throws -> [UInt8] {
    try await convert(formats, type, Array(text.utf8))
  }
}

/// Calls `body` with the message `bytes`, read as one of `schema`.
func withMessage<Result>(
  _ bytes: [UInt8], _ schema: Schema.Struct, limits: ReadLimits = .stream,
  _ body: (borrowing DynamicStruct.Reader) throws -> Result
) throws -> Result {
  let message = try MessageReader(AnyStructSchema.self, stream: bytes, limits: limits)
  let raw = try message.root
  let reader = DynamicStruct.Reader(raw, schema)
  return try body(reader)
}

/// The message whose root `fill` writes.
func makeMessage(_ schema: Schema.Struct, _ fill: (borrowing DynamicStruct.Builder) throws -> Void) throws -> [UInt8] {
  var message = try MessageBuilder(rootSize: schema.size)
  do {
    let root = DynamicStruct.Builder(message.root, schema)
    try fill(root)
  }
  return try message.serialized()
}
