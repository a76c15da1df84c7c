import SluiceSystem
import Testing

@Suite("A guarded buffer") struct GuardedBufferTests {
  @Test("holds at least what was asked for, zero at first, and again where it was discarded")
  func content() throws {
    let buffer = try GuardedBuffer(byteCount: 10_000)
    #expect(buffer.bytes.count >= 10_000 && buffer.bytes.allSatisfy { $0 == 0 })
    for index in buffer.bytes.indices { buffer.bytes[index] = 7 }
    buffer.discard(from: 5000)
    #expect(buffer.bytes[..<8192].allSatisfy { $0 == 7 })
    #expect(buffer.bytes[8192...].allSatisfy { $0 == 0 })
  }

  @Test("faults on a step beyond either end")
  func guards() async {
    await #expect(processExitsWith: .failure) {
      let buffer = try GuardedBuffer(byteCount: 1)
      buffer.bytes.baseAddress?.storeBytes(of: 1, toByteOffset: buffer.bytes.count, as: UInt8.self)
    }
    await #expect(processExitsWith: .failure) {
      let buffer = try GuardedBuffer(byteCount: 1)
      buffer.bytes.baseAddress?.storeBytes(of: 1, toByteOffset: -1, as: UInt8.self)
    }
  }

  @Test("refuses a size beyond all memory")
  func tooLarge() {
    #expect(throws: SystemError.self) { try GuardedBuffer(byteCount: .max) }
    #expect(throws: SystemError.self) { try GuardedBuffer(byteCount: 1 << 60) }
  }
}
