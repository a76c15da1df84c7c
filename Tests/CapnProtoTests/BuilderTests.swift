import CapnProto
import Testing

/// How builders place objects, replace them, and fill blobs.
@Suite struct BuilderTests {
  @Test("a blob larger than the current segment gets its own, and the current one goes on")
  func largeBlob() throws {
    var message = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: 1024))
    do {
      let root = message.root
      root.setBlob([UInt8](repeating: 9, count: 4096))
      root.name = "small"
      let kids = root.initKids(1)
      kids[0].setBlob([UInt8](repeating: 8, count: 5000))
      kids[0].name = "small too"
    }
    #expect(message.failure == nil)
    #expect((0..<message.segmentCount).map { message.segment(at: $0).count } == [280, 4104, 5008])
    try message.read { root in
      #expect(try root.blob.byteCount == 4096)
      #expect(try root.name == "small")
      let kids = try root.kids
      #expect(try kids[0].blob.bytes.allSatisfy { $0 == 8 })
    }
  }

  @Test("objects go to the segment of their pointer while it has room, else through a landing pad")
  func farPointers() throws {
    var message = try MessageBuilder(Leaf.self, allocator: ExactAllocator(byteCount: 24))
    message.root.label = "abcdefghi"
    let segments = words(of: message)
    #expect(segments.count == 2)
    #expect(
      segments[0] == [structPointer(offset: 0, data: 1, pointers: 1), 0, farPointer(segment: 1, wordOffset: 0)])
    #expect(segments[1] == [listPointer(offset: 0, .byte, count: 10), bytes("abcdefgh"), bytes("i")])
  }

  @Test("replacing an object zeroes the old one and all that it owned", arguments: [16, 64, 8192])
  func replacing(segmentByteCount: Int) throws {
    var message = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: segmentByteCount))
    do {
      let root = message.root
      RoundTripTests.fill(root)
      root.name = ""
      root.setBlob([])
      _ = root.initKids(0)
      _ = root.initTexts(0)
      _ = root.initNumbers(0)
      _ = root.initBits(0)
      _ = root.initGrid(0)
      _ = root.initBlobs(0)
      _ = root.initColors(0)
      _ = root.initVoids(0)
      root.any.clear()
      root.raw.clearPointer(at: 10)
    }
    #expect(message.failure == nil)
    let segments = words(of: message)
    // Left are the root with its pointers, the landing pads and tags of what is empty, and an empty text.
    let left = segments.joined().dropFirst(16).filter { $0 != 0 }
    #expect(left.allSatisfy { $0 & 3 == 1 || $0 >> 32 == structPointer(offset: 0, data: 3, pointers: 12) >> 32 })
    #expect(left.count <= 12)
    try message.read { root in
      let kids = try root.kids
      #expect(kids.count == 0)
      #expect(try root.name == "")
      #expect(root.any.isNull == true)
    }
  }

  @Test("data can be set from bytes and spans, and changed in place")
  func data() throws {
    var message = try MessageBuilder(Tree.self)
    do {
      let root = message.root
      var blob = root.initBlob(byteCount: 3)
      blob.storeBytes(of: 0xFFEE, toByteOffset: 0, as: UInt16.self)
      #expect(root.blob.bytes == [0xEE, 0xFF, 0])
      var again = root.raw.mutableData(at: 1)
      again.storeBytes(of: 1, toByteOffset: 2, as: UInt8.self)
      #expect(root.blob.bytes == [0xEE, 0xFF, 1])
      let bytes: [UInt8] = [4, 5]
      root.setBlob(bytes.span.bytes)
      #expect(root.blob.bytes == [4, 5])
      root.any.setData(bytes.span.bytes)
      root.any.setText("t")
    }
    try message.read { root in
      let text = try root.any.asText()
      #expect(text == "t")
      #expect(try root.any.asData().bytes == [0x74, 0])
    }
  }

  @Test("a blob that is filled shows only what was written", arguments: [0, 1, 8, 13, 24])
  func filled(count: Int) throws {
    var message = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: 8192))
    message.root.initBlob(byteCount: 24) { output in
      for i in 0..<count { output.append(UInt8(i + 1), as: UInt8.self) }
    }
    #expect(message.root.blob.bytes == (0..<count).map { UInt8($0 + 1) })
    // 16 words for the root, and no more for the blob than it has; the bytes after its end are zero.
    let words = words(of: message)[0]
    #expect(words.count == 16 + (count + 7) / 8)
    if count == 13 { #expect(words[17] >> 40 == 0) }
  }

  @Test("a blob that is filled while other objects are made leaves zeros where it was not written")
  func filledWithNeighbours() throws {
    var message = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: 8192))
    do {
      let root = message.root
      root.initBlob(byteCount: 32) { output in
        output.append(7, as: UInt8.self)
        root.name = "meanwhile"
      }
      #expect(root.name == "meanwhile")
      #expect(root.blob.bytes == [7])
    }
    #expect(words(of: message)[0][16...19] == [7, 0, 0, 0])
  }

  @Test("a fill that throws leaves nothing", arguments: [1024, 128])
  func fillThrows(segmentByteCount: Int) throws {
    struct Interrupted: Error {}
    var message = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: segmentByteCount))
    #expect(throws: Interrupted.self) {
      try message.root.initBlob(byteCount: 100) { (output) throws(Interrupted) in
        output.append(7, as: UInt8.self)
        throw Interrupted()
      }
    }
    message.root.name = "after"
    #expect(message.failure == nil)
    try message.read { root in
      let name = try root.name
      #expect(name == "after")
      #expect(root.raw.hasPointer(at: 1) == false)
    }
  }

  @Test("a lone blob of 400 MiB is built without being copied")
  func hugeBlob() throws {
    var message = try MessageBuilder(Tree.self)
    let byteCount = 400 << 20
    do {
      var blob = message.root.initBlob(byteCount: byteCount)
      blob.storeBytes(of: 1, toByteOffset: byteCount - 1, as: UInt8.self)
    }
    #expect(message.failure == nil)
    #expect(message.segmentCount == 2)
    #expect(message.segment(at: 1).count == byteCount + 8)
    try message.read { root in
      let blob = try root.blob
      #expect(blob.byteCount == byteCount)
      #expect(blob.unsafeLoad(fromByteOffset: byteCount - 1, as: UInt8.self) == 1)
    }
  }

  @Test("setting a field of a message from another copies what it owns")
  func anyPointers() throws {
    var source = try MessageBuilder(Tree.self)
    RoundTripTests.fill(source.root)
    var message = try MessageBuilder(Tree.self)
    try source.read { tree in message.root.any.set(tree.raw.pointer(at: 2)) }
    do {
      let root = message.root
      let list = root.any.asList(of: Tree.Builder.self)
      #expect(list.count == 3)
      list[1].name = "renamed"
      let leaf = root.initKids(1)[0].any.asStruct(Leaf.self)
      leaf.weight = 6
      let numbers = root.any.initList(of: UInt8.self, count: 2)
      numbers[1] = 3
    }
    try message.read { root in
      #expect(try root.any.asList(of: UInt8.self).array == [0, 3])
      let kids = try root.kids
      #expect(try kids[0].any.asStruct(Leaf.self).weight == 6)
    }
  }

  @Test("an object can be set from itself, or from a part of itself")
  func setFromItself() throws {
    var message = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: 64))
    do {
      let root = message.root
      root.setBlob([1, 2, 3])
      root.setBlob(root.blob)
      root.setBlob(root.blob.extracting(1..<3))
      RoundTripTests.fill(root.any.initStruct(Tree.self))
      root.any.set(root.any.asReader)
      let inner = root.any.asStruct(Tree.self)
      inner.any.initStruct(Leaf.self).label = "part"
      root.any.set(inner.any.asReader)
    }
    #expect(message.failure == nil)
    try message.read { root in
      let blob = try root.blob
      #expect(blob.bytes == [2, 3])
      #expect(try root.any.asStruct(Leaf.self).label == "part")
    }
  }

  @Test("a chain of 100,000 structs is built, copied and erased without recursion")
  func longChain() throws {
    var message = try MessageBuilder(AnyStruct.self)
    func grow(_ raw: RawStructBuilder) {
      var copied = raw.initStructure(at: 0, size: AnyStruct.size)
      for _ in 0..<100_000 { copied = copied.initStructure(at: 0, size: AnyStruct.size) }
    }
    grow(message.root.raw)
    var copy = try MessageBuilder(AnyStruct.self)
    try message.read { copy.root.raw.setStructure($0, at: 1) }
    #expect(copy.failure == nil)
    #expect(copy.byteCount > 100_000 * 32)
    message.root.raw.clearPointer(at: 0)
    #expect(message.failure == nil)
    #expect(words(of: message).joined().dropFirst().allSatisfy { $0 == 0 })
  }
}
