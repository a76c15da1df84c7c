import CapnProto
import Foundation
import SystemPackage
import Testing

/// Accessors that move objects, change how long they are, and fill them in place.
@Suite struct MovingTests {
  @Test("what was disowned can be adopted elsewhere in the message")
  func move() throws {
    var builder = try MessageBuilder(Tree.self)
    do {
      let root = builder.root
      root.initLeft().label = "moved"
      root.label = "root"
      let children = root.initChildren(1)
      children[0].adoptLeft(root.disownLeft())
      children[0].adoptLabel(root.disownLabel())
      root.adoptPayload(root.disownPayload())
    }
    let message = try MessageReader(Tree.self, stream: try builder.serialized())
    try message.read { root in
      let children = try root.children
      let left = try children[0].left
      #expect(try left.label == "moved")
      #expect(try children[0].label == "root")
      let isSet = [root.hasLeft, root.hasLabel]
      #expect(isSet == [false, false])
    }
  }

  @Test("adopting chooses the member of a union; disowning another than the one set is a failure")
  func unions() throws {
    var builder = try MessageBuilder(Unions.self)
    do {
      let root = builder.root
      root.text = "a"
      root.adoptText(root.disownText())
      let text = root.text
      #expect(text == "a")
      root.number = 3
      root.adoptNumbers(root.disownNumbers())
    }
    #expect(builder.failure?.subject == .field("Unions.numbers"))
  }

  @Test("lists, texts and blobs are resized")
  func resize() throws {
    var builder = try MessageBuilder(Tree.self)
    do {
      let root = builder.root
      root.label = "abcdef"
      root.resizeLabel(toByteCount: 3)
      root.setPayload([1, 2, 3])
      root.resizePayload(toByteCount: 5)
      let children = root.initChildren(2)
      children[1].label = "second"
      root.resizeChildren(to: 4)
    }
    let message = try MessageReader(Tree.self, stream: try builder.serialized())
    try message.read { root in
      #expect(try root.label == "abc")
      let payload = try root.payload
      #expect(payload.bytes == [1, 2, 3, 0, 0])
      let children = try root.children
      #expect(children.count == 4)
      #expect(try children[1].label == "second")
    }
  }

  @Test("text is set from substrings and spans, and filled in place")
  func text() throws {
    var builder = try MessageBuilder(Tree.self)
    do {
      let root = builder.root
      var texts: [String] = []
      root.setLabel("a substring".dropFirst(2))
      texts.append(root.label)
      let text = "a span"
      root.setLabel(text.utf8Span)
      texts.append(root.label)
      root.initLabel(byteCount: 8) { bytes in bytes.append(repeating: 0x61, count: 3, as: UInt8.self) }
      texts.append(root.label)
      #expect(texts == ["substring", "a span", "aaa"])
    }
    #expect(builder.failure == nil)
  }

  @Test("a blob is read from a file descriptor without a copy in between")
  func descriptor() throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write("what the file holds", to: "file")
    let descriptor = try FileDescriptor.open(FilePath(path), .readOnly)
    var builder = try MessageBuilder(Tree.self)
    let root = builder.root
    try descriptor.closeAfter {
      try root.initPayload(byteCount: 1024) { bytes in
        try bytes.append { buffer in try descriptor.read(into: buffer) }
      }
    }
    let payload = root.payload.bytes
    #expect(String(decoding: payload, as: UTF8.self) == "what the file holds")
  }
}
