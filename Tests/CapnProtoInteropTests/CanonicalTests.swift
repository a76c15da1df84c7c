import CapnProto
import Testing

/// The canonical form, with the `capnp` tool on the other side.
@Suite struct CanonicalTests {
  @Test("'capnp convert' gives the same canonical bytes", arguments: Segmentation.allCases)
  func canonical(_ segmentation: Segmentation) async throws {
    var message = try MessageBuilder(Everything.self, allocator: segmentation.allocator)
    EverythingSample.fill(message.root)
    let own = try message.read { try $0.raw.canonicalized() }
    let bytes = try message.serialized()
    #expect(try await own == Tool.output(Tool.capnp, ["convert", "binary:canonical"], input: bytes))
    let view = try MessageReader(Everything.self, stream: [0, 0, 0, 0, UInt8(own.count / 8), 0, 0, 0] + own)
    let isCanonical = try view.isCanonical()
    #expect(isCanonical)
    try view.read { try EverythingSample.expect($0) }
  }
}
