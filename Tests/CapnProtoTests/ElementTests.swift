import CapnProto
import Testing

/// Elements of lists that are moved, replaced, and copied; lists whose elements' type only the program knows.
@Suite struct ElementTests {
  @Test("elements of every kind move from one list to another", arguments: [8, 64, 8192])
  func moving(segmentByteCount: Int) throws {
    var message = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: segmentByteCount))
    do {
      let root = message.root
      let texts = root.initTexts(2)
      texts[0] = "a text that is longer than a word"
      texts.adopt(texts.disown(at: 0), at: 1)
      let blobs = root.initBlobs(2)
      blobs.setData([1, 2, 3], at: 1)
      blobs.adopt(blobs.disown(at: 1), at: 0)
      let grid = root.initGrid(2)
      grid.initList(at: 0, count: 3)[2].label = "third"
      grid.adopt(grid.disown(at: 0), at: 1)
      let left = grid[0].count
      #expect(left == 0)
    }
    #expect(message.failure == nil)
    try message.read { root in
      #expect(try root.texts.array == ["", "a text that is longer than a word"])
      #expect(try root.blobs[0].bytes == [1, 2, 3])
      #expect(try root.blobs[1].bytes == [])
      let inner = try root.grid[1]
      #expect(try inner[2].label == "third")
    }
  }

  @Test("an orphan's content moves into an element, and what the element held is zeroed", arguments: [8, 64, 8192])
  func adoptingStructs(segmentByteCount: Int) throws {
    var message = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: segmentByteCount))
    do {
      let root = message.root
      let inner = root.initGrid(1).initList(at: 0, count: 2)
      inner[1].label = "what was there"
      let orphan = root.raw.orphanage.newStruct(Leaf.self)
      orphan.builder.weight = 4
      orphan.builder.label = "what came"
      inner.adopt(orphan, at: 1)
    }
    #expect(message.failure == nil)
    #expect(!words(of: message).joined().contains(bytes("what was")))
    try message.read { root in
      let inner = try root.grid[0]
      #expect(inner[1].weight == 4)
      #expect(try inner[1].label == "what came")
      #expect(inner[0].weight == 0)
    }
  }

  @Test("a copy into an element leaves out what the element has no room for, and zeroes what was there")
  func copyingStructs() throws {
    try withMessage([
      structPointer(offset: 0, data: 2, pointers: 2), 5, 6, 0, listPointer(offset: 0, .byte, count: 2), bytes("x"),
    ]) { newer in
      var message = try MessageBuilder(Tree.self)
      do {
        let inner = message.root.initGrid(1).initList(at: 0, count: 2)
        inner[1].label = "before"
        inner.setStructure(try newer.root(as: Leaf.self), at: 1)
        #expect(inner[1].weight == Double(bitPattern: 5))
        #expect(inner[1].label == "unnamed")
        inner[0].label = "kept"
        inner.setStructure(RawStructReader(inner[0].raw.asReader), at: 1)
        #expect(inner[1].label == "kept")
      }
      #expect(message.failure == nil)
      #expect(!words(of: message).joined().contains(bytes("before")))
    }
  }

  @Test("a list is copied into an element of a list of lists")
  func copyingLists() throws {
    var source = try MessageBuilder(Tree.self)
    source.root.initGrid(1).initList(at: 0, count: 1)[0].label = "copied"
    var message = try MessageBuilder(Tree.self)
    let grid = message.root.initGrid(3)
    try source.read { root in grid.setList(try root.grid[0], at: 2) }
    let (second, third) = (grid[1].count, grid[2])
    #expect(third[0].label == "copied")
    #expect(second == 0)
  }

  @Test("lists of lists of unknown types are written and read")
  func unknownLists() throws {
    var message = try MessageBuilder(AnyStruct.self)
    do {
      let lists = message.root.raw.initList(at: 0, count: 4, of: AnyListBuilder.self)
      lists.initAnyList(ElementLayout(.twoBytes), at: 0, count: 2).structure(at: 1).store(UInt16(7), at: 0)
      lists.initAnyList(ElementLayout(.pointer), at: 1, count: 1).pointer(at: 0).setText("t")
      let size = StructSize(dataWords: 1, pointers: 1)
      let structs = lists.initAnyList(ElementLayout(.composite, structSize: size), at: 2, count: 2)
      structs.structure(at: 1).store(UInt8(9), at: 7)
      structs.structure(at: 0).setText("of a struct", at: 0)
      #expect(structs.pointer(at: 0).asReader.isNull == false)
      let bits = lists.initAnyList(ElementLayout(.bit), at: 3, count: 9)
      bits.structure(at: 8).store(UInt8(255), at: 0)
      bits.asList(of: Bool.self)[8] = true
      #expect(lists[2].elementStructSize == size)
      #expect(lists[0].asReader.count == 2)
    }
    #expect(message.failure == nil)
    try message.read { root in
      let lists = try root.list(at: 0, of: AnyListReader.self)
      #expect(try lists[0].asList(of: UInt16.self).array == [0, 7])
      let texts = try lists[1]
      #expect(try texts.pointer(at: 0).asText() == "t")
      let structs = try lists[2]
      #expect(structs.structure(at: 1).load(UInt8.self, at: 7) == 9)
      #expect(try structs.structure(at: 0).text(at: 0) == "of a struct")
      let bits = try lists[3]
      #expect(bits.bytes.bytes == [0, 1])
      #expect(bits.structure(at: 8).load(UInt8.self, at: 0) == 0)
      #expect(!bits.pointer(at: 8).isNull == false)
    }
  }

  @Test("an element that is no list, in a list of unknown lists, is an error that says which")
  func wrongUnknownList() throws {
    try withMessage([
      structPointer(offset: 0, data: 0, pointers: 1), listPointer(offset: 0, .pointer, count: 2), 0, 3,
    ]) { message in
      let lists = try message.root(as: AnyStruct.self).list(at: 0, of: AnyListReader.self)
      #expect(try lists[0].count == 0)
      let error = #expect(throws: CapnProtoError.self) { try lists[1].count }
      #expect(error?.kind == .wrongPointerKind(expected: .list, found: .other))
      #expect(error?.subject == .element(1))
    }
  }
}
