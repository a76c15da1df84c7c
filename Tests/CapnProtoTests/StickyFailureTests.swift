import CapnProto
import Testing

/// What fails while a message is written is remembered, and nothing else goes wrong.
@Suite struct StickyFailureTests {
  /// A message whose allocator has no more to give.
  static func exhausted() throws -> MessageBuilder<Tree> {
    let allocator = ExactAllocator(byteCount: 128)
    let message = try MessageBuilder(Tree.self, allocator: allocator)
    allocator.limit(to: 0)
    return message
  }

  @Test("without memory every writer drops what is written, and the message says so")
  func dropped() throws {
    var message = try Self.exhausted()
    do {
      let root = message.root
      root.id = 5
      root.name = "long enough"
      root.setBlob([1, 2, 3])
      let kids = root.initKids(3)
      #expect(kids.count == 3)
      for i in kids.indices {
        kids[i].id = 1
        kids[i].flag = false
        kids[i].name = "x"
        kids[i].initKids(2)[1].initLeaf().label = "y"
        kids[i].any.setText("z")
        #expect(kids[i].id == 7)
        #expect(kids[i].name == "")
      }
      let numbers = root.initNumbers(4)
      #expect(numbers.count == 4)
      numbers[3] = 9
      #expect(numbers[3] == 0)
      let bits = root.initBits(4)
      bits[3] = true
      #expect(bits[3] == false)
      let texts = root.initTexts(2)
      texts[1] = "t"
      #expect(texts[1] == "")
      let grid = root.initGrid(2)
      grid.initList(at: 1, count: 5)[4].label = "g"
      #expect(grid[1].count == 0)
      let blobs = root.initBlobs(2)
      blobs.setData([1], at: 0)
      #expect(blobs[0].byteCount == 0)
      var inList = blobs.initData(at: 1, byteCount: 100)
      inList.storeBytes(of: 1, toByteOffset: 99, as: UInt8.self)
      var blob = root.initBlob(byteCount: 1000)
      #expect(blob.byteCount == 1000)
      blob.storeBytes(of: 1, toByteOffset: 999, as: UInt8.self)
      var wasCalled = false
      root.initBlob(byteCount: 1000) { _ in wasCalled = true }
      #expect(!wasCalled)
      root.initLeaf().label = "l"
      root.any.set(root.asReader.any)
      #expect(root.id == 5)
    }
    let failure = CapnProtoError(
      .allocationFailed(SegmentAllocationError(reason: "test limit", requestedByteCount: 24)))
    #expect(message.failure == failure)
    #expect(throws: failure) { try message.serialized() }
    #expect(throws: failure) { try message.read { _ in } }
    #expect(throws: failure) { try message.write { _ in } }
  }

  @Test("a list or blob that the format cannot express is refused")
  func tooLong() throws {
    let limit = (1 << 29) - 1
    func failure(_ body: (Tree.Builder) -> Void) throws -> CapnProtoError.Kind? {
      var message = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: 1024, byteLimit: 4096))
      body(message.root)
      return message.failure?.kind
    }
    #expect(try failure { _ = $0.initNumbers(limit + 1).count } == .invalidListCount(limit + 1, limit: limit))
    #expect(try failure { _ = $0.initNumbers(-1).count } == .invalidListCount(-1, limit: limit))
    #expect(try failure { _ = $0.initNumbers(.max).count } == .invalidListCount(.max, limit: limit))
    #expect(try failure { _ = $0.initVoids(limit).count } == nil)
    #expect(
      try failure { _ = $0.initKids(limit / 15 + 1).count } == .invalidListCount((limit / 15 + 1) * 15, limit: limit))
    #expect(
      try failure { _ = $0.initBlob(byteCount: limit + 1).byteCount } == .invalidListCount(limit + 1, limit: limit))
    #expect(try failure { _ = $0.initBlob(byteCount: -1).byteCount } == .invalidListCount(-1, limit: limit))
    #expect(
      try failure { _ = $0.initBlob(byteCount: limit).byteCount }
        == .allocationFailed(SegmentAllocationError(reason: "test limit", requestedByteCount: (1 << 29) + 8)))
  }

  @Test("the builder of a union member that is not set is refused")
  func wrongMember() throws {
    var message = try MessageBuilder(Tree.self)
    message.root.setNumber(5)
    message.root.leaf.weight = 1
    #expect(message.failure?.kind == .wrongUnionMember(expected: 2, found: 1))
    let bytes = try {
      var other = try MessageBuilder(Tree.self)
      other.root.setNumber(5)
      return try other.serialized()
    }()
    let received = try MessageReader(Tree.self, stream: bytes)
    let error = #expect(throws: CapnProtoError.self) { try received.read { _ = try $0.leaf.weight } }
    #expect(error?.kind == .wrongUnionMember(expected: 2, found: 1))
  }

  @Test("a message without memory for its root does not begin")
  func noRoot() {
    #expect(throws: CapnProtoError.self) {
      _ = try MessageBuilder(Tree.self, allocator: HeapSegmentAllocator(byteLimit: 64))
    }
  }

  @Test("an allocator that gives too little, or what is not aligned, is not believed")
  func badAllocator() {
    final class Bad: SegmentAllocator, @unchecked Sendable {
      let memory: UnsafeMutableRawBufferPointer
      let part: Range<Int>
      init(_ part: Range<Int>) {
        self.part = part
        memory = .allocate(byteCount: 1024, alignment: 8)
      }
      deinit { memory.deallocate() }
      func allocateSegment(
        minimumByteCount: Int
      ) throws(SegmentAllocationError) -> UnsafeMutableRawBufferPointer { .init(rebasing: memory[part]) }
    }
    for part in [0..<8, 4..<1024, 0..<0] {
      #expect(throws: CapnProtoError.self) { _ = try MessageBuilder(Tree.self, allocator: Bad(part)) }
    }
  }

  @Test("the heap allocator grows by doubling, and keeps its limit")
  func heapAllocator() throws {
    let allocator = HeapSegmentAllocator(firstSegmentByteCount: 100, byteLimit: 1000)
    #expect(try allocator.allocateSegment(minimumByteCount: 8).count == 104)
    #expect(try allocator.allocateSegment(minimumByteCount: 8).count == 104)
    #expect(try allocator.allocateSegment(minimumByteCount: 8).count == 208)
    #expect(try allocator.allocateSegment(minimumByteCount: 480).count == 480)
    #expect(try allocator.allocateSegment(minimumByteCount: 8).count == 104)
    #expect(throws: SegmentAllocationError(reason: "the limit of 1000 bytes is met", requestedByteCount: 8)) {
      try allocator.allocateSegment(minimumByteCount: 8)
    }
  }
}
