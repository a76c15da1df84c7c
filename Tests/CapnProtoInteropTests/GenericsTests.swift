import CapnProto
import Foundation
import Testing

/// Generic types: bound to structs, text, data, lists and each other, passed on to inner types, and not bound at all.
@Suite struct GenericsTests {
  private static func encoded() async throws -> [UInt8] {
    let text = try String(contentsOfFile: Tool.sources.appending(path: "Oracle/registry.txt").path, encoding: .utf8)
    return try await Tool.output(
      Tool.capnp, ["encode", Tool.schema("generics.capnp"), "Registry"], input: Array(text.utf8))
  }

  private static func decoded(_ bytes: [UInt8]) async throws -> String {
    let text = try await Tool.output(
      Tool.capnp, ["decode", Tool.schema("generics.capnp"), "Registry"], input: bytes)
    return String(decoding: text, as: UTF8.self)
  }

  @Test("Swift reads what 'capnp encode' wrote with generic types")
  func read() async throws {
    let message = try MessageReader(Registry.self, stream: try await Self.encoded())
    try message.read { try Self.expect($0) }
  }

  @Test("'capnp decode' prints what Swift wrote with generic types", arguments: Segmentation.allCases)
  func write(_ segmentation: Segmentation) async throws {
    var message = try MessageBuilder(Registry.self, allocator: segmentation.allocator)
    Self.fill(message.root)
    #expect(message.failure == nil)
    try message.read { try Self.expect($0) }
    let own = try await Self.decoded(try await Self.encoded())
    #expect(try await Self.decoded(try message.serialized()) == own)
  }

  @Test("a field whose type is a parameter is set to a copy")
  func copy() async throws {
    let source = try MessageReader(Registry.self, stream: try await Self.encoded())
    var message = try MessageBuilder(Registry.self, allocator: .tiny)
    try source.read { root throws in
      let target = message.root
      target.people.setFallback(try root.people.fallback)
      target.colors.setValue(try root.colors.value)
      target.initBlobs().initEntries(1)[0].setKey(try root.blobs.entries[0].key)
      target.setEntry(try root.entry)
    }
    try message.read { root throws in
      #expect(try root.people.fallback.name == "nobody")
      #expect(try root.colors.value.array == [.red, .blue])
      #expect(try root.blobs.entries[0].key.bytes == [0xff, 0])
      #expect(try root.entry.value == "v")
    }
  }

  @Test("a type that is used without arguments has pointers of any type")
  func unbound() throws {
    var message = try MessageBuilder(Registry.self)
    message.root.any.initValue().setText("anything")
    message.root.inner.unbound.content.initList(of: Int8.self, count: 1)[0] = 7
    message.root.service.initPair().second.setText("a stand-in")
    try message.read { root throws in
      #expect(try root.any.value.asText() == "anything")
      #expect(try root.inner.unbound.content.asList(of: Int8.self).array == [7])
      #expect(try root.service.pair.second.asText() == "a stand-in")
    }
  }

  @Test("a member of a union whose type is a parameter is the one that is set")
  func union() throws {
    var message = try MessageBuilder(Box<TextSchema>.self)
    message.root.setValue("text")
    try message.read { root throws in
      guard case .value(let text) = try root.which else {
        Issue.record("another member is set")
        return
      }
      #expect(text == "text")
      #expect(throws: CapnProtoError.self) { try root.pair.first }
      #expect(try root.note.array == ["none"])
    }
    message.root.initPair().setFirst("first")
    message.root.lid.setLabel("lid")
    try message.read { root throws in
      #expect(throws: CapnProtoError.self) { try root.value }
      #expect(try root.pair.first == "first")
      #expect(try root.lid.label == "lid")
    }
  }

  @Test("constants of a generic type are the same for all arguments")
  func constants() {
    #expect(Map<TextSchema, DataSchema>.limit == 1000)
    #expect(Map<AnyPointerSchema, DataSchema>.primes.array == [2, 3, 5])
    #expect(Map<AnyPointerSchema, AnyPointerSchema>.seal == [10, 11])
  }

