import CapnProto
import Testing

/// Constants that are structs and lists: read in place, without a message, for as long as the program runs.
@Suite struct ConstantTests {
  @Test("constant structs are readers")
  func structs() throws {
    try Self.expectPerson(person)
    #expect(everything.int8 == -1)
    #expect(try everything.text == "é")
    #expect(try everything.data.bytes == [1, 2, 0xff])
    #expect(everything.color == .blue)
    try Self.expectPerson(try everything.nested)
    #expect(try everything.structs.map { $0.value } == [-9, 7])
    #expect(try everything.bools.array == [true, false, true])
    #expect(try everything.numberLists[2].array == [2, 3])
    #expect(empty.hasText == false)
  }

  @Test("constant lists are readers")
  func lists() throws {
    #expect(primes.array == [2, 3, 5, 7])
    #expect(try Constants.names.array == ["Ada", "Grace"])
    #expect(Constants.people.count == 2)
    try Self.expectPerson(Constants.people[0])
    #expect(try Constants.grid[1].array == [false, true])
    #expect(Constants.colors.array == [.green, .red])
    #expect(try Constants.blobs[1].bytes == [0xff, 0])
    #expect(Constants.voids.count == 2)
    #expect(Constants.none.isEmpty == true)
    #expect(Constants.nothing == ())
  }

  @Test("a constant outlives the scope it was read in")
  func lifetime() async throws {
    let reader = person
    await Task.yield()
    #expect(try reader.name == "constant")
  }

  @Test("'capnp' prints a copy of a constant as it prints the constant", arguments: Segmentation.allCases)
  func evaluated(_ segmentation: Segmentation) async throws {
    let own = try await Tool.output(Tool.capnp, ["eval", Tool.schema("constants.capnp"), "everything"])
    let binary = try await Tool.output(
      Tool.capnp, ["eval", "--binary", Tool.schema("constants.capnp"), "everything"])
    try MessageReader(Everything.self, stream: binary).read { root throws in
      try Self.expectPerson(try root.nested)
      #expect(try root.numberLists[2].array == [2, 3])
    }

    var message = try MessageBuilder(Everything.self, allocator: segmentation.allocator)
    Self.copy(everything, to: message.root)
    #expect(message.failure == nil)
    let printed = try await Tool.output(
      Tool.capnp, ["decode", "--short", Tool.schema("everything.capnp"), "Everything"],
      input: try message.serialized())
    let evaluated = try await Tool.output(
      Tool.capnp, ["eval", "--short", Tool.schema("constants.capnp"), "everything"])
    #expect(String(decoding: printed, as: UTF8.self) == String(decoding: evaluated, as: UTF8.self))
    #expect(!own.isEmpty)
  }

  private static func copy(_ source: Everything.Reader, to target: Everything.Builder) {
    do {
      target.int8 = source.int8
      target.text = try source.text
      target.setData(try source.data)
      target.color = source.color
      target.setNested(try source.nested)
      target.setTexts(try source.texts)
      target.setBools(try source.bools)
      target.setNumberLists(try source.numberLists)
      target.setStructs(try source.structs)
    } catch {
      Issue.record("a constant is malformed: \(error)")
    }
  }

  private static func expectPerson(_ person: Everything.Nested.Reader) throws {
    #expect(try person.name == "constant")
    #expect(person.value == -9)
    #expect(person.mood == .wild)
    #expect(try person.child.name == "inner")
  }
}
