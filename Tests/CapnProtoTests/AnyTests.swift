import CapnProto
import Testing

/// Objects without a type, capabilities, and comparing.
@Suite struct AnyTests {
  @Test("a struct without a type has its two sections", arguments: [8, 64, 8192])
  func structs(segmentByteCount: Int) throws {
    var message = try MessageBuilder(AnyStruct.self, allocator: ExactAllocator(byteCount: segmentByteCount))
    do {
      let root = message.root.raw
      let raw = root.pointer(at: 0).initRawStruct(StructSize(dataWords: 1, pointers: 2))
      #expect(raw.size == StructSize(dataWords: 1, pointers: 2))
      var data = raw.dataSection
      #expect(data.byteCount == 8)
      data.storeBytes(of: 7, toByteOffset: 3, as: UInt8.self)
      let pointers = raw.pointerSection
      pointers[1].setText("second")
      let larger = root.pointer(at: 0).asRawStruct(StructSize(dataWords: 2, pointers: 1))
      #expect(larger.size == StructSize(dataWords: 2, pointers: 2))
    }
    #expect(message.failure == nil)
    try message.read { root throws in
      let raw = try root.pointer(at: 0).asRawStruct()
      #expect(raw.dataSection.bytes == [0, 0, 0, 7] + [UInt8](repeating: 0, count: 12))
      let pointers = raw.pointerSection
      #expect(pointers.count == 2)
      #expect(pointers[0].isNull == true)
      #expect(try pointers[1].asText() == "second")
    }
  }

  @Test("a list without a type tells its layout, and is read as one with it")
  func lists() throws {
    var message = try MessageBuilder(AnyStruct.self)
    do {
      let root = message.root.raw
      let list = root.pointer(at: 0).initAnyList(ElementLayout(.twoBytes), count: 3)
      #expect(list.count == 3)
      list.asList(of: UInt16.self)[1] = 0x0102
      let structs = root.initList(at: 1, count: 2, of: Leaf.Builder.self)
      structs[1].label = "l"
      #expect(root.pointer(at: 1).asAnyList().elementSize == .composite)
    }
    try message.read { root throws in
      let numbers = try root.anyList(at: 0)
      #expect(numbers.elementSize == .twoBytes)
      #expect(numbers.bytes.bytes == [0, 0, 2, 1, 0, 0])
      #expect(try numbers.asList(of: UInt16.self).array == [0, 0x0102, 0])
      #expect(throws: CapnProtoError.self) { try numbers.asList(of: UInt32.self).count }
      let structs = try root.anyList(at: 1)
      #expect(structs.count == 2)
      #expect(structs.elementStructSize == Leaf.size)
      #expect(structs.bytes.byteCount == 32)
      let leaves = try structs.asList(of: Leaf.Reader.self)
      #expect(try leaves[1].label == "l")
      let nothing = try root.structure(at: 1000).pointer(at: 0).asAnyList()
      #expect(nothing.count == 0)
    }
  }

  @Test("capability pointers are set, read, copied and moved", arguments: [8, 8192])
  func capabilities(segmentByteCount: Int) throws {
    var message = try MessageBuilder(AnyStruct.self, allocator: ExactAllocator(byteCount: segmentByteCount))
    do {
      let root = message.root.raw
      root.pointer(at: 0).setText("replaced")
      root.pointer(at: 0).setCapability(index: .max)
      let list = root.initList(at: 1, count: 2, of: AnyPointerBuilder.self)
      list[1].setCapability(index: 7)
      list[0].set(root.pointer(at: 0).asReader)
      list[0].adopt(list[1].disown(as: AnyPointerBuilder.self))
    }
    #expect(message.failure == nil)
    try message.read { root throws in
      #expect(try root.pointer(at: 0).capabilityIndex() == .max)
      let list = try root.list(at: 1, of: AnyPointerReader.self)
      #expect(try list[0].capabilityIndex() == 7)
      #expect(try list[1].capabilityIndex() == nil)
      #expect(throws: CapnProtoError.self) { try root.pointer(at: 1).capabilityIndex() }
    }
    // Bits that mean nothing yet are no capability.
    try withMessage([structPointer(offset: 0, data: 0, pointers: 1), 7 | 5 << 32]) { message in
      let root = try message.root(as: AnyStruct.self)
      #expect(throws: CapnProtoError.self) { try root.pointer(at: 0).capabilityIndex() }
    }
  }

  @Test("objects are compared by content, not by where or how large they are", arguments: [8, 64, 8192])
  func comparing(segmentByteCount: Int) throws {
    var message = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: segmentByteCount))
    RoundTripTests.fill(message.root)
    var other = try MessageBuilder(AnyStruct.self)
    try message.read { other.root.raw.setStructure($0.raw, at: 0) }
    func compare() throws -> Equality {
      try message.read { tree in try other.read { try tree.raw.compare(to: $0.structure(at: 0)) } }
    }
    #expect(try compare() == .equal)
    let larger = StructSize(dataWords: 9, pointers: 20)
    _ = other.root.raw.structure(at: 0, size: larger)
    #expect(try compare() == .equal)
    other.root.raw.structure(at: 0, size: larger).pointer(at: 19).setCapability(index: 1)
    #expect(try compare() == .unequal)
    message.root.raw.pointer(at: 9).setCapability(index: 1)
    do {
      let copy = other.root.raw.structure(at: 0, size: larger)
      copy.clearPointer(at: 19)
      copy.pointer(at: 9).setCapability(index: 1)
    }
    #expect(try compare() == .unknownCapabilities)
    message.root.kids[2].name = "another"
    #expect(try compare() == .unequal)
    try message.read { root throws in
      #expect(try root.raw.pointer(at: 0).compare(to: root.raw.pointer(at: 0)) == .equal)
      #expect(try root.raw.pointer(at: 0).compare(to: root.raw.pointer(at: 1)) == .unequal)
      #expect(try root.raw.pointer(at: 5).compare(to: root.raw.pointer(at: 5)) == .equal)
    }
  }
}
