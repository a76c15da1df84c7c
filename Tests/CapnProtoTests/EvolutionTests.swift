import CapnProto
import Testing

/// A schema that was newer or older when the message was written.
@Suite struct EvolutionTests {
  @Test("fields behind the end of an older struct read as their defaults")
  func olderStruct() throws {
    try withMessage([structPointer(offset: 0, data: 1, pointers: 0), 5]) { message in
      let tree = try message.root(as: Tree.self)
      #expect(tree.id == 5 ^ 7)
      #expect(tree.small == -3)
      #expect(try tree.name == "")
      #expect(try tree.kids.isEmpty)
      guard case .none = try tree.which else { return #expect(Bool(false), "the first member is the default") }
    }
  }

  @Test("what a newer struct has more is left alone")
  func newerStruct() throws {
    try withMessage([
      structPointer(offset: 0, data: 3, pointers: 2), 1, 2, 3, listPointer(offset: 1, .byte, count: 2), 0, bytes("n"),
    ]) { message in
      let leaf = try message.root(as: Leaf.self)
      #expect(leaf.weight == Double(bitPattern: 1))
      #expect(try leaf.label == "n")
    }
  }

  @Test("a list of primitives reads as a list of structs with that first field")
  func primitivesAsStructs() throws {
    try withMessage([
      structPointer(offset: 0, data: 0, pointers: 1), listPointer(offset: 0, .twoBytes, count: 3),
      0x0003_0002_0001,
    ]) { message in
      let list = try message.root(as: AnyStruct.self).list(at: 0, of: RawStructReader.self)
      #expect(list.count == 3)
      #expect(list[2].load(UInt16.self, at: 0) == 3)
      #expect(list[2].load(UInt32.self, at: 0) == 0)
      #expect(list[2].load(UInt16.self, at: 1) == 0)
      #expect(list[0].loadBool(atBit: 0) == true)
      #expect(list[0].hasPointer(at: 0) == false)
    }
  }

  @Test("a list of text reads as a list of structs with that first pointer")
  func pointersAsStructs() throws {
    try withMessage([
      structPointer(offset: 0, data: 0, pointers: 1), listPointer(offset: 0, .pointer, count: 2),
      0, listPointer(offset: 0, .byte, count: 2), bytes("t"),
    ]) { message in
      let list = try message.root(as: AnyStruct.self).list(at: 0, of: Leaf.Reader.self)
      #expect(list[0].weight == 0)
      #expect(try list[0].label == "unnamed")
      #expect(try list[1].label == "t")
    }
  }

  @Test("a list of structs reads as a list of their first field")
  func structsAsPrimitives() throws {
    try withMessage([
      structPointer(offset: 0, data: 0, pointers: 1), listPointer(offset: 0, .composite, count: 4),
      structPointer(offset: 2, data: 1, pointers: 1), 0x1_0007, listPointer(offset: 2, .byte, count: 2), 8, 0,
      bytes("t"),
    ]) { message in
      let root = try message.root(as: AnyStruct.self)
      let numbers = try root.list(at: 0, of: UInt16.self)
      #expect(numbers.array == [7, 8])
      let isContiguous = numbers.span != nil
      #expect(!isContiguous)
      #expect(try root.list(at: 0, of: String.self).array == ["t", ""])
      #expect(throws: CapnProtoError.self) { try root.list(at: 0, of: Bool.self).count }
    }
  }

  @Test("a list of bits is no list of structs")
  func bitsAsStructs() throws {
    try withMessage([
      structPointer(offset: 0, data: 0, pointers: 1), listPointer(offset: 0, .bit, count: 3), 7,
    ]) { message in
      let root = try message.root(as: AnyStruct.self)
      let error = #expect(throws: CapnProtoError.self) { try root.list(at: 0, of: RawStructReader.self).count }
      #expect(error?.kind == .incompatibleElements(expected: .composite, found: .bit))
    }
  }

  @Test("elements that are too narrow are refused, wider ones give their low bits")
  func elementWidths() throws {
    try withMessage([
      structPointer(offset: 0, data: 0, pointers: 1), listPointer(offset: 0, .fourBytes, count: 2),
      0x0004_0003_0002_0001,
    ]) { message in
      let root = try message.root(as: AnyStruct.self)
      #expect(try root.list(at: 0, of: UInt16.self).array == [1, 3])
      let error = #expect(throws: CapnProtoError.self) { try root.list(at: 0, of: UInt64.self).count }
      #expect(error?.kind == .incompatibleElements(expected: .eightBytes, found: .fourBytes))
      #expect(error?.location == CapnProtoError.Location(segment: 0, wordOffset: 1))
    }
  }

  @Test("writing a struct or a list that an older schema made enlarges it, and keeps what it holds")
  func writingOlder() throws {
    var message = try MessageBuilder(AnyStruct.self, allocator: ExactAllocator(byteCount: 64))
    do {
      let root = message.root.raw
      let old = root.initStructure(at: 0, size: StructSize(dataWords: 1, pointers: 0))
      old.store(UInt64(5), at: 0)
      let leaf = Leaf.Builder(root.structure(at: 0, size: Leaf.size))
      #expect(leaf.weight == Double(bitPattern: 5))
      leaf.label = "now"
      #expect(Leaf.Builder(root.structure(at: 0, size: Leaf.size)).label == "now")

      let narrow = root.initList(at: 1, count: 3, of: UInt64.self)
      for i in narrow.indices { narrow[i] = UInt64(i) }
      let wide = root.list(at: 1, of: Leaf.Builder.self)
      #expect(wide.count == 3)
      #expect(wide[2].weight == Double(bitPattern: 2))
      wide[1].label = "second"
    }
    #expect(message.failure == nil)
    try message.read { root in
      let list = try root.list(at: 1, of: Leaf.Reader.self)
      #expect(list[1].weight == Double(bitPattern: 1))
      #expect(try list[1].label == "second")
    }
  }

  @Test("a copy keeps what this schema does not know")
  func unknownFieldsSurvive() throws {
    try withMessage([
      structPointer(offset: 0, data: 3, pointers: 2), 1, 2, 3, 0, listPointer(offset: 0, .bit, count: 3), 0xFD,
    ]) { message in
      var copy = try MessageBuilder(AnyStruct.self)
      copy.root.raw.setStructure(try message.root(as: AnyStruct.self), at: 1)
      try copy.read { root in
        let inner = try root.structure(at: 1)
        #expect(inner.size == StructSize(dataWords: 3, pointers: 2))
        #expect(inner.load(UInt64.self, at: 2) == 3)
        #expect(try inner.list(at: 1, of: Bool.self).array == [true, false, true])
      }
    }
  }
}
