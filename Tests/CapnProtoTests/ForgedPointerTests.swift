import CapnProto
import Testing

/// Messages whose pointers lie. Each is refused with the error that names the lie, at once.
@Suite struct ForgedPointerTests {
  /// A message and what reading pointer 0 of its root must say.
  struct Forgery: Sendable, CustomTestStringConvertible {
    enum Access { case structure, structs, numbers, bits, pointers, text, data }
    let testDescription: String
    let access: Access
    let kind: CapnProtoError.Kind
    let segments: [[UInt64]]

    /// The root has one pointer, at word 1; `rest` follows.
    init(
      _ name: String, _ access: Access, _ kind: CapnProtoError.Kind, _ pointer: UInt64, _ rest: [UInt64] = [],
      segments: [[UInt64]] = []
    ) {
      testDescription = name
      self.access = access
      self.kind = kind
      self.segments = [[structPointer(offset: 0, data: 0, pointers: 1), pointer] + rest] + segments
    }
  }

  static let forgeries: [Forgery] = [
    Forgery(
      "struct past the end", .structure, .outOfBounds(wordCount: 2), structPointer(offset: 0, data: 1, pointers: 1),
      [0]),
    Forgery(
      "struct before the start", .structure, .outOfBounds(wordCount: 1), structPointer(offset: -3, data: 1, pointers: 0)
    ),
    Forgery(
      "struct at the largest offset", .structure, .outOfBounds(wordCount: 131_070),
      structPointer(offset: (1 << 29) - 1, data: .max, pointers: .max)),
    Forgery(
      "struct at the smallest offset", .structure, .outOfBounds(wordCount: 131_070),
      structPointer(offset: -(1 << 29), data: .max, pointers: .max)),
    Forgery(
      "empty struct outside", .structure, .outOfBounds(wordCount: 0), structPointer(offset: 9, data: 0, pointers: 0)),
    Forgery(
      "list for a struct", .structure, .wrongPointerKind(expected: .structure, found: .list),
      listPointer(offset: 0, .byte, count: 0)),
    Forgery(
      "capability for a struct", .structure, .wrongPointerKind(expected: .structure, found: .other), 3),
    Forgery(
      "struct for a list", .numbers, .wrongPointerKind(expected: .list, found: .structure),
      structPointer(offset: -1, data: 0, pointers: 0)),
    Forgery(
      "list past the end", .numbers, .outOfBounds(wordCount: 2), listPointer(offset: 0, .fourBytes, count: 3), [0]),
    Forgery(
      "longest list", .numbers, .outOfBounds(wordCount: (1 << 29) - 1),
      listPointer(offset: 0, .eightBytes, count: (1 << 29) - 1)),
    Forgery(
      "longest pointer list", .pointers, .outOfBounds(wordCount: (1 << 29) - 1),
      listPointer(offset: -2, .pointer, count: (1 << 29) - 1)),
    Forgery(
      "bits past the end", .bits, .outOfBounds(wordCount: 2), listPointer(offset: 0, .bit, count: 65), [0]),
    Forgery(
      "struct list past the end", .structs, .outOfBounds(wordCount: 3), listPointer(offset: 0, .composite, count: 2),
      [structPointer(offset: 1, data: 2, pointers: 0), 0]),
    Forgery(
      "struct list without room for its tag", .structs, .outOfBounds(wordCount: 1),
      listPointer(offset: 0, .composite, count: 0)),
    Forgery(
      "longest struct list", .structs, .outOfBounds(wordCount: 1 << 29),
      listPointer(offset: 0, .composite, count: (1 << 29) - 1)),
    Forgery(
      "tag that is no struct", .structs, .invalidListTag, listPointer(offset: 0, .composite, count: 1),
      [listPointer(offset: 0, .byte, count: 1), 0]),
    Forgery(
      "tag that counts too many", .structs, .listOverrun(elementCount: 2, wordCount: 1),
      listPointer(offset: 0, .composite, count: 1), [structPointer(offset: 2, data: 1, pointers: 0), 0]),
    Forgery(
      "tag that counts the most", .structs, .listOverrun(elementCount: (1 << 30) - 1, wordCount: 1),
      listPointer(offset: 0, .composite, count: 1), [structPointer(offset: -1, data: .max, pointers: .max), 0]),
    Forgery(
      "tag that counts nothing without end", .structs,
      .traversalLimitExceeded(limitWords: ReadLimits.stream.traversalWords),
      listPointer(offset: 0, .composite, count: 0), [structPointer(offset: -1, data: 0, pointers: 0)]),
    Forgery(
      "void list without end", .structs, .traversalLimitExceeded(limitWords: ReadLimits.stream.traversalWords),
      listPointer(offset: 0, .void, count: (1 << 29) - 1)),
    Forgery(
      "text past the end", .text, .outOfBounds(wordCount: 2), listPointer(offset: 0, .byte, count: 9), [0]),
    Forgery(
      "text without terminator", .text, .textNotTerminated, listPointer(offset: 0, .byte, count: 3), [bytes("abcd")]),
    Forgery("text without bytes", .text, .textNotTerminated, listPointer(offset: 0, .byte, count: 0)),
    Forgery("text that is no UTF-8", .text, .textNotUTF8, listPointer(offset: 0, .byte, count: 4), [0x00_80C3_C3]),
    Forgery("text with a surrogate", .text, .textNotUTF8, listPointer(offset: 0, .byte, count: 4), [0x00_80A0_ED]),
    Forgery(
      "text of wide elements", .text, .incompatibleElements(expected: .byte, found: .twoBytes),
      listPointer(offset: 0, .twoBytes, count: 1), [0]),
    Forgery(
      "data of structs", .data, .incompatibleElements(expected: .byte, found: .composite),
      listPointer(offset: 0, .composite, count: 0), [0]),
    Forgery(
      "data past the end", .data, .outOfBounds(wordCount: 1 << 26),
      listPointer(offset: 0, .byte, count: (1 << 29) - 1)),
    Forgery(
      "far to a segment that is not", .structure, .unknownSegment(7, segmentCount: 1),
      farPointer(segment: 7, wordOffset: 0)),
    Forgery(
      "far to the last segment there can be", .structure, .unknownSegment(.max, segmentCount: 1),
      farPointer(segment: .max, wordOffset: (1 << 29) - 1)),
    Forgery(
      "landing pad past the end", .structure, .outOfBounds(wordCount: 1), farPointer(segment: 1, wordOffset: 1),
      segments: [[0]]),
    Forgery(
      "landing pad in an empty segment", .structure, .outOfBounds(wordCount: 1), farPointer(segment: 1, wordOffset: 0),
      segments: [[]]),
    Forgery(
      "double landing pad past the end", .structure, .outOfBounds(wordCount: 2),
      farPointer(segment: 1, wordOffset: 0, isDouble: true), segments: [[farPointer(segment: 0, wordOffset: 0)]]),
    Forgery(
      "far to a far", .structure, .wrongPointerKind(expected: .structure, found: .far),
      farPointer(segment: 0, wordOffset: 1)),
    Forgery(
      "double-far to no far", .structure, .invalidLandingPad, farPointer(segment: 1, wordOffset: 0, isDouble: true),
      segments: [[structPointer(offset: 0, data: 0, pointers: 0), structPointer(offset: 0, data: 0, pointers: 0)]]),
    Forgery(
      "double-far to a double-far", .structure, .invalidLandingPad,
      farPointer(segment: 1, wordOffset: 0, isDouble: true),
      segments: [[farPointer(segment: 1, wordOffset: 0, isDouble: true), 0]]),
    Forgery(
      "double-far with a far tag", .structure, .invalidLandingPad,
      farPointer(segment: 1, wordOffset: 0, isDouble: true),
      segments: [[farPointer(segment: 1, wordOffset: 0), farPointer(segment: 1, wordOffset: 0)]]),
    Forgery(
      "double-far whose object lies outside", .structure, .outOfBounds(wordCount: 1),
      farPointer(segment: 1, wordOffset: 0, isDouble: true),
      segments: [[farPointer(segment: 0, wordOffset: 2), structPointer(offset: 0, data: 1, pointers: 0)]]),
    Forgery(
      "double-far into a segment that is not", .structure, .unknownSegment(9, segmentCount: 2),
      farPointer(segment: 1, wordOffset: 0, isDouble: true),
      segments: [[farPointer(segment: 9, wordOffset: 0), structPointer(offset: 0, data: 1, pointers: 0)]]),
  ]

