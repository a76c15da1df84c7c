import Testing

@testable import perf_demo

@Suite struct ContentHashTests {
  /// Values of the reference implementation (xxhsum -H64).
  @Test(
    arguments: [
      ("", 0xEF46_DB37_51D8_E999), ("a", 0xD24E_C4F1_A98C_6E5B), ("abc", 0x44BC_2CF5_AD77_0999),
      ("Nobody inspects the spammish repetition", 0xFBCE_A83C_8A37_8BF1),
    ] as [(String, UInt64)])
  func `the hash is XXH64`(text: String, expected: UInt64) {
    #expect(ContentHash.hash(of: Array(text.utf8).span.bytes) == expected)
  }

  @Test(arguments: [1, 3, 4, 7, 8, 12, 31, 32, 33, 63, 64, 100])
  func `each bit of the content counts`(byteCount: Int) {
    var bytes = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    var hashes: Set<UInt64> = [ContentHash.hash(of: bytes.span.bytes)]
    for bit in 0..<(byteCount * 8) {
      bytes[bit / 8] ^= 1 << (bit % 8)
      hashes.insert(ContentHash.hash(of: bytes.span.bytes))
      bytes[bit / 8] ^= 1 << (bit % 8)
    }
    #expect(hashes.count == byteCount * 8 + 1)
  }
}
