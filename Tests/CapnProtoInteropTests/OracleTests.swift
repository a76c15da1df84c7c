import CapnProto
import Testing

/// Messages go from libcapnp to Swift and back, over every construct, in one segment and in many.
@Suite struct OracleTests {
  @Test("Swift reads every type that libcapnp wrote", arguments: [false, true])
  func readEverything(tiny: Bool) async throws {
    let bytes = try await Oracle.shared.write("everything", tiny: tiny)
    try MessageReader(Everything.self, stream: bytes).read { try EverythingSample.expect($0) }
  }

  @Test("libcapnp reads every type that Swift wrote", arguments: Segmentation.allCases)
  func writeEverything(_ segmentation: Segmentation) async throws {
    var message = try MessageBuilder(Everything.self, allocator: segmentation.allocator)
    EverythingSample.fill(message.root)
    if segmentation == .tiny { #expect(message.segmentCount > 20) }
    try message.read { try EverythingSample.expect($0) }
    try await Oracle.shared.check("everything", try message.serialized())
  }

  @Test("Swift reads a tree that libcapnp spread over many segments", arguments: [false, true])
  func readTree(tiny: Bool) async throws {
    let bytes = try await Oracle.shared.write("tree", tiny: tiny)
    try MessageReader(Tree.self, stream: bytes).read { try TreeSample.expect($0, depth: 3, label: "t") }
  }

  @Test("libcapnp reads a tree that Swift spread over many segments", arguments: Segmentation.allCases)
  func writeTree(_ segmentation: Segmentation) async throws {
    var message = try MessageBuilder(Tree.self, allocator: segmentation.allocator)
    TreeSample.fill(message.root, depth: 3, label: "t")
    if segmentation == .tiny { #expect(message.segmentCount > 40) }
    try await Oracle.shared.check("tree", try message.serialized())
  }

  @Test("pointers of any type keep what they point to", arguments: Segmentation.allCases)
  func anything(_ segmentation: Segmentation) async throws {
    let bytes = try await Oracle.shared.write("anything", tiny: segmentation == .tiny)
    try MessageReader(Anything.self, stream: bytes).read { root throws in
      try EverythingSample.expectNested(try root.any.asStruct(Everything.Nested.self), "any", 1)
      try EverythingSample.expectNested(try root.anyStruct.asStruct(Everything.Nested.self), "any struct", 2)
      #expect(try root.anyList.asList(of: Int32.self).array == [31, 32])
    }

    var message = try MessageBuilder(Anything.self, allocator: segmentation.allocator)
    EverythingSample.fillNested(message.root.any.initStruct(Everything.Nested.self), "any", 1)
    EverythingSample.fillNested(message.root.anyStruct.initStruct(Everything.Nested.self), "any struct", 2)
    message.root.anyList.initList(of: Int32.self, count: 2)[0] = 31
    message.root.anyList.asList(of: Int32.self)[1] = 32
    try await Oracle.shared.check("anything", try message.serialized())
  }
}

/// The message `tree`: the same values as in `oracle.cpp`.
enum TreeSample {
  private static func payload(_ depth: Int) -> [UInt8] {
    (0..<17 * depth + 1).map { UInt8(truncatingIfNeeded: $0 * 7 + 3) }
  }

  static func fill(_ tree: Tree.Builder, depth: Int, label: String) {
    tree.label = label
    tree.setPayload(payload(depth))
    guard depth > 0 else { return }
    let children = tree.initChildren(2)
    fill(children[0], depth: depth - 1, label: label + "0")
    fill(children[1], depth: depth - 1, label: label + "1")
    fill(tree.initLeft(), depth: depth - 1, label: label + "L")
  }

  static func expect(_ tree: Tree.Reader, depth: Int, label: String) throws {
    #expect(try tree.label == label)
    #expect(try tree.payload.bytes == payload(depth))
    guard depth > 0 else {
      #expect(tree.hasChildren == false)
      #expect(tree.hasLeft == false)
      return
    }
    let children = try tree.children
    #expect(children.count == 2)
    try expect(children[0], depth: depth - 1, label: label + "0")
    try expect(children[1], depth: depth - 1, label: label + "1")
    try expect(try tree.left, depth: depth - 1, label: label + "L")
  }
}
