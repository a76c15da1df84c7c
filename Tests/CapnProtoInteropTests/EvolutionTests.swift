import CapnProto
import Testing

/// Messages of an older schema read by a newer one, and the other way round.
@Suite struct EvolutionTests {
  static func fillNew(_ root: New.Record.Builder) {
    root.id = 5
    root.name = "name"
    root.state = .paused
    root.added = 50
    root.note = "note"
    let entries = root.initEntries(2)
    for index in entries.indices {
      entries[index].key = "k\(index)"
      entries[index].weight = Double(index) + 1.5
    }
    root.choice.later = "later"
    root.initTags(2)[1] = .paused
    let numbers = root.initNumbers(2)
    numbers[0].value = 100
    numbers[0].unit = "kg"
    numbers[1].value = 200
  }

  static func fillOld(_ root: Old.Record.Builder) {
    root.id = 6
    root.name = "old name"
    root.state = .running
    root.initEntries(1)[0].key = "old key"
    root.choice.number = 3
    _ = root.initTags(1)
    let numbers = root.initNumbers(2)
    numbers[0] = 1
    numbers[1] = 2
  }

  static func expectOldReadsNew(_ root: Old.Record.Reader) throws {
    #expect(root.id == 5)
    #expect(try root.name == "name")
    #expect(root.state == .unknown(2))
    let entries = try root.entries
    #expect(entries.count == 2)
    #expect(try entries[0].key == "k0")
    #expect(try entries[1].key == "k1")
    switch try root.choice.which {
    case .unknown(let member): #expect(member == 2)
    default: Issue.record("the member is not known to the older schema")
    }
    #expect(throws: CapnProtoError.self) { try root.choice.number }
    #expect(try root.tags.array == [.stopped, .unknown(2)])
    #expect(try root.numbers.array == [100, 200])
  }

  static func expectNewReadsOld(_ root: New.Record.Reader) throws {
    #expect(root.id == 6)
    #expect(try root.name == "old name")
    #expect(root.state == .running)
    #expect(root.added == 10)
    #expect(try root.note == "none")
    let entries = try root.entries
    #expect(try entries[0].key == "old key")
    #expect(entries[0].weight == 1)
    #expect(try root.choice.number == 3)
    let numbers = try root.numbers
    #expect(numbers.map { $0.value } == [1, 2])
    #expect(numbers[0].hasUnit == false)
    #expect(try numbers[1].unit == "")
  }

  @Test("an older schema reads what libcapnp wrote with a newer one", arguments: [false, true])
  func oldReadsNewOfLibcapnp(tiny: Bool) async throws {
    let bytes = try await Oracle.shared.write("new", tiny: tiny)
    try MessageReader(Old.Record.self, stream: bytes).read { try Self.expectOldReadsNew($0) }
  }

  @Test("a newer schema reads what libcapnp wrote with an older one", arguments: [false, true])
  func newReadsOldOfLibcapnp(tiny: Bool) async throws {
    let bytes = try await Oracle.shared.write("old", tiny: tiny)
    try MessageReader(New.Record.self, stream: bytes).read { try Self.expectNewReadsOld($0) }
  }

  @Test("libcapnp reads with either schema what Swift wrote with the newer one", arguments: Segmentation.allCases)
  func writeNew(_ segmentation: Segmentation) async throws {
    var message = try MessageBuilder(New.Record.self, allocator: segmentation.allocator)
    Self.fillNew(message.root)
    let bytes = try message.serialized()
    try MessageReader(Old.Record.self, stream: bytes).read { try Self.expectOldReadsNew($0) }
    try await Oracle.shared.check("new", bytes)
    try await Oracle.shared.check("oldReadsNew", bytes)
  }

  @Test("libcapnp reads with the newer schema what Swift wrote with the older one", arguments: Segmentation.allCases)
  func writeOld(_ segmentation: Segmentation) async throws {
    var message = try MessageBuilder(Old.Record.self, allocator: segmentation.allocator)
    Self.fillOld(message.root)
    let bytes = try message.serialized()
    try MessageReader(New.Record.self, stream: bytes).read { try Self.expectNewReadsOld($0) }
    try await Oracle.shared.check("newReadsOld", bytes)
  }

  @Test("an enum keeps the values that its schema has no name for")
  func unknownEnumerants() throws {
    var message = try MessageBuilder(Old.Record.self)
    message.root.state = .unknown(700)
    #expect(message.root.state == .unknown(700))
    let raw = try message.read { $0.state.rawValue }
    #expect(raw == 700)
    #expect(Old.State(rawValue: 1) == .running)
    #expect(Old.State(rawValue: 2) == .unknown(2))
  }
}
