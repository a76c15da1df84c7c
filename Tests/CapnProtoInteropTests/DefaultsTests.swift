import CapnProto
import Testing

/// Defaults of every type: fields that are not set read as them, and what is set wins.
@Suite struct DefaultsTests {
  static func expectDefaults(_ root: Defaults.Reader) throws {
    #expect(root.bool == true)
    #expect(root.int8 == -123)
    #expect(root.int16 == -12345)
    #expect(root.int32 == -12_345_678)
    #expect(root.int64 == -123_456_789_012_345)
    #expect(root.uInt8 == 234)
    #expect(root.uInt16 == 45678)
    #expect(root.uInt32 == 3_456_789_012)
    #expect(root.uInt64 == 12_345_678_901_234_567_890)
    #expect(root.float32 == 1234.5)
    #expect(root.float64 == -123e45)
    #expect(try root.text == "foo \"bar\"\né")
    #expect(try root.data.bytes == Array("bar".utf8))
    #expect(root.color == .blue)
    let nested = try root.nested
    #expect(try nested.name == "default")
    #expect(nested.value == -3)
    let child = try nested.child
    #expect(try child.name == "inner")
    #expect(try root.numbers.array == [11, -22, 33])
    #expect(try root.texts.array == ["plugh", "xyzzy", "thud"])
    let structs = try root.structs
    #expect(structs.count == 2)
    #expect(try structs[0].name == "first")
    #expect(structs[1].value == 2)
    #expect(try root.bools.array == [true, false, false, true])
    let lists = try root.lists
    #expect(lists.count == 3)
    #expect(try lists[0].array == [1, 2])
    #expect(try lists[1].array == [])
    #expect(try lists[2].array == [3])
    #expect(root.infinite == -.infinity)
    #expect(root.notANumber.isNaN == true)
    #expect(root.group.number == 99)
    #expect(try root.group.word == "grouped")
    #expect(root.hasText == false)
    #expect(root.hasNested == false)
    #expect(root.hasNumbers == false)
  }

  /// Sets every field to something else than its default.
  private static func override(_ root: Defaults.Builder) {
    root.bool = false
    root.int8 = 0
    root.int16 = 1
    root.int32 = 0
    root.int64 = -1
    root.uInt8 = 0
    root.uInt16 = 0
    root.uInt32 = 7
    root.uInt64 = 0
    root.float32 = 0
    root.float64 = 3.5
    root.text = ""
    root.setData([0xff, 0])
    root.color = .red
    root.initNested().value = 9
    root.initNumbers(1)[0] = 4
    _ = root.initTexts(0)
    root.initStructs(1)[0].name = "only"
    root.initBools(2)[1] = true
    _ = root.initLists(0)
    root.infinite = 1
    root.notANumber = 2
    root.group.number = 0
    root.group.word = "set"
  }

  @Test("what libcapnp did not set reads as its default", arguments: [false, true])
  func readDefaults(tiny: Bool) async throws {
    let bytes = try await Oracle.shared.write("defaults", tiny: tiny)
    try MessageReader(Defaults.self, stream: bytes).read { try Self.expectDefaults($0) }
  }

  @Test("what Swift did not set reads as its default")
  func writeDefaults() async throws {
    let message = try MessageBuilder(Defaults.self)
    try message.read { try Self.expectDefaults($0) }
    try await Oracle.shared.check("defaults", try message.serialized())
  }

  @Test("what libcapnp set wins over defaults")
  func readOverridden() async throws {
    let bytes = try await Oracle.shared.write("overridden")
    try MessageReader(Defaults.self, stream: bytes).read { root throws in
      #expect(root.bool == false)
      #expect(root.int8 == 0)
      #expect(root.int16 == 1)
      #expect(root.int64 == -1)
      #expect(root.uInt32 == 7)
      #expect(root.uInt64 == 0)
      #expect(root.float32 == 0)
      #expect(root.float64 == 3.5)
      #expect(root.hasText == true)
      #expect(try root.text == "")
      #expect(try root.data.bytes == [0xff, 0])
      #expect(root.color == .red)
      #expect(try root.nested.value == 9)
      #expect(try root.numbers.array == [4])
      #expect(root.hasTexts == true)
      #expect(try root.texts.count == 0)
      #expect(try root.bools.array == [false, true])
      #expect(root.infinite == 1)
      #expect(root.notANumber == 2)
      #expect(root.group.number == 0)
      #expect(try root.group.word == "set")
    }
  }

  @Test("what Swift set wins over defaults", arguments: Segmentation.allCases)
  func writeOverridden(_ segmentation: Segmentation) async throws {
    var message = try MessageBuilder(Defaults.self, allocator: segmentation.allocator)
    Self.override(message.root)
    try await Oracle.shared.check("overridden", try message.serialized())
  }

  @Test("a builder copies a pointer's default before it changes it", arguments: Segmentation.allCases)
  func copiedDefaults(_ segmentation: Segmentation) async throws {
    var message = try MessageBuilder(Defaults.self, allocator: segmentation.allocator)
    message.root.nested.value = 10
    message.root.numbers[1] = 5
    message.root.structs[1].name = "changed"
    try await Oracle.shared.check("copiedDefaults", try message.serialized())

    let bytes = try await Oracle.shared.write("copiedDefaults", tiny: segmentation == .tiny)
    try MessageReader(Defaults.self, stream: bytes).read { root throws in
      #expect(try root.nested.value == 10)
      #expect(try root.numbers.array == [11, 5, 33])
      let structs = try root.structs
      #expect(try structs[1].name == "changed")
    }
    // The defaults themselves are as they were.
    try MessageBuilder(Defaults.self).read { try Self.expectDefaults($0) }
  }

  @Test("initialising a group sets its fields back to their defaults")
  func initGroup() throws {
    var message = try MessageBuilder(Defaults.self)
    let root = message.root
    root.group.number = 5
    root.group.word = "set"
    _ = root.initGroup()
    #expect(root.group.number == 99)
    #expect(root.group.word == "grouped")
    #expect(root.group.hasWord == false)
  }
}
