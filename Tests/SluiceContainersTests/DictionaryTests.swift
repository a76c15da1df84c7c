@testable import SluiceContainers
import Testing
import TestSupport

/// A dictionary against Swift's own.
@Suite struct DictionaryTests {
  @Test(arguments: 0..<30 as Range<UInt64>)
  func `look-ups give what the model has`(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    var model: [String: Int32] = [:]
    var numbers: [Int16: UInt8] = [:]
    for _ in 0..<Int.random(in: 0...(1 << (seed % 12)), using: &generator) {
      model[key(&generator)] = .random(in: .min ... .max, using: &generator)
      numbers[.random(in: .min ... .max, using: &generator)] = .random(in: 0...9, using: &generator)
    }
    let bytes = try image(of: SharedPairSource(model, numbers))
    let pair = try openShared(
      bytes.span.bytes,
      as: SharedPair<SharedDictionary<SharedString, Int32>, SharedDictionary<Int16, UInt8>>.self)
    let (texts, integers) = (try pair.first, try pair.second)
    let (textCount, integerCount) = (texts.count, integers.count)
    #expect(textCount == model.count && integerCount == numbers.count)
    for (key, value) in model {
      let found = try texts[key]
      #expect(found == value)
    }
    for (key, value) in numbers {
      let found = try integers[key]
      #expect(found == value)
    }
    for _ in 0..<200 {
      let (text, number) = (key(&generator), Int16.random(in: .min ... .max, using: &generator))
      let (found, other) = (try texts[text], try integers[number])
      #expect(found == model[text] && other == numbers[number])
    }
  }

  /// Few enough texts that many occur twice, in all lengths.
  private func key(_ generator: inout SeededGenerator) -> String {
    let length = Int.random(in: 0...20, using: &generator)
    return String((0..<length).map { _ in "abž".randomElement(using: &generator) ?? "a" })
  }

  @Test(
    arguments: [
      (0, 0xabac_0158_050f_c4dc), (1, 0xc9f4_9bf3_7d57_ca93), (8, 0x3690_9511_8d29_9a8e), (15, 0xd320_d86d_2a51_9956),
    ] as [(UInt8, UInt64)])
  func `the hash is SipHash-1-3, by its reference vectors`(count: UInt8, expected: UInt64) {
    // Of the bytes from 0 on, under the key of the bytes 0 to 15.
    let bytes = [UInt8](0..<count)
    let hash = KeyedHash(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908).of(bytes.span.bytes)
    #expect(hash == expected)
  }

  @Test func `two builders of the same dictionary hash differently`() throws {
    let source = Dictionary(uniqueKeysWithValues: (0..<100).map { ("key \($0)", $0) })
    let keys = try (0..<4).map { _ in
      let bytes = try image(of: source)
      let root = Int(bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self) })
      let place = Int(bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: root, as: UInt32.self) })
      return Array(bytes[place + 8..<place + 24])
    }
    #expect(Set(keys).count == 4)
  }
}