  @Test("a forged pointer is refused with what is wrong", arguments: forgeries)
  func refused(_ forgery: Forgery) throws {
    let memory = SegmentMemory(forgery.segments)
    try withExtendedLifetime(memory) {
      let message = try memory.message()
      let root = try message.root(as: AnyStruct.self)
      let error = #expect(throws: CapnProtoError.self) {
        switch forgery.access {
        case .structure: _ = try root.structure(at: 0).size
        case .structs: _ = try root.list(at: 0, of: RawStructReader.self).count
        case .numbers: _ = try root.list(at: 0, of: UInt32.self).count
        case .bits: _ = try root.list(at: 0, of: Bool.self).count
        case .pointers: _ = try root.list(at: 0, of: AnyPointerReader.self).count
        case .text: _ = try root.text(at: 0)
        case .data: _ = try root.data(at: 0).byteCount
        }
      }
      #expect(error?.kind == forgery.kind)
      #expect(error?.location == CapnProtoError.Location(segment: 0, wordOffset: 1))
      #expect(error?.description.isEmpty == false)
    }
  }

  @Test("a writer sees no content behind a forged pointer, and can replace it", arguments: forgeries)
  func refusedWhenWriting(_ forgery: Forgery) throws {
    // Memory that a peer can write to: the pointer is forged after the message was built.
    var message = try MessageBuilder(AnyStruct.self)
    let base = UnsafeMutableRawPointer(mutating: message.segment(at: 0).baseAddress)
    do {
      let root = message.root.raw
      for (index, word) in forgery.segments[0].dropFirst().prefix(2).enumerated() {
        base?.storeBytes(of: word, toByteOffset: (3 + index) * 8, as: UInt64.self)
      }
      switch forgery.access {
      case .structure: #expect(root.structure(at: 0, size: Leaf.size).load(UInt64.self, at: 0) == 0)
      case .structs: #expect(root.list(at: 0, of: Leaf.Builder.self).count == 0)
      case .numbers: #expect(root.list(at: 0, of: UInt32.self).count == 0)
      case .bits: #expect(root.list(at: 0, of: Bool.self).count == 0)
      case .pointers: #expect(root.list(at: 0, of: String.self).count == 0)
      case .text: #expect(root.text(at: 0) == "")
      case .data: #expect(root.data(at: 0).byteCount == 0)
      }
      // Whatever it was, it is replaced without harm.
      root.setText("replaced", at: 0)
      #expect(root.text(at: 0) == "replaced")
    }
    #expect(message.segmentCount == 1)
  }
}
