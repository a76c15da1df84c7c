import CapnProto
import Testing

/// Packed messages, with the `capnp` tool on the other side.
@Suite struct PackedTests {
  @Test("'capnp convert' unpacks what Swift packed", arguments: Segmentation.allCases)
  func toolUnpacks(_ segmentation: Segmentation) async throws {
    var message = try MessageBuilder(Everything.self, allocator: segmentation.allocator)
    EverythingSample.fill(message.root)
    message.root.initInt64s(2000)[1000] = .min
    message.root.initUInt8s(9000)[8999] = 1
    message.root.setData([UInt8](repeating: 7, count: 5000))
    // The tool lays messages out anew, the same way whichever form it reads.
    let plain = try await Tool.output(Tool.capnp, ["convert", "binary:binary"], input: message.serialized())
    let packed = try message.packed()
    let unpacked = try await Tool.output(Tool.capnp, ["convert", "packed:binary"], input: packed + packed)
    #expect(unpacked == plain + plain)
  }

  @Test("Swift unpacks what 'capnp convert' packed", arguments: Segmentation.allCases)
  func toolPacks(_ segmentation: Segmentation) async throws {
    var message = try MessageBuilder(Everything.self, allocator: segmentation.allocator)
    EverythingSample.fill(message.root)
    message.root.setData((0..<5000).map { UInt8(truncatingIfNeeded: $0 / 3) })
    let bytes = try message.serialized()
    let plain = try await Tool.output(Tool.capnp, ["convert", "binary:binary"], input: bytes)
    let packed = try await Tool.output(Tool.capnp, ["convert", "binary:packed"], input: bytes)
    #expect(try PackedDecoder.decode(packed.span.bytes, wordLimit: 1 << 20) == plain)
  }
}
