import CapnProto
import Testing

/// Words written by hand from the specification of the encoding, one for each kind of pointer.
@Suite struct PointerVectorTests {
  @Test("a struct pointer leads to data and pointers")
  func structure() throws {
    try withMessage([
      structPointer(offset: 1, data: 2, pointers: 1), 0xDEAD, 0x0102_0304_0506_0708, 0xFFFF_FFFF_FFFF_FFFF,
      structPointer(offset: 0, data: 1, pointers: 0), 42,
    ]) { message in
      let root = try message.root(as: AnyStruct.self)
      #expect(root.load(UInt64.self, at: 0) == 0x0102_0304_0506_0708)
      #expect(root.load(UInt8.self, at: 7) == 1)
      #expect(root.load(Int32.self, at: 3) == -1)
      #expect(root.load(UInt16.self, at: 1, default: 0x0506) == 0)
      #expect(root.loadBool(atBit: 3) == true)
      #expect(root.loadBool(atBit: 0) == false)
      #expect(try root.structure(at: 0).load(UInt64.self, at: 0) == 42)
    }
  }

  @Test("a negative offset leads backwards")
  func negativeOffset() throws {
    try withMessage([
      structPointer(offset: 1, data: 0, pointers: 1), 99, structPointer(offset: -2, data: 1, pointers: 0),
    ]) { message in
      let root = try message.root(as: AnyStruct.self)
      #expect(try root.structure(at: 0).load(UInt64.self, at: 0) == 99)
    }
  }

  @Test("an empty struct differs from a null pointer")
  func emptyStruct() throws {
    try withMessage([
      structPointer(offset: 0, data: 0, pointers: 2), structPointer(offset: -1, data: 0, pointers: 0), 0,
    ]) { message in
      let root = try message.root(as: AnyStruct.self)
      #expect(root.hasPointer(at: 0) == true)
      #expect(root.hasPointer(at: 1) == false)
      #expect(try root.structure(at: 0).size == StructSize(dataWords: 0, pointers: 0))
    }
  }

  @Test("a null root reads as defaults")
  func nullRoot() throws {
    try withMessage([0]) { message in
      let root = try message.root(as: Tree.self)
      #expect(root.id == 7)
      #expect(root.flag == true)
      #expect(root.small == -3)
      #expect(try root.name == "")
      #expect(try root.kids.isEmpty)
      #expect(try root.blob.isEmpty)
    }
  }

