import CapnProto
import Testing

/// Objects that move between pointers without being copied, and lists that change their size.
@Suite struct OrphanTests {
  @Test("objects of every kind move from one field to another", arguments: [8, 16, 64, 8192])
  func move(segmentByteCount: Int) throws {
    var message = try MessageBuilder(AnyStruct.self, allocator: ExactAllocator(byteCount: segmentByteCount))
    do {
      let root = message.root.raw
      RoundTripTests.fill(Tree.Builder(root.initStructure(at: 0, size: Tree.size)))
      let other = Tree.Builder(root.initStructure(at: 1, size: Tree.size))
      RoundTripTests.fill(other)
      // Every pointer of one tree goes to the other; what was there is zeroed.
      let tree = root.structure(at: 0, size: Tree.size)
      for index in 0..<12 {
        let orphan = tree.disown(at: index, as: AnyPointerBuilder.self)
        #expect(tree.hasPointer(at: index) == false)
        let isNull = orphan.isNull
        #expect(isNull == !other.raw.hasPointer(at: index))
        other.raw.adopt(orphan, at: index)
      }
      root.adopt(root.disown(at: 1, as: Tree.Builder.self), at: 0)
      #expect(root.hasPointer(at: 1) == false)
    }
    #expect(message.failure == nil)
    try message.read { root in try RoundTripTests.expectFilled(Tree.Reader(try root.structure(at: 0))) }
    let stream = try message.serialized()
    try MessageReader(AnyStruct.self, stream: stream).read { root throws in
      try RoundTripTests.expectFilled(Tree.Reader(try root.structure(at: 0)))
    }
  }

  @Test("moving takes no room within a segment that has some")
  func roomless() throws {
    var message = try MessageBuilder(AnyStruct.self)
    message.root.raw.setText("text", at: 0)
    let before = message.byteCount
    do {
      let root = message.root.raw
      for _ in 0..<10 {
        root.adopt(root.disown(at: 0, as: String.self), at: 1)
        root.adopt(root.disown(at: 1, as: String.self), at: 0)
      }
      #expect(root.text(at: 0) == "text")
    }
    #expect(message.byteCount == before)
  }

  @Test("an orphan that nobody adopts is zeroed with all that it owns", arguments: [8, 64, 8192])
  func dropped(segmentByteCount: Int) throws {
    var message = try MessageBuilder(AnyStruct.self, allocator: ExactAllocator(byteCount: segmentByteCount))
    do {
      let root = message.root.raw
      RoundTripTests.fill(Tree.Builder(root.initStructure(at: 0, size: Tree.size)))
      let orphan = root.disown(at: 0, as: Tree.Builder.self)
      let tree = orphan.builder
      #expect(tree.id == 4_000_000_000)
    }
    #expect(message.failure == nil)
    #expect(words(of: message).joined().dropFirst(1).allSatisfy { $0 == 0 })
  }

