import CapnProto
import Testing

/// Fields that are set to deep copies of what a reader shows.
@Suite struct CopyTests {
  @Test("libcapnp reads a message whose every pointer field was copied from another", arguments: [false, true])
  func everything(tiny: Bool) async throws {
    let bytes = try await Oracle.shared.write("everything", tiny: tiny)
    let source = try MessageReader(Everything.self, stream: bytes)
    var message = try MessageBuilder(Everything.self, allocator: tiny ? .tiny : HeapSegmentAllocator())
    EverythingSample.fill(message.root)
    try source.read { root throws in try Self.copyLists(root, to: message.root) }
    try message.read { try EverythingSample.expect($0) }
    try await Oracle.shared.check("everything", try message.serialized())
  }

  @Test("pointers of any type are copied", arguments: Segmentation.allCases)
  func anything(_ segmentation: Segmentation) async throws {
    let bytes = try await Oracle.shared.write("anything")
    let source = try MessageReader(Anything.self, stream: bytes)
    var message = try MessageBuilder(Anything.self, allocator: segmentation.allocator)
    try source.read { root throws in
      let target = message.root
      target.setAny(root.any)
      target.setAnyStruct(root.anyStruct)
      target.setAnyList(root.anyList)
    }
    try await Oracle.shared.check("anything", try message.serialized())
  }

  @Test("a list can be set to an inner part of itself")
  func part() throws {
    var message = try MessageBuilder(Tree.self)
    try Self.replaceChildren(message.root)
    #expect(message.failure == nil)
    try message.read { root throws in
      #expect(try root.children.map { try $0.label } == ["", "inner"])
    }
  }

  private static func replaceChildren(_ root: Tree.Builder) throws {
    let child = root.initChildren(1)[0]
    child.initChildren(2)[1].label = "inner"
    root.setChildren(try child.asReader.children)
  }

  @Test("copying a list into a message without room fails the message")
  func noRoom() throws {
    var source = try MessageBuilder(Tree.self)
    source.root.initChildren(1000)[0].label = "far too long for the target"
    var message = try MessageBuilder(
      Tree.self, allocator: HeapSegmentAllocator(firstSegmentByteCount: 128, byteLimit: 128))
    try source.read { root throws in
      let target = message.root
      target.setChildren(try root.children)
    }
    guard case .allocationFailed = message.failure?.kind else {
      Issue.record("unexpected failure \(String(describing: message.failure))")
      return
    }
  }

  @Test("the member of a union that is set can be written through 'which'", arguments: UnionTests.members)
  func which(_ member: String) async throws {
    var message = try MessageBuilder(Unions.self, allocator: .tiny)
    UnionTests.fill(message.root, member)
    Self.overwrite(message.root)
    #expect(message.failure == nil)
    try message.read { try UnionTests.expect($0, member) }
    try await Oracle.shared.check("unions.\(member)", try message.serialized())
  }

  /// Clears what the set member holds, and writes it again, all through `which`.
  private static func overwrite(_ root: Unions.Builder) {
    switch root.which {
    case .nothing: root.setNothing()
    case .number(let value): root.number = value
    case .flag(let value): root.flag = value
    case .color(let value): root.color = value
    case .text(let value): root.text = value
    case .data(let bytes): root.setData(bytes.bytes)
    case .nested(let nested):
      nested.name = ""
      EverythingSample.fillNested(nested, "member", 3)
    case .numbers(let numbers):
      numbers[0] = 0
      numbers[0] = 8
    case .anything(let pointer):
      pointer.clear()
      pointer.setText("xyz")
    case .pair(let pair):
      pair.left = 0
      pair.left = 12
    case .unknown(let member): Issue.record("unknown member \(member)")
    }
  }

  @Test("a void field can be assigned, to no effect")
  func void() throws {
    var message = try MessageBuilder(Everything.self)
    let before = try message.serialized()
    message.root.void = ()
    #expect(try message.serialized() == before)
  }

  private static func copyLists(_ source: Everything.Reader, to target: Everything.Builder) throws {
    target.setData(try source.data)
    target.setNested(try source.nested)
    target.setVoids(try source.voids)
    target.setBools(try source.bools)
    target.setInt8s(try source.int8s)
    target.setInt64s(try source.int64s)
    target.setFloat32s(try source.float32s)
    target.setTexts(try source.texts)
    target.setDatas(try source.datas)
    target.setColors(try source.colors)
    target.setStructs(try source.structs)
    target.setPoints(try source.points)
    target.setNumberLists(try source.numberLists)
    target.setTextLists(try source.textLists)
    target.setDataLists(try source.dataLists)
    target.setColorLists(try source.colorLists)
    target.setStructLists(try source.structLists)
    target.setBoolLists(try source.boolLists)
  }
}
