import SluiceSystem
import SluiceTransport
import Testing

@Suite("A batch of frames through a ring") struct RingBatchTests {
  @Test("becomes visible at once, in order, between other frames")
  func order() throws {
    let (left, right) = try RingTransport.pair(capacity: 8192, maxBlobSize: 1000, spinning: .off)
    #expect(try left.trySend([1]) == .sent)
    let sent = try left.trySend { (batch) throws(TransportError) in
      for byte in UInt8(2)...9 {
        let blob = [UInt8](repeating: byte, count: Int(byte) * 50)
        _ = try batch.append(blob.span.bytes)
      }
      // Nothing of it is to be seen yet.
      let drained = try right.receiveAll { blob in
        #expect(blob.byteCount == 1)
        return true
      }
      #expect(drained.count == 1)
    }
    #expect(sent == 8)
    #expect(try left.trySend([10]) == .sent)
    var seen: [[UInt8]] = []
    while try right.receiveAll({ blob in
      seen.append(blob.withUnsafeBytes { Array($0) })
      return true
    }).outcome == .received {}
    #expect(seen == (UInt8(2)...9).map { [UInt8](repeating: $0, count: Int($0) * 50) } + [[10]])
  }

  @Test("ends where there is no room, and sends what was added before an error")
  func limits() throws {
    let (left, right) = try RingTransport.pair(capacity: 4096, maxBlobSize: 1000, spinning: .off)
    let blob = [UInt8](repeating: 7, count: 1000)
    let sent = try left.trySend { (batch) throws(TransportError) in
      while try batch.append(blob.span.bytes) == .sent {}
      #expect(try batch.append([UInt8]().span.bytes) == .sent, "a small frame still finds room")
    }
    #expect(sent == 4)
    #expect(try !left.waitToSend(byteCount: 1000, deadline: .now))
    #expect(try right.receiveAll { _ in true }.count == 4)
    #expect(try left.waitToSend(byteCount: 1000, deadline: .now))
    #expect(throws: TransportError.blobTooLarge(byteCount: 1001, limit: 1000)) {
      try left.trySend { (batch) throws(TransportError) in
        _ = try batch.append(blob.span.bytes)
        _ = try batch.append([UInt8](repeating: 0, count: 1001).span.bytes)
      }
    }
    #expect(try right.receiveAll { _ in true }.count == 1)
    #expect(try left.trySend { (_) throws(TransportError) in } == 0)
    left.close()
    #expect(throws: TransportError.closed) { try left.trySend { (_) throws(TransportError) in } }
  }

  @Test("wakes who sleeps, once") func waking() throws {
    let (left, right) = try RingTransport.pair(spinning: .off)
    #expect(try !Poll.isReady(right.readDescriptor, .readable))
    let sent = try left.trySend { (batch) throws(TransportError) in
      for _ in 0..<100 { _ = try batch.append([UInt8](repeating: 1, count: 56).span.bytes) }
    }
    #expect(sent == 100)
    #expect(try Poll.isReady(right.readDescriptor, .readable))
    #expect(try right.receiveAll { _ in true }.count == 100)
  }
}
