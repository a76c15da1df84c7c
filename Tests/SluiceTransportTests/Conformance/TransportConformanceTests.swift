import SluiceSystem
import SluiceTransport
import Synchronization
import SystemPackage
import Testing
import TestSupport

@Suite("Every transport") struct TransportConformanceTests {
  @Test("delivers frames in order, with the bytes that were sent", arguments: PairKind.allCases)
  func order(kind: PairKind) throws {
    let (sender, receiver) = try kind.pair()
    var random = SeededGenerator(seed: 1)
    for round in 0..<200 {
      let blobs = (0..<8).map { _ in random.bytes(.random(in: 0...500, using: &random)) }
      for blob in blobs { #expect(try sender.trySend(blob) == .sent) }
      for blob in blobs { #expect(try receiver.tryReceiveFrame()?.bytes == blob, "round \(round)") }
      #expect(try receiver.tryReceive { _, _ in } == .wouldBlock)
    }
  }

  @Test("carries frames both ways at once", arguments: PairKind.allCases)
  func duplex(kind: PairKind) throws {
    let (left, right) = try kind.pair()
    for number in UInt8(0)..<100 {
      try left.send([number])
      try right.send([number, number])
      #expect(try left.receive(deadline: patience())?.bytes == [number, number])
      #expect(try right.receive(deadline: patience())?.bytes == [number])
    }
  }

  @Test(
    "carries a blob of exactly its limit, and refuses one above it", arguments: PairKind.allCases, [1, 4096, 100_001])
  func limit(kind: PairKind, size: Int) async throws {
    let (sender, receiver) = try kind.pair(maxBlobSize: size)
    #expect(sender.maxBlobSize == size)
    #expect(throws: TransportError.blobTooLarge(byteCount: size + 1, limit: size)) {
      try sender.trySend([UInt8](repeating: 1, count: size + 1))
    }
    var random = SeededGenerator(seed: 2)
    let blob = random.bytes(size)
    async let sent: Void = sender.send(blob.span.bytes, deadline: patience())
    #expect(try await receiver.receive(deadline: patience())?.bytes == blob)
    try await sent
  }

  @Test("shows the receiver eight-byte aligned bytes", arguments: PairKind.allCases)
  func alignment(kind: PairKind) throws {
    let (sender, receiver) = try kind.pair()
    for size in 1...8 { #expect(try sender.trySend([UInt8](repeating: 5, count: size)) == .sent) }
    for _ in 1...8 {
      var misalignment: Int?
      _ = try receiver.tryReceive { blob, _ in
        misalignment = blob.withUnsafeBytes { Int(bitPattern: $0.baseAddress) % 8 }
      }
      #expect(misalignment == 0)
    }
  }

  @Test("binds handles to their frames, in bursts", arguments: PairKind.carryingHandles)
  func handles(kind: PairKind) throws {
    let (sender, receiver) = try kind.pair()
    #expect(sender.carriesHandles)
    var random = SeededGenerator(seed: 3)
    for _ in 0..<50 {
      var canaries: [[Canary]] = []
      for index in 0..<8 {
        var own: [Canary] = []
        for _ in 0..<Int.random(in: 0...3, using: &random) { own.append(try Canary()) }
        var sent: [Handle] = []
        for position in own.indices { sent.append(try own[position].release()) }
        #expect(try sender.trySend([UInt8](repeating: UInt8(index), count: index * 31), handles: sent) == .sent)
        canaries.append(own)
      }
      for (index, own) in canaries.enumerated() {
        var frame = try receiver.tryReceiveFrame()
        #expect(frame?.bytes == [UInt8](repeating: UInt8(index), count: index * 31))
        let received = try #require(frame?.handles)
        #expect(received.count == own.count)
        for (canary, handle) in zip(own, received) {
          // What is written into this handle arrives at this canary, and no other.
          try handle.descriptor.writeAll([UInt8(index)])
          #expect(try Poll.isReady(canary.reading.descriptor, .readable))
        }
        frame = nil
      }
    }
  }

  @Test("closes handles that nobody keeps, received or not", arguments: PairKind.carryingHandles)
  func unclaimed(kind: PairKind) throws {
    var canaries = try (0..<3).map { _ in try Canary() }
    var pair: (any Transport, any Transport)? = try kind.pair()
    do {
      let (sender, receiver) = try #require(pair)
      for index in canaries.indices {
        #expect(try sender.trySend([1], handles: [try canaries[index].release()]) == .sent)
      }
      _ = try receiver.tryReceive { _, _ in }
      #expect(try !canaries[0].isHeld)
      #expect(try canaries[1].isHeld && canaries[2].isHeld)
    }
    pair = nil
    #expect(try !canaries[1].isHeld && !canaries[2].isHeld)
  }

  @Test("carries 253 handles in a frame, and refuses 254", arguments: PairKind.carryingHandles)
  func handleLimit(kind: PairKind) throws {
    let (sender, receiver) = try kind.pair()
    let handle = try EventCounter().handle
    #expect(throws: TransportError.tooManyHandles(count: 254, limit: 253)) {
      try sender.trySend([1], handles: Array(repeating: handle, count: 254))
    }
    #expect(try sender.trySend([1], handles: Array(repeating: handle, count: 253)) == .sent)
    #expect(try receiver.tryReceiveFrame()?.handles.count == 253)
  }

  @Test("refuses handles if it carries none, and sends nothing", arguments: PairKind.allCases)
  func handlesRefused(kind: PairKind) throws {
    let (sender, receiver) = try kind.pair()
    #expect(sender.carriesHandles == PairKind.carryingHandles.contains(kind))
    guard !sender.carriesHandles else { return }
    let handle = try EventCounter().handle
    #expect(throws: TransportError.handlesNotCarried(sender.kind)) { try sender.trySend([1], handles: [handle]) }
    #expect(try receiver.tryReceive { _, _ in } == .wouldBlock)
    #expect(try sender.trySend([2]) == .sent)
    #expect(try receiver.tryReceiveFrame()?.bytes == [2])
  }

  @Test("says when there is no room, then goes on where it was", arguments: PairKind.allCases)
  func backpressure(kind: PairKind) throws {
    let (sender, receiver) = try kind.pair(maxBlobSize: 10_000)
    var random = SeededGenerator(seed: 4)
    var sent: [[UInt8]] = []
    func fill() throws -> [UInt8] {
      while true {
        let blob = random.bytes(.random(in: 5000...10_000, using: &random))
        guard try sender.trySend(blob) == .sent else { return blob }
        sent.append(blob)
        try #require(sent.count < 10_000)
      }
    }
    for _ in 0..<5 {
      let refused = try fill()
      #expect(try !Poll.isReady(sender.writeDescriptor, .writable))
      #expect(try sender.trySend(refused) == .wouldBlock)
      // A reader that takes something makes room, and the sender's descriptor shows it.
      while try !Poll.isReady(sender.writeDescriptor, .writable) {
        if let frame = try receiver.tryReceiveFrame() { #expect(frame.bytes == sent.removeFirst()) }
      }
      _ = try sender.flush()
    }
    while !sent.isEmpty {
      try sender.flush()
      if let frame = try receiver.tryReceiveFrame() { #expect(frame.bytes == sent.removeFirst()) }
    }
    #expect(!sender.hasUnsentBytes)
    #expect(try receiver.tryReceive { _, _ in } == .wouldBlock)
  }

  @Test("shows by its descriptor that there is something to receive", arguments: PairKind.allCases)
  func readiness(kind: PairKind) throws {
    let (sender, receiver) = try kind.pair()
    #expect(try !Poll.isReady(receiver.readDescriptor, .readable))
    #expect(try Poll.isReady(sender.writeDescriptor, .writable))
    #expect(try sender.trySend([1]) == .sent)
    #expect(try Poll.isReady(receiver.readDescriptor, .readable))
    #expect(try receiver.tryReceiveFrame() != nil)
    #expect(try receiver.tryReceive { _, _ in } == .wouldBlock)
    #expect(try !Poll.isReady(receiver.readDescriptor, .readable))
  }

  @Test("delivers everything before the end, and goes on the other way", arguments: PairKind.allCases)
  func halfClose(kind: PairKind) throws {
    let (left, right) = try kind.pair()
    #expect(try left.trySend([1]) == .sent)
    #expect(try left.trySend([2]) == .sent)
    try left.finishSending()
    #expect(throws: TransportError.sendingFinished) { try left.trySend([3]) }
    #expect(try right.tryReceiveFrame()?.bytes == [1])
    #expect(try right.tryReceiveFrame()?.bytes == [2])
    for _ in 0..<2 {
      #expect(try Poll.isReady(right.readDescriptor, .readable))
      #expect(try right.tryReceive { _, _ in } == .endOfStream)
    }
    #expect(try right.trySend([4]) == .sent)
    #expect(try left.tryReceiveFrame()?.bytes == [4])
    #expect(try left.tryReceive { _, _ in } == .wouldBlock)
  }

  @Test("shows the peer's close as the end, after its last frame", arguments: PairKind.allCases, [true, false])
  func peerClosed(kind: PairKind, byRelease: Bool) throws {
    var (left, right): ((any Transport)?, any Transport) = try kind.pair()
    #expect(try left?.trySend([1]) == .sent)
    if byRelease { left = nil } else { left?.close() }
    #expect(try right.tryReceiveFrame()?.bytes == [1])
    #expect(try right.tryReceive { _, _ in } == .endOfStream)
    for _ in 0..<2 { #expect(throws: TransportError.peerClosed) { try right.trySend([2]) } }
  }

  @Test("shows the end, and no failure, of a peer that has not received everything", arguments: PairKind.allCases)
  func closedUnread(kind: PairKind) throws {
    var (left, right): ((any Transport)?, any Transport) = try kind.pair()
    #expect(try right.trySend([9]) == .sent)
    #expect(try left?.trySend([1]) == .sent)
    left = nil
    #expect(try right.tryReceiveFrame()?.bytes == [1])
    for _ in 0..<2 { #expect(try right.tryReceive { _, _ in } == .endOfStream) }
    #expect(throws: TransportError.peerClosed) { try right.trySend([2]) }
  }

  @Test("ends its own calls once closed, and wakes who waits", arguments: PairKind.allCases)
  func closed(kind: PairKind) async throws {
    let (left, right) = try kind.pair()
    let waiting = Task { try await left.receive(deadline: patience()) }
    let waitingPeer = Task { try await right.receive(deadline: patience()) }
    left.close()
    left.close()
    #expect(throws: TransportError.closed) { try left.trySend([1]) }
    #expect(throws: TransportError.closed) { try left.tryReceive { _, _ in } }
    #expect(throws: TransportError.closed) { try left.flush() }
    #expect(throws: TransportError.closed) { try left.finishSending() }
    await #expect(throws: TransportError.closed) { try await waiting.value }
    #expect(try await waitingPeer.value == nil)
  }

  @Test("ends a blocking wait at its deadline, and loses nothing", arguments: PairKind.allCases)
  func deadlines(kind: PairKind) throws {
    let (left, right) = try kind.pair()
    let start = ContinuousClock.now
    #expect(throws: TransportError.timedOut) { try right.receive(deadline: start + .milliseconds(5)) }
    #expect(ContinuousClock.now >= start + .milliseconds(5))
    while try left.trySend([UInt8](repeating: 7, count: 4096)) == .sent {}
    #expect(throws: TransportError.timedOut) {
      try left.send([UInt8](repeating: 8, count: 4096).span.bytes, deadline: .now + .milliseconds(5))
    }
    try left.finishSending()
    var count = 0
    while try !left.flush() || right.tryReceive({ blob, _ in count += blob.byteCount == 4096 ? 1 : 0 }) == .received {
      while try right.tryReceive({ blob, _ in count += blob.byteCount == 4096 ? 1 : 0 }) == .received {}
    }
    #expect(count > 0)
    #expect(try right.tryReceive { _, _ in } == .endOfStream)
  }

  @Test("serves many threads at once", arguments: PairKind.allCases)
  func threads(kind: PairKind) throws {
    let (sender, receiver) = try kind.pair(maxBlobSize: 10_000)
    let (senders, each) = (4, 500)
    let received = Locked<[[UInt8]: Int]>([:])
    let workers =
      try (0..<senders).map { number in
        try WorkerThread(name: "sender \(number)") {
          for _ in 0..<each {
            try? sender.send([UInt8](repeating: UInt8(number), count: 1000 * number).span.bytes, deadline: patience())
          }
        }
      }
      + (0..<2).map { number in
        try WorkerThread(name: "receiver \(number)") {
          while let frame = try? receiver.receive(deadline: patience()) {
            received.mutex.withLock { $0[frame.bytes, default: 0] += 1 }
          }
        }
      }
    workers.prefix(senders).forEach { $0.join() }
    try sender.finishSending()
    workers.dropFirst(senders).forEach { $0.join() }
    let expected = (0..<senders).map { ([UInt8](repeating: UInt8($0), count: 1000 * $0), each) }
    #expect(received.mutex.withLock { $0 } == Dictionary(uniqueKeysWithValues: expected))
  }
}