  @Test("objects can be made before there is a pointer to them", arguments: [8, 64, 8192])
  func new(segmentByteCount: Int) throws {
    var message = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: segmentByteCount))
    do {
      let root = message.root
      let orphanage = root.raw.orphanage
      let leaf = orphanage.newStruct(Leaf.self)
      leaf.builder.label = "made first"
      let numbers = orphanage.newList(of: UInt16.self, count: 3)
      numbers.list()[2] = 9
      let text = orphanage.newText("name")
      let string = text.text
      #expect(string == "name")
      let data = orphanage.newData(byteCount: 2)
      var bytes = data.mutableData
      bytes.storeBytes(of: 8, toByteOffset: 1, as: UInt8.self)
      root.any.adopt(leaf)
      root.raw.adopt(numbers, at: 4)
      root.raw.adopt(text, at: 0)
      root.raw.adopt(data, at: 1)
      root.raw.adopt(orphanage.newCopy(of: root.asReader.any), at: 10)
      root.raw.store(UInt16(2), at: 5)
      _ = orphanage.newText("never adopted")
    }
    #expect(message.failure == nil)
    try message.read { root throws in
      #expect(try root.any.asStruct(Leaf.self).label == "made first")
      #expect(try root.leaf.label == "made first")
      #expect(try root.numbers.array == [0, 0, 9])
      #expect(try root.name == "name")
      #expect(try root.blob.bytes == [0, 8])
    }
  }

  @Test("an empty list and an empty struct survive a move")
  func empty() throws {
    var message = try MessageBuilder(AnyStruct.self)
    do {
      let root = message.root.raw
      root.adopt(root.orphanage.newList(of: UInt8.self, count: 0), at: 0)
      root.adopt(root.disown(at: 0, as: ListBuilder<UInt8>.self), at: 1)
      _ = root.initStructure(at: 0, size: StructSize(dataWords: 0, pointers: 0))
      root.adopt(root.disown(at: 0, as: AnyPointerBuilder.self), at: 0)
    }
    #expect(message.failure == nil)
    try message.read { root throws in
      #expect(root.hasPointer(at: 0) == true)
      #expect(try root.structure(at: 0).size.words == 0)
      #expect(try root.list(at: 1, of: UInt8.self).count == 0)
    }
  }

  @Test("without memory an orphan is null, and the failure is recorded")
  func failure() throws {
    let allocator = ExactAllocator(byteCount: 40)
    var message = try MessageBuilder(AnyStruct.self, allocator: allocator)
    allocator.limit(to: 0)
    do {
      let root = message.root.raw
      let orphan = root.orphanage.newText("text")
      let isNull = orphan.isNull
      #expect(isNull)
      root.adopt(orphan, at: 0)
      #expect(root.hasPointer(at: 0) == false)
    }
    guard case .allocationFailed = message.failure?.kind else {
      Issue.record("\(String(describing: message.failure))")
      return
    }
  }

  @Test("a list at the end of its segment grows and shrinks in place")
  func resizeInPlace() throws {
    var message = try MessageBuilder(AnyStruct.self)
    func resize(_ count: Int) { message.root.raw.resizeList(at: 0, of: UInt16.self, to: count) }
    let empty = message.byteCount
    resize(5)
    do {
      let list = message.root.raw.list(at: 0, of: UInt16.self)
      for i in list.indices { list[i] = UInt16(i + 1) }
    }
    #expect(message.byteCount == empty + 16)
    resize(3)
    #expect(message.byteCount == empty + 8)
    resize(9)
    #expect(message.byteCount == empty + 24)
    #expect(try message.read { try $0.list(at: 0, of: UInt16.self).array } == [1, 2, 3, 0, 0, 0, 0, 0, 0])
    resize(0)
    #expect(message.byteCount == empty)
    message.root.raw.resizeText(at: 1, toByteCount: 0)
    #expect(message.root.raw.hasPointer(at: 1) == false)
    resize(-1)
    #expect(message.failure?.kind == .invalidListCount(-1, limit: (1 << 29) - 1))
  }

  @Test("lists of every kind keep what they have when they change their size", arguments: [8, 64, 8192])
  func resize(segmentByteCount: Int) throws {
    var message = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: segmentByteCount))
    RoundTripTests.fill(message.root)
    do {
      let raw = message.root.raw
      for (kids, other) in [(2, 4), (5, 20), (3, 3)] {
        raw.resizeList(at: 2, of: Tree.Builder.self, to: kids)
        raw.resizeList(at: 3, of: String.self, to: other)
        raw.resizeList(at: 4, of: UInt16.self, to: other)
        raw.resizeList(at: 5, of: Bool.self, to: other)
        raw.resizeList(at: 6, of: ListBuilder<Leaf.Builder>.self, to: kids)
        raw.resizeText(at: 0, toByteCount: other)
        raw.resizeData(at: 1, toByteCount: other)
        raw.resizeList(at: 11, of: VoidElement.self, to: other)
      }
    }
    #expect(message.failure == nil)
    let stream = try message.serialized()
    try MessageReader(Tree.self, stream: stream).read { root throws in
      let kids = try root.kids
      #expect(kids.map { $0.id } == [0, 1, 7])
      #expect(try kids[1].name == "kid 1")
      #expect(try kids[2].name == "")
      #expect(try root.texts.array == ["eins", "", "drei"])
      #expect(try root.numbers.array == [0, 1000, 2000])
      #expect(try root.bits.array == [true, false, false])
      let grid = try root.grid
      let row = try grid[1]
      #expect(try row[1].label == "last")
      #expect(try grid[2].isEmpty)
      #expect(try root.name == "Lö")
      #expect(try root.blob.bytes == [1, 2, 3])
      #expect(try root.voids.count == 3)
    }
  }

  @Test("an empty list stays within its segment when what stands before it is given back")
  func emptyBehindShrunk() throws {
    var message = try MessageBuilder(Tree.self)
    do {
      let root = message.root
      root.setBlob([1, 2, 3, 4, 5, 6, 7, 8, 9])
      _ = root.initNumbers(0)
      root.raw.resizeData(at: 1, toByteCount: 1)
      _ = root.initBits(0)
      root.raw.resizeData(at: 1, toByteCount: 0)
      root.initTexts(3)[2] = ""
      root.raw.adopt(root.raw.disown(at: 4, as: AnyPointerBuilder.self), at: 9)
      root.raw.resizeList(at: 3, of: String.self, to: 0)
      root.raw.clearPointer(at: 0)
    }
    #expect(message.failure == nil)
    let received = try MessageReader(Tree.self, stream: message.serialized())
    let sizes = try received.read { root in
      let any = try root.any.asList(of: UInt16.self)
      return [try root.blob.byteCount, try root.bits.count, try root.texts.count, any.count]
    }
    #expect(sizes == [0, 0, 0, 0])
    message.root.raw.resizeList(at: 5, of: Bool.self, to: 70)
    message.root.raw.resizeData(at: 1, toByteCount: 9)
    let bits = try message.read { root in try root.bits.array }
    #expect(bits == Array(repeating: false, count: 70))
    let blob = try message.read { root in try root.blob.bytes }
    #expect(blob == Array(repeating: 0, count: 9))
  }
}
