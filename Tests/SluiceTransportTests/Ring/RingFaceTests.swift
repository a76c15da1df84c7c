import SluiceSystem
import SluiceTransport
import Testing

@Suite("The ring's own blocking face") struct RingFaceTests {
  @Test("waits for room and for frames, and sees the end", arguments: [RingSpinning.off, .default])
  func waiting(_ spinning: RingSpinning) throws {
    // Room for few of them, so that either side waits for the other one.
    let (left, right) = try RingTransport.pair(capacity: 4096, maxBlobSize: 1000, spinning: spinning)
    let count = 2000
    let receiver = try WorkerThread(name: "receiver") {
      var sizes: [Int] = []
      while let size = try? right.receive({ $0.byteCount }) { sizes.append(size) }
      #expect(sizes == (0..<count).map { $0 % 1001 })
    }
    for index in 0..<count { try left.send([UInt8](repeating: 1, count: index % 1001).span.bytes) }
    try left.finishSending()
    receiver.join()
    #expect(throws: TransportError.sendingFinished) { try left.send([UInt8](repeating: 1, count: 1).span.bytes) }
  }

  @Test("is told of what is too large, and of an own end") func errors() throws {
    let (left, right) = try RingTransport.pair(capacity: 4096, maxBlobSize: 1000, spinning: .off)
    #expect(throws: TransportError.blobTooLarge(byteCount: 1001, limit: 1000)) {
      try left.send([UInt8](repeating: 1, count: 1001).span.bytes)
    }
    right.close()
    #expect(throws: TransportError.closed) { try right.receive { $0.byteCount } }
    #expect(throws: TransportError.peerClosed) { try left.send([UInt8](repeating: 1, count: 1).span.bytes) }
  }
}
