import CapnProto
import Testing

/// Messages in each form, plain and packed, canonical or not, of one segment and of many, from libcapnp and to it.
@Suite struct FormTests {
  private static func read<Root: StructSchema>(
    _ root: Root.Type, _ bytes: [UInt8], _ form: Form, _ body: (Root.Reader) throws -> Void
  ) throws {
    let plain = form.isPacked ? try PackedDecoder.decode(bytes.span.bytes, wordLimit: 1 << 20) : bytes
    let message = try MessageReader(Root.self, stream: plain)
    if form.isCanonical {
      let isCanonical = try message.isCanonical()
      #expect(isCanonical)
    }
    try message.read(body)
  }

  private static func write<Root: StructSchema>(
    _ message: borrowing MessageBuilder<Root>, _ form: Form
  ) throws -> [UInt8] {
    guard form.isCanonical else { return form.isPacked ? try message.packed() : try message.serialized() }
    let words = try message.read { try $0.raw.canonicalized() }
    let count = UInt32(words.count / 8)
    let stream = [0, 0, 0, 0] + (0..<4).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) } + words
    guard form.isPacked else { return stream }
    var encoder = PackedEncoder()
    var packed: [UInt8] = []
    encoder.encode(stream.span.bytes, to: &packed)
    try encoder.finish(to: &packed)
    return packed
  }

  @Test("Swift reads what libcapnp wrote", arguments: Form.allCases, [false, true])
  func read(_ form: Form, tiny: Bool) async throws {
    try Self.read(Everything.self, try await Oracle.shared.write("everything", tiny: tiny, form), form) { root in
      try EverythingSample.expect(root)
    }
    try Self.read(Tree.self, try await Oracle.shared.write("tree", tiny: tiny, form), form) { root in
      try TreeSample.expect(root, depth: 3, label: "t")
    }
    try Self.read(Defaults.self, try await Oracle.shared.write("defaults", tiny: tiny, form), form) { root in
      try DefaultsTests.expectDefaults(root)
    }
  }

  @Test("libcapnp reads what Swift wrote", arguments: Form.allCases, Segmentation.allCases)
  func write(_ form: Form, _ segmentation: Segmentation) async throws {
    var everything = try MessageBuilder(Everything.self, allocator: segmentation.allocator)
    EverythingSample.fill(everything.root)
    try await Oracle.shared.check("everything", try Self.write(everything, form), form)
    var tree = try MessageBuilder(Tree.self, allocator: segmentation.allocator)
    TreeSample.fill(tree.root, depth: 3, label: "t")
    try await Oracle.shared.check("tree", try Self.write(tree, form), form)
    let defaults = try MessageBuilder(Defaults.self, allocator: segmentation.allocator)
    try await Oracle.shared.check("defaults", try Self.write(defaults, form), form)
  }
}
