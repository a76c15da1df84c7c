import CapnProto
import Foundation
import Testing

/// Text that `capnp encode` turned into messages, and messages that `capnp decode` turned into text.
@Suite struct CapnpToolTests {
  private static func encode(_ text: String, _ schema: String, _ type: String) async throws -> [UInt8] {
    try await Tool.output(Tool.capnp, ["encode", Tool.schema(schema), type], input: Array(text.utf8))
  }

  private static func decode(_ bytes: [UInt8], _ schema: String, _ type: String, short: Bool = false) async throws
    -> String
  {
    let arguments = ["decode"] + (short ? ["--short"] : []) + [Tool.schema(schema), type]
    return String(decoding: try await Tool.output(Tool.capnp, arguments, input: bytes), as: UTF8.self)
  }

  @Test("Swift reads every type that 'capnp encode' wrote")
  func encoded() async throws {
    let text = try String(contentsOfFile: Tool.sources.appending(path: "Oracle/everything.txt").path, encoding: .utf8)
    let bytes = try await Self.encode(text, "everything.capnp", "Everything")
    try MessageReader(Everything.self, stream: bytes).read { try EverythingSample.expect($0) }
  }

  @Test("'capnp decode' prints what Swift wrote as it prints its own", arguments: Segmentation.allCases)
  func decoded(_ segmentation: Segmentation) async throws {
    var message = try MessageBuilder(Everything.self, allocator: segmentation.allocator)
    EverythingSample.fill(message.root)
    let printed = try await Self.decode(try message.serialized(), "everything.capnp", "Everything")

    let text = try String(contentsOfFile: Tool.sources.appending(path: "Oracle/everything.txt").path, encoding: .utf8)
    let own = try await Self.encode(text, "everything.capnp", "Everything")
    #expect(try await printed == Self.decode(own, "everything.capnp", "Everything"))
    #expect(printed.contains("text with"))
  }

  @Test("'capnp decode' prints a message as text")
  func printed() async throws {
    var message = try MessageBuilder(Everything.Nested.self)
    message.root.name = "n"
    message.root.value = -1
    message.root.initChild().mood = .wild
    let printed = try await Self.decode(
      try message.serialized(), "everything.capnp", "Everything.Nested", short: true)
    #expect(
      printed == #"(name = "n", value = -1, child = (value = 0, mood = wild), mood = calm)"# + "\n")
  }

  @Test("what 'capnp encode' did not set reads as its default")
  func defaults() async throws {
    let bytes = try await Self.encode("()", "everything.capnp", "Defaults")
    try MessageReader(Defaults.self, stream: bytes).read { try DefaultsTests.expectDefaults($0) }
  }

  @Test("a capability field does not stand in the way of the fields around it")
  func capability() async throws {
    let bytes = try await Self.encode("(after = (id = 9))", "service.capnp", "WithCapability")
    try MessageReader(WithCapability.self, stream: bytes).read { root throws in
      #expect(root.service.isNull == true)
      #expect(root.hasServices == false)
      #expect(try root.after.id == 9)
    }
  }
}
