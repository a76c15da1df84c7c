import Foundation
import Subprocess
import Testing

/// Misuses of readers and builders that do not compile, each beside what does. A reader that outlived its message would
/// look at memory that is somebody else's by then.
@Suite struct MisuseTests {
  struct Misuse: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// What the compiler must say about `wrong`.
    let diagnostic: String
    let wrong: String
    /// The same intent, expressed so that it compiles.
    let right: String
  }

  static let misuses: [Misuse] = [
    Misuse(
      testDescription: "a reader outlives its message",
      diagnostic: "lifetime-dependent variable 'reader' escapes its scope",
      wrong: """
        func f(_ bytes: [UInt8]) throws -> UInt32 {
          let reader: Item.Reader
          do {
            let message = try MessageReader(Item.self, stream: bytes)
            reader = try message.root
          }
          return reader.id
        }
        """,
      right: """
        func f(_ bytes: [UInt8]) throws -> UInt32 {
          let message = try MessageReader(Item.self, stream: bytes)
          let reader: Item.Reader
          do { reader = try message.root }
          return reader.id
        }
        """),
    Misuse(
      testDescription: "a reader is captured by a task",
      diagnostic: "lifetime-dependent variable 'reader' escapes its scope",
      wrong: """
        func f(_ message: borrowing MessageReader<Item>) throws {
          let reader = try message.root
          Task { _ = reader.id }
        }
        """,
      right: """
        final class Shared: Sendable {
          let message: MessageReader<Item>
          init(_ bytes: [UInt8]) throws { message = try MessageReader(Item.self, stream: bytes) }
        }
        func f(_ shared: Shared) throws {
          Task { _ = try shared.message.read { $0.id } }
        }
        """),
    Misuse(
      testDescription: "a reader is used by a concurrent binding",
      diagnostic: "lifetime-dependent variable 'reader' escapes its scope",
      wrong: """
        func f(_ message: borrowing MessageReader<Item>) async throws -> UInt32 {
          let reader = try message.root
          async let id = reader.id
          return await id
        }
        """,
      right: """
        func f(_ message: borrowing MessageReader<Item>) async throws -> UInt32 {
          let reader = try message.root
          await Task.yield()
          return reader.id
        }
        """),
    Misuse(
      testDescription: "a reader is captured by an escaping closure",
      diagnostic: "lifetime-dependent variable 'reader' escapes its scope",
      wrong: """
        func f(_ message: borrowing MessageReader<Item>) throws -> () -> UInt32 {
          let reader = try message.root
          return { reader.id }
        }
        """,
      right: """
        func f(_ message: borrowing MessageReader<Item>) throws -> UInt32 {
          let reader = try message.root
          func twice(_ body: () -> UInt32) -> UInt32 { body() + body() }
          return twice { reader.id }
        }
        """),
    Misuse(
      testDescription: "a reader is kept beyond the closure that received it",
      diagnostic: "lifetime-dependent variable 'kept' escapes its scope",
      wrong: """
        func f(_ message: borrowing MessageReader<Item>) throws -> UInt32? {
          var kept: Item.Reader?
          try message.read { kept = $0 }
          return kept?.id
        }
        """,
      right: """
        func f(_ message: borrowing MessageReader<Item>) throws -> UInt32? {
          var kept: UInt32?
          try message.read { kept = $0.id }
          return kept
        }
        """),
    Misuse(
      testDescription: "a reader is stored in a class",
      diagnostic: "lifetime-dependent variable 'reader' escapes its scope",
      wrong: """
        final class Holder {
          let reader: Item.Reader
          init(_ reader: Item.Reader) { self.reader = reader }
        }
        """,
      right: """
        struct Holder: ~Escapable {
          let reader: Item.Reader
          @_lifetime(copy reader) init(_ reader: Item.Reader) { self.reader = reader }
        }
        """),
    Misuse(
      testDescription: "a reader is stored in a global",
      diagnostic: "lifetime-dependent value escapes its scope",
      wrong: """
        nonisolated(unsafe) var global: Item.Reader?
        func f(_ message: borrowing MessageReader<Item>) throws { global = try message.root }
        """,
      right: """
        nonisolated(unsafe) var global: UInt32?
        func f(_ message: borrowing MessageReader<Item>) throws {
          let reader = try message.root
          global = reader.id
        }
        """),
    Misuse(
      testDescription: "readers are collected in an array",
      diagnostic: "generic struct 'Array' requires that 'Item.Reader' conform to 'Escapable'",
      wrong: """
        func f(_ message: borrowing MessageReader<Item>) throws {
          let reader = try message.root
          _ = [reader]
        }
        """,
      right: """
        func f(_ message: borrowing MessageReader<Item>) throws {
          let reader = try message.root
          _ = [reader.id]
        }
        """),
    Misuse(
      testDescription: "a text's bytes outlive their message",
      diagnostic: "lifetime-dependent variable 'bytes' escapes its scope",
      wrong: """
        func f(_ stream: [UInt8]) throws -> Int {
          let bytes: RawSpan
          do {
            let message = try MessageReader(Item.self, stream: stream)
            bytes = try message.root.raw.textBytes(at: 0)
          }
          return bytes.byteCount
        }
        """,
      right: """
        func f(_ stream: [UInt8]) throws -> Int {
          let message = try MessageReader(Item.self, stream: stream)
          let reader = try message.root
          let bytes = try reader.raw.textBytes(at: 0)
          return bytes.byteCount
        }
        """),
    Misuse(
      testDescription: "a list outlives its message",
      diagnostic: "lifetime-dependent variable 'list' escapes its scope",
      wrong: """
        func f(_ stream: [UInt8]) throws -> UInt32 {
          let list: ListReader<Item.Reader>
          do {
            let message = try MessageReader(Item.self, stream: stream)
            let reader = try message.root
            list = try reader.raw.list(at: 0)
          }
          return list[0].id
        }
        """,
      right: """
        func f(_ stream: [UInt8]) throws -> UInt32 {
          let message = try MessageReader(Item.self, stream: stream)
          let list: ListReader<Item.Reader>
          do {
            let reader = try message.root
            list = try reader.raw.list(at: 0)
          }
          return list[0].id
        }
        """),
    Misuse(
      testDescription: "a message is consumed while a builder of it lives",
      diagnostic: "overlapping accesses to 'message'",
      wrong: """
        func send(_ message: consuming MessageBuilder<Item>) {}
        func f() throws {
          var message = try MessageBuilder(Item.self)
          let root = message.root
          send(message)
          root.id = 1
        }
        """,
      right: """
        func send(_ message: consuming MessageBuilder<Item>) {}
        func f() throws {
          var message = try MessageBuilder(Item.self)
          do {
            let root = message.root
            root.id = 1
          }
          send(message)
        }
        """),
    Misuse(
      testDescription: "a message is replaced while a builder of it lives",
      diagnostic: "overlapping accesses to 'message'",
      wrong: """
        func f() throws {
          var message = try MessageBuilder(Item.self)
          let root = message.root
          message = try MessageBuilder(Item.self)
          root.id = 1
        }
        """,
      right: """
        func f() throws {
          var message = try MessageBuilder(Item.self)
          message.root.id = 1
          message = try MessageBuilder(Item.self)
        }
        """),
    Misuse(
      testDescription: "a message is written to while it is read",
      diagnostic: "overlapping accesses to 'message'",
      wrong: """
        func f() throws {
          var message = try MessageBuilder(Item.self)
          try message.read { reader in
            message.root.id = reader.id
          }
        }
        """,
      right: """
        func f() throws {
          var message = try MessageBuilder(Item.self)
          let id = try message.read { $0.id }
          message.root.id = id
        }
        """),
    Misuse(
      testDescription: "a builder is handed to another task",
      diagnostic: "escapes its scope",
      wrong: """
        func f(_ message: inout MessageBuilder<Item>) {
          let root = message.root
          Task { root.id = 1 }
        }
        """,
      right: """
        func f() {
          Task {
            var message = try MessageBuilder(Item.self)
            await Task.yield()
            message.root.id = 1
          }
        }
        """),
    Misuse(
      testDescription: "a message is copied",
      diagnostic: "'message' consumed more than once",
      wrong: """
        func f(_ message: consuming MessageBuilder<Item>) {
          let one = message
          let two = message
          _ = (one.segmentCount, two.segmentCount)
        }
        """,
      right: """
        func f(_ message: consuming MessageBuilder<Item>) {
          let one = message
          _ = one.segmentCount
        }
        """),
  ]

  /// A schema, as generated code has it.
  static let preamble = """
    import CapnProto
    enum Item: StructSchema {
      static let typeID: UInt64 = 1
      static let typeName = "Item"
      static var embeddedSchema: EmbeddedSchema { EmbeddedSchema(id: typeID, nodeWords: { [] }) }
      static let size = StructSize(dataWords: 1, pointers: 1)
      struct Reader: StructReader, ~Escapable {
        let raw: RawStructReader
        @_lifetime(copy raw) init(_ raw: RawStructReader) { self.raw = raw }
        var id: UInt32 { raw.load(at: 0) }
      }
      struct Builder: StructBuilder, ~Escapable {
        static var size: StructSize { Item.size }
        let raw: RawStructBuilder
        @_lifetime(copy raw) init(_ raw: RawStructBuilder) { self.raw = raw }
        var id: UInt32 {
          get { raw.load(at: 0) }
          nonmutating set { raw.store(newValue, at: 0) }
        }
      }
    }

    """

  @Test("a misuse does not compile, and the compiler says why", arguments: misuses)
  func refused(_ misuse: Misuse) async throws {
    let result = try await Self.compile(misuse.wrong)
    #expect(!result.succeeded)
    #expect(result.diagnostics.contains(misuse.diagnostic), "\(result.diagnostics)")
  }

  @Test("the right way compiles", arguments: misuses)
  func accepted(_ misuse: Misuse) async throws {
    let result = try await Self.compile(misuse.right)
    #expect(result.succeeded, "\(result.diagnostics)")
  }

  /// Compiles `source` against the module that is being tested, up to the analysis of lifetimes.
  private static func compile(_ source: String) async throws -> (succeeded: Bool, diagnostics: String) {
    let directory = FileManager.default.temporaryDirectory.appending(path: "sluice-misuse-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let file = directory.appending(path: "Misuse.swift")
    try (preamble + source).write(to: file, atomically: true, encoding: .utf8)
    // The test runner stands in the build directory, beside the modules.
    let modules = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().appending(path: "Modules")
    let result = try await run(
      .name("swiftc"),
      arguments: [
        "-emit-sil", "-o", directory.appending(path: "Misuse.sil").path(), "-swift-version", "6",
        "-enable-experimental-feature", "Lifetimes", "-diagnostic-style=llvm", "-module-cache-path",
        modules.deletingLastPathComponent().appending(path: "ModuleCache").path(), "-I", modules.path(), file.path(),
      ],
      output: .discarded, error: .string(limit: 1 << 20))
    return (result.terminationStatus.isSuccess, result.standardError)
  }
}
