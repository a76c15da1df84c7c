/// Messages of one segment, as words, with the root pointer first.
enum FlatMessage {
  /// A message whose root is a blob of `bytes`.
  ///
  /// The root is a list pointer: kind 1 in bits 0 and 1, offset 0 in bits 2 to 31, element size 2 (a byte) in bits 32 to 34,
  /// and the count in bits 35 to 63.
  static func words(holding bytes: [UInt8]) -> [UInt64] {
    var words: [UInt64] = [1 | 2 << 32 | UInt64(bytes.count) << 35]
    for start in stride(from: 0, to: bytes.count, by: 8) {
      var word: UInt64 = 0
      for (position, byte) in bytes[start..<min(start + 8, bytes.count)].enumerated() {
        word |= UInt64(byte) << UInt64(8 * position)
      }
      words.append(word)
    }
    return words
  }
}
