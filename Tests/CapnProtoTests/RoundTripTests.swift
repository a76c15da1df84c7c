import CapnProto
import Testing

/// What a builder wrote, a reader reads: in the message itself and through the stream framing, whatever the segments.
@Suite struct RoundTripTests {
  /// Sets every field of a tree.
  static func fill(_ tree: Tree.Builder) {
    tree.id = 4_000_000_000
    tree.flag = false
    tree.color = .unknown(900)
    tree.small = .min
    tree.name = "Löwenzahn 🌼"
    tree.setBlob([1, 2, 3, 4, 5, 6, 7, 8, 9])
    let kids = tree.initKids(3)
    for i in kids.indices {
      kids[i].id = UInt32(i)
      kids[i].name = "kid \(i)"
    }
    let texts = tree.initTexts(3)
    texts[0] = "eins"
    texts[2] = "drei"
    let numbers = tree.initNumbers(5)
    for i in numbers.indices { numbers[i] = UInt16(i * 1000) }
    let bits = tree.initBits(19)
    for i in bits.indices where i % 3 == 0 { bits[i] = true }
    let grid = tree.initGrid(2)
    let row = grid.initList(at: 1, count: 2)
    row[0].weight = 2.5
    row[1].label = "last"
    let blobs = tree.initBlobs(2)
    blobs.setData([7, 7], at: 0)
    var span = blobs.initData(at: 1, byteCount: 9)
    span.storeBytes(of: 5, toByteOffset: 8, as: UInt8.self)
    let colors = tree.initColors(2)
    colors[1] = .blue
    tree.any.initStruct(Leaf.self).weight = -1
    _ = tree.initVoids(1000)
    tree.initLeaf().weight = .infinity
    tree.leaf.label = "leaf"
  }

  /// Expects what ``fill(_:)`` set.
  static func expectFilled(_ tree: Tree.Reader) throws {
    #expect(tree.id == 4_000_000_000)
    #expect(tree.flag == false)
    #expect(tree.color == .unknown(900))
    #expect(tree.small == .min)
    #expect(try tree.name == "Löwenzahn 🌼")
    #expect(try tree.blob.bytes == [1, 2, 3, 4, 5, 6, 7, 8, 9])
    let kids = try tree.kids
    #expect(kids.count == 3)
    for i in kids.indices {
      #expect(kids[i].id == UInt32(i))
      #expect(kids[i].flag == true)
      #expect(try kids[i].name == "kid \(i)")
    }
    #expect(try tree.texts.array == ["eins", "", "drei"])
    #expect(try tree.numbers.array == [0, 1000, 2000, 3000, 4000])
    #expect(try tree.bits.array == (0..<19).map { $0 % 3 == 0 })
    let grid = try tree.grid
    #expect(grid.count == 2)
    #expect(try grid[0].isEmpty)
    let row = try grid[1]
    #expect(row[0].weight == 2.5)
    #expect(try row[0].label == "unnamed")
    #expect(try row[1].label == "last")
    let blobs = try tree.blobs
    #expect(try blobs[0].bytes == [7, 7])
    #expect(try blobs[1].bytes == [0, 0, 0, 0, 0, 0, 0, 0, 5])
    let colors = try tree.colors
    #expect(colors[0] == .red)
    #expect(colors[1] == .blue)
    #expect(try tree.any.asStruct(Leaf.self).weight == -1)
    #expect(try tree.voids.count == 1000)
    let leaf = try tree.leaf
    #expect(leaf.weight == .infinity)
    #expect(try leaf.label == "leaf")
  }

  /// Reads every field of a tree, and its kids.
  static func readAll(_ tree: Tree.Reader) throws(CapnProtoError) {
    _ = tree.id
    _ = try tree.name
    _ = try tree.nameBytes.byteCount
    _ = try tree.blob.bytes
    _ = try tree.texts.array
    _ = try tree.numbers.array
    _ = try tree.bits.array
    let blobs = try tree.blobs
    for i in blobs.indices { _ = try blobs[i].bytes }
    let colors = try tree.colors
    for i in colors.indices { _ = colors[i] }
    let grid = try tree.grid
    for i in grid.indices {
      let row = try grid[i]
      for j in row.indices { _ = try row[j].label }
    }
    _ = try tree.any.asStruct(Leaf.self).weight
    _ = try tree.voids.count
    if case .leaf(let leaf) = try tree.which { _ = try leaf.label }
    let kids = try tree.kids
    for i in kids.indices { try readAll(kids[i]) }
  }

  @Test("every kind of field reads back in place")
  func inPlace() throws {
    var message = try MessageBuilder(Tree.self)
    Self.fill(message.root)
    #expect(message.failure == nil)
    #expect(message.segmentCount == 1)
    try message.read { try Self.expectFilled($0) }
  }

  @Test("every kind of field reads back from a stream, however small its segments", arguments: [8, 16, 64, 1024, 8192])
  func throughStream(segmentByteCount: Int) throws {
    var message = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: segmentByteCount))
    Self.fill(message.root)
    #expect(message.failure == nil)
    if segmentByteCount <= 64 { #expect(message.segmentCount > 5) }
    try message.read { try Self.expectFilled($0) }
    let received = try MessageReader(Tree.self, stream: message.serialized())
    try received.read { try Self.expectFilled($0) }
  }

  @Test("a copy reads as the original, whatever the segments of either", arguments: [8, 64, 8192], [8, 64, 8192])
  func deepCopy(from: Int, to: Int) throws {
    var original = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: from))
    Self.fill(original.root)
    var copy = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: to))
    try original.read { copy.root.raw.setStructure($0.raw, at: 10) }
    #expect(copy.failure == nil)
    try copy.read { root in try Self.expectFilled(Tree.Reader(try root.raw.structure(at: 10))) }
  }

  @Test("a message is encoded with the bytes that the specification gives")
  func encodedBytes() throws {
    var message = try MessageBuilder(Leaf.self)
    message.root.weight = 1
    message.root.label = "abcdefg"
    #expect(
      words(of: message) == [
        [
          structPointer(offset: 0, data: 1, pointers: 1), Double(1).bitPattern,
          listPointer(offset: 0, .byte, count: 8), bytes("abcdefg"),
        ]
      ])
  }
}
