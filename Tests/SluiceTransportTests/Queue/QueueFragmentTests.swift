import Testing
import TestSupport

@testable import SluiceTransport

@Suite("A fragment assembler") struct QueueFragmentTests {
  private func word(_ kind: FragmentHeader.Kind, _ value: Int) -> UInt64 { FragmentHeader(kind, value).word }

  @Test("joins what was split, for every size", arguments: [8, 16, 504])
  func sizes(payload: Int) throws {
    for size in 0...3 * payload {
      var assembler = FragmentAssembler(maxBlobSize: 3 * payload, payloadByteCount: payload)
      for offset in stride(from: 0, through: max(0, size - 1), by: payload) {
        #expect(assembler.receivedByteCount == offset)
        let part = min(payload, size - offset)
        let step = try assembler.accept(
          word: offset == 0 ? word(.first, size) : word(.continuation, offset), messageByteCount: 8 + part)
        #expect(step == (offset + part == size ? .frame(byteCount: size) : .incomplete))
      }
      #expect(assembler.blobByteCount == nil)
    }
  }

  @Test("refuses what does not come next")
  func misplaced() {
    func check(_ before: [(UInt64, Int)], _ word: UInt64, _ byteCount: Int, _ error: FrameError) {
      var assembler = FragmentAssembler(maxBlobSize: 100, payloadByteCount: 16)
      for (word, byteCount) in before {
        #expect(throws: Never.self) { try assembler.accept(word: word, messageByteCount: byteCount) }
      }
      #expect(throws: error) { try assembler.accept(word: word, messageByteCount: byteCount) }
    }
    check([], 0, 7, .fragmentTooShort(byteCount: 7))
    check([], 0x1234, 8, .wrongMagic(0x1234))
    check([], word(.first, 0) | 0xFF << 16, 8, .unknownKind(0xFF))
    check([], word(.first, 101), 24, .blobTooLarge(byteCount: 101, limit: 100))
    check([], word(.first, 20), 23, .wrongFragmentSize(byteCount: 15, expected: 16))
    check([], word(.first, 20), 8, .wrongFragmentSize(byteCount: 0, expected: 16))
    check([], word(.first, 0), 9, .wrongFragmentSize(byteCount: 1, expected: 0))
    check([], word(.continuation, 0), 8, .misplacedFragment(offset: 0, expected: 0))
    let begun = [(word(.first, 50), 24)]
    check(begun, word(.first, 50), 24, .misplacedFragment(offset: 0, expected: 16))
    check(begun, word(.continuation, 32), 24, .misplacedFragment(offset: 32, expected: 16))
    check(begun, word(.continuation, 16), 32, .wrongFragmentSize(byteCount: 24, expected: 16))
    let goneOn = begun + [(word(.continuation, 16), 24)]
    check(goneOn, word(.continuation, 16), 24, .misplacedFragment(offset: 16, expected: 32))
  }

  @Test("survives any headers at all, within its bounds", arguments: UInt64(0)..<8)
  func random(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<500 {
      var assembler = FragmentAssembler(maxBlobSize: 1000, payloadByteCount: 64)
      for _ in 0..<40 {
        let valid: [UInt64] = [
          word(.first, .random(in: 0...1200, using: &random)), word(.end, 0),
          word(.continuation, assembler.receivedByteCount), .random(in: 0 ... .max, using: &random),
        ]
        let byteCount = [8, 72, .random(in: 0...80, using: &random)].randomElement(using: &random) ?? 0
        _ = try? assembler.accept(word: valid.randomElement(using: &random) ?? 0, messageByteCount: byteCount)
        #expect(assembler.receivedByteCount < 1000)
        #expect((assembler.blobByteCount ?? 0) <= 1000)
      }
    }
  }
}
