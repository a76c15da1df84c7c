import CapnProto
import SystemPackage
import Testing

/// Texts and blobs from whatever has them.
@Suite struct FillTests {
  @Test("text comes from strings, substrings, spans and a closure, and all are the same")
  func sources() throws {
    let text = "größer: 猫"
    var message = try MessageBuilder(Tree.self)
    do {
      let root = message.root
      let texts = root.initTexts(3)
      texts[0] = text
      texts.setText(text.dropFirst(0), at: 1)
      texts.setText(text.utf8Span, at: 2)
      root.raw.setText("<\(text)>".dropFirst().dropLast(), at: 0)
      root.any.setText(text.utf8Span)
    }
    #expect(message.failure == nil)
    let texts = try message.read { root in try root.texts.array + [root.name, root.any.asText()] }
    #expect(texts == Array(repeating: text, count: 5))
  }

  @Test("a text that is filled takes what was written, ends with NUL, and needs no more room")
  func filledText() throws {
    var message = try MessageBuilder(AnyStruct.self, allocator: ExactAllocator(byteCount: 4096))
    do {
      let raw = message.root.raw
      raw.initText(at: 0, byteCount: 1000) { for byte in "12345678".utf8 { $0.append(byte) } }
      raw.initText(at: 1, byteCount: 0) { #expect($0.freeCapacity == 0) }
      #expect(raw.text(at: 0) == "12345678")
    }
    #expect(message.failure == nil)
    let segment = words(of: message)[0]
    #expect(segment.suffix(3) == [bytes("12345678"), 0, 0])
    #expect(segment[3] == listPointer(offset: 1, .byte, count: 9))
    #expect(segment[4] == listPointer(offset: 2, .byte, count: 1))
  }

  @Test("a filled text that is not UTF-8 is a failure, and nothing of it stays")
  func invalidText() throws {
    var message = try MessageBuilder(AnyStruct.self)
    message.root.raw.initText(at: 0, byteCount: 8, field: "Cache.fileName") { text in
      for byte: UInt8 in [0x61, 0xFF, 0x62] { text.append(byte) }
    }
    #expect(message.failure?.kind == .textNotUTF8)
    #expect(message.failure?.subject == .field("Cache.fileName"))
    #expect(words(of: message).joined().dropFirst().allSatisfy { $0 == 0 })
  }

  @Test(
    "a text of a size that the format does not have is refused before it is filled", arguments: [-1, (1 << 29) - 1])
  func refusedText(byteCount: Int) throws {
    var message = try MessageBuilder(AnyStruct.self)
    message.root.raw.initText(at: 0, byteCount: byteCount) { _ in #expect(Bool(false), "there is nothing to fill") }
    #expect(message.failure?.kind == .invalidListCount(byteCount, limit: (1 << 29) - 1))
  }

  @Test("a blob is filled from a file descriptor, whatever pieces it gives")
  func descriptor() throws {
    let pipe = try FileDescriptor.pipe()
    try pipe.writeEnd.closeAfter { _ = try pipe.writeEnd.writeAll([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) }
    var message = try MessageBuilder(Tree.self)
    try pipe.readEnd.closeAfter {
      try message.root.initBlob(byteCount: 100) { blob in
        try blob.append { try pipe.readEnd.read(into: UnsafeMutableRawBufferPointer(rebasing: $0.prefix(3))) }
      }
    }
    #expect(try message.read { try $0.blob.bytes } == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  }

  @Test("a source is asked for no more than there is room for, and its error is passed on")
  func fullAndFailing() throws {
    struct SourceError: Error {}
    var message = try MessageBuilder(Tree.self)
    var calls = 0
    message.root.initBlob(byteCount: 5) { blob in
      blob.append {
        calls += 1
        $0.initializeMemory(as: UInt8.self, repeating: 7)
        return min($0.count, 4)
      }
    }
    #expect(calls == 2)
    #expect(try message.read { try $0.blob.bytes } == [7, 7, 7, 7, 7])
    #expect(throws: SourceError.self) {
      try message.root.initBlob(byteCount: 5) { blob in
        try blob.append { (_) throws(SourceError) in throw SourceError() }
      }
    }
    #expect(try message.read { try $0.blob.bytes } == [])
  }
}