  /// Code that is generic over what a map holds.
  private static func count<Key: PointerSchema, Value: PointerSchema>(
    _ map: Map<Key, Value>.Reader
  ) throws -> Int {
    let entries = try map.entries
    var count = 0
    for index in entries.indices {
      let entry = entries[index]
      _ = try entry.value
      if entry.hasKey { count += 1 }
    }
    return count
  }

  private static func fillPerson(_ person: Everything.Nested.Builder, _ name: String, _ value: Int32) {
    EverythingSample.fillNested(person, name, value)
  }

  private static func fill(_ root: Registry.Builder) {
    let people = root.initPeople().initEntries(2)
    people[0].setKey("ada")
    fillPerson(people[0].initValue(), "Ada", 36)
    people[1].setKey("grace")
    fillPerson(people[1].value, "Grace", 85)
    fillPerson(root.people.fallback, "nobody", -1)
    let inverse = root.people.initInverse()
    inverse.order = .unsorted
    let back = inverse.initEntries(1)[0]
    fillPerson(back.key, "Ada", 1)
    back.setValue("ada")

    let group = root.initGroups().initEntries(1)[0]
    group.setKey("primes")
    let primes = group.initValue().initEntries(2)
    primes[0].setKey("small")
    let small = primes[0].initValue(2)
    small[0] = 2
    small[1] = 3
    primes[1].setKey("none")
    _ = primes[1].initValue(0)

    let blob = root.initBlobs().initEntries(1)[0]
    let key: [UInt8] = [0xff, 0]
    blob.setKey(key.span.bytes)
    let values = blob.initValue(2)
    values.setData([1, 2, 3], at: 0)
    values.setData([UInt8](), at: 1)

    let colors = root.initColors().initValue(2)
    colors[1] = .blue
    let flags = root.initFlags().initPair()
    let first = flags.initFirst(2)
    first.initList(at: 0, count: 1)[0] = true
    first.initList(at: 1, count: 2)[1] = true
    _ = flags.initSecond(0)
    fillRest(root)
  }

  private static func fillRest(_ root: Registry.Builder) {
    let lists = root.initLists(3)
    lists[0].setValue("in a list")
    lists[1].setEmpty()
    lists[2].initPair().setFirst("1")
    lists[2].pair.setSecond("2")
    lists[2].initNote(1)[0] = "some"
    root.initEntry().setKey("k")
    root.entry.setValue("v")
    fillPerson(root.initInner().content, "inner", 5)
    fillPerson(root.inner.next.content, "next", 6)
    root.inner.foreign.setContent("foreign")
    root.order = .sorted
    root.initString().setValue("parameter")
    root.string.text = "field"
  }

  private static func expect(_ root: Registry.Reader) throws {
    let people = try root.people
    #expect(try count(people) == 2)
    #expect(try people.entries.map { try $0.key } == ["ada", "grace"])
    #expect(try people.entries.map { try $0.value.value } == [36, 85])
    #expect(try people.fallback.name == "nobody")
    #expect(people.order == .sorted)
    let inverse = try people.inverse
    #expect(inverse.order == .unsorted)
    #expect(try inverse.entries[0].key.name == "Ada")
    #expect(try inverse.entries[0].value == "ada")
    let groups = try root.groups
    let primes = try groups.entries[0].value
    #expect(try primes.entries[0].value.array == [2, 3])
    #expect(try primes.entries[1].value.isEmpty == true)
    let blob = try root.blobs.entries[0]
    #expect(try blob.key.bytes == [0xff, 0])
    #expect(try blob.value[0].bytes == [1, 2, 3])
    #expect(try blob.value.count == 2)
    #expect(try root.colors.value.array == [.red, .blue])
    let flags = try root.flags.pair
    #expect(try flags.first[1].array == [false, true])
    let lists = try root.lists
    #expect(try lists[0].value == "in a list")
    #expect(try lists[2].pair.second == "2")
    #expect(try lists[2].note.array == ["some"])
    #expect(try root.entry.key == "k")
    let inner = try root.inner
    #expect(try inner.content.name == "inner")
    #expect(try inner.next.content.name == "next")
    #expect(try inner.foreign.content == "foreign")
    #expect(root.order == .sorted)
    #expect(try root.string.value == "parameter")
    #expect(try root.string.text == "field")
  }
}
