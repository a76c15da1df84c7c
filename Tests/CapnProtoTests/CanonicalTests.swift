import CapnProto
import Testing

/// The size of objects, and their canonical form.
@Suite struct CanonicalTests {
  /// The words of what `bytes` hold.
  static func words(_ bytes: [UInt8]) -> [UInt64] {
    stride(from: 0, to: bytes.count, by: 8).map {
      bytes.span.bytes.unsafeLoadUnaligned(fromByteOffset: $0, as: UInt64.self)
    }
  }

  /// Whether `segments` are a canonical message.
  static func isCanonical(_ segments: [UInt64]...) throws -> Bool {
    let memory = SegmentMemory(segments)
    return try withExtendedLifetime(memory) { try memory.message().isCanonical() }
  }

  @Test("canonical forms do not depend on the segments", arguments: [8, 64, 8192])
  func segmentsDoNotMatter(segmentByteCount: Int) throws {
    func canonical(_ byteCount: Int) throws -> [UInt8] {
      var message = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: byteCount))
      RoundTripTests.fill(message.root)
      return try message.read { try $0.raw.canonicalized() }
    }
    let bytes = try canonical(segmentByteCount)
    #expect(try bytes == canonical(1 << 16))
    let copy = SegmentMemory([Self.words(bytes)])
    try withExtendedLifetime(copy) {
      let message = try copy.message()
      #expect(try message.isCanonical())
      let root = try message.root(as: Tree.self)
      try RoundTripTests.expectFilled(root)
      #expect(try root.raw.canonicalized() == bytes)
    }
  }

  @Test("trailing zero words and null pointers are left out, of structs and of struct lists")
  func trimming() throws {
    var message = try MessageBuilder(AnyStruct.self)
    do {
      let root = message.root.raw
      root.store(UInt8(1), at: 0)
      let list = root.initList(at: 0, count: 2, of: Tree.Builder.self)
      list[0].id = 7
      list[1].id = 8
      list[0].name = "n"
    }
    let bytes = try message.read { try $0.canonicalized() }
    #expect(
      Self.words(bytes) == [
        structPointer(offset: 0, data: 1, pointers: 1), 1,
        listPointer(offset: 0, .composite, count: 4), structPointer(offset: 2, data: 1, pointers: 1),
        0, listPointer(offset: 2, .byte, count: 2), 8 ^ 7, 0, CapnProtoTests.bytes("n"),
      ])
    var empty = try MessageBuilder(AnyStruct.self)
    _ = empty.root.raw.initList(at: 1, count: 3, of: Tree.Builder.self)
    _ = empty.root.raw.initStructure(at: 0, size: Tree.size)
    #expect(
      try Self.words(empty.read { try $0.canonicalized() }) == [
        structPointer(offset: 0, data: 0, pointers: 2), structPointer(offset: -1, data: 0, pointers: 0),
        listPointer(offset: 0, .composite, count: 0), structPointer(offset: 3, data: 0, pointers: 0),
      ])
  }

  @Test("what is not in canonical form is found")
  func notCanonical() throws {
    let root = structPointer(offset: 0, data: 1, pointers: 1)
    #expect(try Self.isCanonical([root, 1, listPointer(offset: 0, .byte, count: 3), 0x0000_0000_0001_0203]))
    // Bits behind the end of a list, a word too many, a hole, an order, a trailing zero, a far pointer.
    #expect(try !Self.isCanonical([root, 1, listPointer(offset: 0, .byte, count: 3), 0x0000_0000_0101_0203]))
    #expect(try !Self.isCanonical([root, 1, listPointer(offset: 0, .byte, count: 3), 3, 0]))
    #expect(try !Self.isCanonical([root, 1, listPointer(offset: 1, .byte, count: 3), 0, 3]))
    #expect(try !Self.isCanonical([structPointer(offset: 0, data: 1, pointers: 0), 0]))
    #expect(try !Self.isCanonical([structPointer(offset: 0, data: 0, pointers: 1), 0]))
    #expect(try !Self.isCanonical([structPointer(offset: 1, data: 1, pointers: 0), 0, 1]))
    #expect(
      try !Self.isCanonical([farPointer(segment: 0, wordOffset: 1), structPointer(offset: 0, data: 1, pointers: 0), 1]))
    #expect(try !Self.isCanonical([structPointer(offset: 0, data: 1, pointers: 0), 1], [0]))
    #expect(try Self.isCanonical([structPointer(offset: -1, data: 0, pointers: 0)]))
    #expect(try Self.isCanonical([0]))
    let two = structPointer(offset: 0, data: 0, pointers: 2)
    let text = listPointer(offset: 1, .byte, count: 1)
    #expect(try Self.isCanonical([two, text, text, 1, 2]))
    #expect(try !Self.isCanonical([two, text + 4, text - 4, 1, 2]))
    #expect(throws: CapnProtoError.self) { try Self.isCanonical([two, text, text, 1]) }
  }

  @Test("a capability has no canonical form, and is counted")
  func capability() throws {
    try withMessage([structPointer(offset: 0, data: 0, pointers: 1), 3 | 5 << 32]) { message in
      let root = try message.root(as: AnyStruct.self)
      #expect(try root.totalSize() == TotalSize(wordCount: 1, capabilityCount: 1))
      let error = #expect(throws: CapnProtoError.self) { try root.canonicalized() }
      #expect(error?.kind == .capabilityInCanonicalForm)
      #expect(try !message.isCanonical())
    }
  }

  @Test("the total size is what a copy takes")
  func totalSize() throws {
    var message = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: 64))
    RoundTripTests.fill(message.root)
    let size = try message.read { try $0.raw.totalSize() }
    var copy = try MessageBuilder(AnyStruct.self, allocator: ExactAllocator(byteCount: 1 << 16))
    let before = copy.byteCount
    try message.read { copy.root.raw.setStructure($0.raw, at: 0) }
    #expect(copy.byteCount - before == size.wordCount * 8)
    #expect(size.capabilityCount == 0)
    #expect(try copy.read { try $0.pointer(at: 0).totalSize() } == size)
    #expect(try copy.read { try $0.pointer(at: 1).totalSize() } == TotalSize(wordCount: 0, capabilityCount: 0))
  }

  @Test("measuring a message that refers to itself ends at the limits")
  func cycles() throws {
    try withMessage([structPointer(offset: -1, data: 0, pointers: 1)]) { message in
      let root = try message.root(as: AnyStruct.self)
      #expect(throws: CapnProtoError.self) { try root.totalSize() }
      #expect(throws: CapnProtoError.self) { try root.canonicalized() }
      #expect(try !message.isCanonical())
    }
    // Each struct owns the next twice: 2^40 visits, had they no limit.
    var doubling: [UInt64] = [structPointer(offset: 0, data: 0, pointers: 2)]
    for _ in 0..<40 {
      doubling += [structPointer(offset: 1, data: 0, pointers: 2), structPointer(offset: 0, data: 0, pointers: 2)]
    }
    doubling += [0, 0]
    var limits = ReadLimits.stream
    limits.traversalWords = 10_000
    try withMessage(doubling, limits: limits) { message in
      let root = try message.root(as: AnyStruct.self)
      let error = #expect(throws: CapnProtoError.self) { try root.totalSize() }
      #expect(error?.kind == .traversalLimitExceeded(limitWords: 10_000))
    }
  }
}
