import Sluice
import TestSchema
import TestSupport

/// What is asked for and answered: bytes that follow from a number, so that both ends know them.
struct Content: Sendable {
  /// In whole words.
  let wordCount: Int
  let seed: UInt64

  /// Packed into the number of a request.
  var number: UInt64 { UInt64(wordCount) << 40 | seed & 0xff_ffff_ffff }

  init(number: UInt64) {
    wordCount = Int(number >> 40)
    seed = number & 0xff_ffff_ffff
  }

  init(wordCount: Int, seed: UInt64) {
    self.init(number: UInt64(wordCount) << 40 | seed & 0xff_ffff_ffff)
  }

  /// How many contents the server builds once, for all.
  static let cachedCount = 8

  /// One of those.
  init(cached index: Int) { self.init(wordCount: 64 << index, seed: UInt64(index)) }

  /// Writes the words, and their hash.
  func write(to root: Exchange.Builder) {
    var words = SeededGenerator(seed: seed)
    var hash = Hash()
    root.initChunks(1).initData(at: 0, byteCount: wordCount * 8) { output in
      for _ in 0..<wordCount {
        let word = words.next()
        hash.add(word)
        output.append(word, as: UInt64.self)
      }
    }
    root.number = hash.value
  }

  /// Whether a message has these words and this hash.
  func matches(_ message: Message<Exchange>) throws -> Bool {
    let hash = try hash(in: message)
    return try hash != nil && message.read { $0.number } == hash
  }

  /// Whether a message has these words, or none.
  func matchesIfAny(_ message: Message<Exchange>) throws -> Bool {
    try message.read { try $0.chunks.count } == 0 || hash(in: message) != nil
  }

  /// The hash of the words of a message; nil if they are others than these.
  private func hash(in message: Message<Exchange>) throws -> UInt64? {
    try message.read { root in
      let chunks = try root.chunks
      guard chunks.count == 1 else { return nil }
      let bytes = try chunks[0]
      guard bytes.byteCount == wordCount * 8 else { return nil }
      var words = SeededGenerator(seed: seed)
      var (expected, found) = (Hash(), Hash())
      for index in 0..<wordCount {
        expected.add(words.next())
        found.add(bytes.unsafeLoadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
      }
      return expected.value == found.value ? found.value : nil
    }
  }

  /// FNV-1a over words.
  private struct Hash {
    var value: UInt64 = 0xcbf2_9ce4_8422_2325
    mutating func add(_ word: UInt64) { value = (value ^ word) &* 0x100_0000_01b3 }
  }
}
