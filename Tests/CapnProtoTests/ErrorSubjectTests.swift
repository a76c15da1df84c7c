import CapnProto
import Testing

/// Errors name what was read or written: the field with its type, the root with its type, the element by its index.
@Suite struct ErrorSubjectTests {
  /// A message whose root has a text that is not terminated, a list of such a text, and a capability.
  private static let words: [UInt64] = [
    structPointer(offset: 0, data: 1, pointers: 3), 1,
    listPointer(offset: 2, .byte, count: 3), listPointer(offset: 2, .pointer, count: 2), 3,
    bytes("abc"), 0, listPointer(offset: 0, .byte, count: 3), bytes("abc"),
  ]

  /// The error of `body` with the root of the message.
  private func error(_ body: (RawStructReader) throws -> Void) throws -> CapnProtoError? {
    try withMessage(Self.words) { message in
      #expect(throws: CapnProtoError.self) { try body(message.root(as: AnyStruct.self)) }
    }
  }

  @Test("an error of a reader names the field, with its type, and says where it is")
  func readerFields() throws {
    let text = try error { _ = try $0.text(at: 0, field: "Cache.fileName") }
    #expect(
      text
        == CapnProtoError(
          .textNotTerminated, at: .init(segment: 0, wordOffset: 2), subject: .field("Cache.fileName")))
    #expect(text?.description == "Cache.fileName: a text is not terminated by NUL (segment 0, word 2)")
    let subjects = [
      try error { _ = try $0.textBytes(at: 0, field: "Cache.fileName") },
      try error { _ = try $0.data(at: 2, field: "Cache.fileName") },
      try error { _ = try $0.data(at: 2, default: EncodedValue(words: []), field: "Cache.fileName") },
      try error { _ = try $0.structure(at: 0, field: "Cache.fileName") },
      try error { _ = try $0.structure(at: 0, default: EncodedValue(words: []), field: "Cache.fileName") },
      try error { _ = try $0.list(at: 2, of: UInt16.self, field: "Cache.fileName").count },
      try error {
        _ = try $0.list(at: 2, of: UInt16.self, default: EncodedValue(words: []), field: "Cache.fileName").count
      },
      try error { _ = try $0.value(TextSchema.self, at: 0, field: "Cache.fileName") },
      try error { try $0.expectMember(2, at: 0, field: "Cache.fileName") },
    ].map { $0?.subject }
    #expect(subjects == Array(repeating: .field("Cache.fileName"), count: 9))
    #expect(try error { _ = try $0.text(at: 0) }?.subject == nil)
  }

  @Test("an error of a list's element names its index, and that of a root its type")
  func elementsAndRoots() throws {
    let element = try error { _ = try $0.list(at: 1, of: String.self, field: "Cache.names")[1] }
    #expect(element?.subject == .element(1))
    #expect(element?.description.hasPrefix("list element 1: ") == true)
    #expect(try error { _ = try $0.list(at: 1, of: ListReader<UInt16>.self)[1].count }?.subject == .element(1))
    try withMessage([listPointer(offset: 0, .byte, count: 1), 0]) { message in
      let error = #expect(throws: CapnProtoError.self) { _ = try message.root(as: Tree.self).id }
      #expect(error?.subject == .root("tree.capnp:Tree"))
    }
  }

  @Test("the failure of a builder names the field that was written or looked at first")
  func builderFields() throws {
    func failure(byteLimit: Int = .max, _ body: (RawStructBuilder) -> Void) throws -> CapnProtoError? {
      var message = try MessageBuilder(AnyStruct.self, allocator: HeapSegmentAllocator(byteLimit: byteLimit))
      body(message.root.raw)
      return message.failure
    }
    let long = try failure { _ = $0.initList(at: 0, count: -1, of: UInt8.self, field: "Cache.parts") }
    #expect(long?.subject == .field("Cache.parts"))
    #expect(long?.description.hasPrefix("Cache.parts: a list of -1 is outside of the format's limits") == true)
    let full: [(RawStructBuilder) -> Void] = [
      { $0.setText("text", at: 0, field: "Cache.parts") },
      { $0.setData([1], at: 0, field: "Cache.parts") },
      { _ = $0.initData(at: 0, byteCount: 1, field: "Cache.parts") },
      { $0.initData(at: 0, byteCount: 1, field: "Cache.parts") { _ in } },
      { _ = $0.initStructure(at: 0, size: AnyStruct.size, field: "Cache.parts") },
      { _ = $0.structure(at: 0, size: AnyStruct.size, field: "Cache.parts") },
      { _ = $0.initList(at: 0, count: 1, of: AnyStruct.RawBuilder.self, field: "Cache.parts") },
    ]
    for body in full {
      // The message has room for its root, and for nothing else.
      let failure = try failure(byteLimit: 40) {
        body($0)
        $0.setText("later", at: 1, field: "Cache.later")
      }
      #expect(failure?.subject == .field("Cache.parts"))
    }
    let wrong: [(RawStructBuilder) -> Void] = [
      { _ = $0.text(at: 0, field: "Cache.parts") },
      { _ = $0.data(at: 0, field: "Cache.parts") },
      { _ = $0.mutableData(at: 0, field: "Cache.parts") },
      { _ = $0.list(at: 0, of: UInt8.self, field: "Cache.parts") },
      { _ = $0.expectMember(1, at: 0, field: "Cache.parts") },
    ]
    for body in wrong {
      let failure = try failure {
        _ = $0.initStructure(at: 0, size: AnyStruct.size)
        body($0)
      }
      #expect(failure?.subject == .field("Cache.parts"))
    }
  }
}