  @Test("primitive lists of every element size")
  func primitiveLists() throws {
    func list<Element: ListElement, Result>(
      _ size: ElementSize, count: Int, _ content: UInt64..., body: (ListReader<Element>) throws -> Result
    ) throws -> Result {
      let memory = SegmentMemory([
        [structPointer(offset: 0, data: 0, pointers: 1), listPointer(offset: 0, size, count: count)] + content
      ])
      return try withExtendedLifetime(memory) {
        let message = try memory.message()
        return try body(try message.root(as: AnyStruct.self).list(at: 0))
      }
    }
    let ones: UInt64 = 0b1011_0000_0001
    #expect(
      try list(.bit, count: 12, ones) { (list: ListReader<Bool>) in list.array }
        == [true, false, false, false, false, false, false, false, true, true, false, true])
    #expect(
      try list(.byte, count: 3, 0x0000_0000_00FF_0201) { (list: ListReader<Int8>) in list.array } == [1, 2, -1])
    #expect(
      try list(.twoBytes, count: 4, 0x0004_0003_0002_0001) { (list: ListReader<UInt16>) in list.array } == [1, 2, 3, 4])
    #expect(
      try list(.fourBytes, count: 2, UInt64(Float(1.5).bitPattern) << 32) { (list: ListReader<Float>) in list.array }
        == [0, 1.5])
    #expect(
      try list(.eightBytes, count: 2, 1, .max) { (list: ListReader<Int64>) in list.array } == [1, -1])
    #expect(try list(.void, count: 77) { (list: ListReader<VoidElement>) in list.count } == 77)
  }

  @Test("a struct list has a tag word")
  func structList() throws {
    try withMessage([
      structPointer(offset: 0, data: 0, pointers: 1), listPointer(offset: 0, .composite, count: 4),
      structPointer(offset: 2, data: 1, pointers: 1), 10, listPointer(offset: 2, .byte, count: 2), 20, 0,
      bytes("a"),
    ]) { message in
      let list = try message.root(as: AnyStruct.self).list(at: 0, of: Leaf.Reader.self)
      #expect(list.count == 2)
      #expect(list[0].weight == Double(bitPattern: 10))
      #expect(try list[0].label == "a")
      #expect(list[1].weight == Double(bitPattern: 20))
      #expect(try list[1].label == "unnamed")
      #expect(try list.map { try $0.label } == ["a", "unnamed"])
    }
  }

  @Test("text and data are byte lists")
  func blobs() throws {
    try withMessage([
      structPointer(offset: 0, data: 0, pointers: 2), listPointer(offset: 1, .byte, count: 4),
      listPointer(offset: 1, .byte, count: 3), bytes("abc"), bytes("xyz"),
    ]) { message in
      let root = try message.root(as: AnyStruct.self)
      #expect(try root.text(at: 0) == "abc")
      #expect(try root.textBytes(at: 0).bytes == Array("abc".utf8))
      #expect(try root.data(at: 1).bytes == Array("xyz".utf8))
    }
  }

  @Test("a far pointer leads through a landing pad in the other segment")
  func far() throws {
    try withMessage(
      [farPointer(segment: 1, wordOffset: 1)],
      [0, structPointer(offset: 1, data: 1, pointers: 0), 0, 5]
    ) { message in
      let root = try message.root(as: AnyStruct.self)
      #expect(root.load(UInt64.self, at: 0) == 5)
    }
  }

  @Test("a double-far pointer has its tag apart from the object")
  func doubleFar() throws {
    try withMessage(
      [farPointer(segment: 1, wordOffset: 1, isDouble: true)],
      [0, farPointer(segment: 2, wordOffset: 1), structPointer(offset: 0, data: 1, pointers: 0)],
      [0, 6]
    ) { message in
      let root = try message.root(as: AnyStruct.self)
      #expect(root.load(UInt64.self, at: 0) == 6)
    }
  }

  @Test("a far and a double-far pointer lead to lists")
  func farLists() throws {
    try withMessage(
      [
        structPointer(offset: 0, data: 0, pointers: 2), farPointer(segment: 1, wordOffset: 0),
        farPointer(segment: 1, wordOffset: 2, isDouble: true),
      ],
      [
        listPointer(offset: 0, .byte, count: 3), bytes("hi"), farPointer(segment: 2, wordOffset: 0),
        listPointer(offset: 0, .composite, count: 1),
      ],
      [structPointer(offset: 1, data: 1, pointers: 0), 8]
    ) { message in
      let root = try message.root(as: AnyStruct.self)
      #expect(try root.text(at: 0) == "hi")
      let list = try root.list(at: 1, of: RawStructReader.self)
      #expect(list.count == 1)
      #expect(list[0].load(UInt64.self, at: 0) == 8)
    }
  }

  @Test("a default that stands behind a pointer is read in place")
  func pointerDefaults() throws {
    let leaf = EncodedValue(words: [
      structPointer(offset: 0, data: 1, pointers: 1), Double(3).bitPattern, listPointer(offset: 0, .byte, count: 3),
      bytes("de"),
    ])
    let numbers = EncodedValue(words: [listPointer(offset: 0, .twoBytes, count: 2), 0x0002_0001])
    let blob = EncodedValue(words: [listPointer(offset: 0, .byte, count: 2), 0x0807])
    try withMessage([structPointer(offset: 0, data: 0, pointers: 1), 0]) { message in
      let root = try message.root(as: AnyStruct.self)
      let value = Leaf.Reader(try root.structure(at: 0, default: leaf))
      #expect(value.weight == 3)
      #expect(try value.label == "de")
      #expect(try root.list(at: 0, of: UInt16.self, default: numbers).array == [1, 2])
      #expect(try root.data(at: 0, default: blob).bytes == [7, 8])
      #expect(try root.text(at: 0, default: "other") == "other")
      #expect(try leaf.pointer.asStruct(Leaf.self).weight == 3)
    }
    var message = try MessageBuilder(AnyStruct.self)
    do {
      let root = message.root.raw
      #expect(root.data(at: 0, default: blob).bytes == [7, 8])
      let copy = Leaf.Builder(root.structure(at: 0, size: Leaf.size, default: leaf))
      #expect(copy.label == "de")
      copy.weight = 4
      #expect(try leaf.pointer.asStruct(Leaf.self).weight == 3)
      let list = root.list(at: 1, of: UInt16.self, default: numbers)
      list[0] = 9
      #expect(root.list(at: 1, of: UInt16.self)[0] == 9)
      #expect(root.list(at: 1, of: UInt16.self)[1] == 2)
    }
    #expect(message.failure == nil)
  }
}
