import SluiceSystem
import SluiceTransport
import SystemPackage
import Testing
import TestSupport

@Suite("A socket transport's user") struct SocketOptionsTests {
  private func pair(
    _ policy: StallPolicy, maxBlobSize: Int = 100_000
  ) throws -> (SocketTransport, SocketTransport) {
    try SocketTransport.pair(
      maxBlobSize: maxBlobSize, options: SocketOptions(sendBufferByteCount: 4096, stallPolicy: policy))
  }

  private let blob = [UInt8](repeating: 4, count: 100_000)

  @Test("sets the size of the send buffer")
  func sendBuffer() throws {
    let (left, right) = try UnixSocket.pair()
    let transport = try SocketTransport(socket: left, options: SocketOptions(sendBufferByteCount: 10_000))
    // The kernel doubles it.
    #expect(try UnixSocket.sendBufferByteCount(of: left) == 20_000)
    #expect(try UnixSocket.sendBufferByteCount(of: right) > 20_000)
    withExtendedLifetime(transport) {}
  }

  @Test("lets sends fail without room, and goes on when there is some")
  func fail() async throws {
    let (sender, receiver) = try pair(.fail)
    #expect(try sender.trySend(blob) == .sent)
    #expect(throws: TransportError.noRoom) { try sender.trySend([1]) }
    #expect(throws: TransportError.noRoom) { try blocking { try sender.send([1]) } }
    await #expect(throws: TransportError.noRoom) {
      try await sender.send(([1] as [UInt8]).span.bytes, deadline: patience())
    }
    while sender.hasUnsentBytes {
      _ = try receiver.tryReceive { _, _ in }
      try sender.flush()
    }
    #expect(try sender.trySend([1]) == .sent)
  }

  @Test("lets the connection end when not a byte finds room for so long, and everybody who waits wakes")
  func disconnect() async throws {
    let (sender, receiver) = try pair(.disconnect(after: .milliseconds(5)))
    #expect(try sender.trySend(blob) == .sent)
    let blocked = Locked<TransportError?>(nil)
    let thread = try WorkerThread(name: "sender") {
      do throws(TransportError) { try sender.send([1]) } catch {
        blocked.mutex.withLock { $0 = error }
      }
    }
    let expected = TransportError.peerStalled(after: .milliseconds(5))
    // Who waits to receive learns why, too: it is not the peer's end.
    await #expect(throws: expected) { try await sender.receive(deadline: patience()) }
    await #expect(throws: expected) { try await sender.send(([2] as [UInt8]).span.bytes, deadline: patience()) }
    thread.join()
    #expect(blocked.mutex.withLock { $0 } == expected)
    #expect(!sender.hasUnsentBytes)
    let error = await #expect(throws: TransportError.self) {
      while try await receiver.receive(deadline: patience()) != nil {}
    }
    guard case .truncatedFrame? = error else { return _ = Issue.record("\(error as Any)") }
  }

  @Test("keeps a connection whose peer is slow, but receives")
  func slow() async throws {
    let (sender, receiver) = try pair(.disconnect(after: .seconds(100)))
    for _ in 0..<5 {
      async let sent: Void = sender.send(blob.span.bytes, deadline: patience())
      #expect(try await receiver.receive(deadline: patience())?.bytes == blob)
      try await sent
    }
    #expect(!sender.hasUnsentBytes)
  }

  @Test("is not disconnected for room that nobody has asked for again")
  func roomAgain() async throws {
    let (sender, receiver) = try pair(.disconnect(after: .milliseconds(1)))
    // Refused at the border between two frames, so that nothing is left over; then all is received, and nobody sends.
    let small = [UInt8](repeating: 1, count: 56)
    while try sender.trySend(small) == .sent && !sender.hasUnsentBytes {}
    repeat {
      while try receiver.tryReceive({ _, _ in }) == .received {}
    } while try !sender.flush()
    for _ in 0..<5 {
      await withCheckedContinuation { continuation in
        Reactor.shared.schedule(at: .now + .milliseconds(2)) { continuation.resume() }
      }
    }
    #expect(try sender.trySend([9]) == .sent)
  }

  @Test("sends parts as one frame, wherever the kernel cuts it")
  func gathered() throws {
    var random = SeededGenerator(seed: 8)
    for _ in 0..<60 {
      let (sender, receiver) = try pair(.suspend)
      // Something of any size before it, so that the cut may be anywhere: in the header, a part, or the padding.
      let before = random.bytes(.random(in: 0...9000, using: &random))
      let parts = (0..<3).map { _ in
        random.bytes([0, 1, 7, 3000, .random(in: 0...9000, using: &random)].randomElement(using: &random) ?? 0)
      }
      let (first, second, third) = (parts[0], parts[1], parts[2])
      let handle = try EventCounter().handle
      var expected: [[UInt8]] = []
      if try sender.trySend(before) == .sent { expected.append(before) }
      _ = try sender.flush()
      let outcome = try sender.trySend(
        joining: first.span.bytes, second.span.bytes, third.span.bytes, handles: [handle])
      if outcome == .sent { expected.append(parts.flatMap { $0 }) }
      while !expected.isEmpty {
        try sender.flush()
        guard let frame = try receiver.tryReceiveFrame() else { continue }
        #expect(frame.bytes == expected.removeFirst())
        if outcome == .sent && expected.isEmpty { #expect(frame.handles.count == 1) }
      }
    }
  }

  @Test("sends parts as one frame over every kind", arguments: PairKind.allCases)
  func gatheredAnywhere(kind: PairKind) throws {
    let (sender, receiver) = try kind.pair()
    let parts: [[UInt8]] = [[1, 2], [], [3], [4, 5, 6]]
    for rotation in 0..<4 {
      let (first, second, third) = (parts[rotation], parts[(rotation + 1) % 4], parts[(rotation + 2) % 4])
      #expect(try sender.trySend(joining: first.span.bytes, second.span.bytes, third.span.bytes, handles: []) == .sent)
      #expect(try receiver.tryReceiveFrame()?.bytes == first + second + third)
    }
    let limit = TransportError.blobTooLarge(byteCount: 4097, limit: 4096)
    let large = [UInt8](repeating: 1, count: 2048)
    #expect(throws: limit) {
      try sender.trySend(
        joining: large.span.bytes, large.span.bytes, ([1] as [UInt8]).span.bytes, handles: [])
    }
  }
}

@Suite("Draining a transport") struct DrainTests {
  @Test("takes what is there, as far as it may", arguments: PairKind.allCases)
  func limits(kind: PairKind) throws {
    let (sender, receiver) = try kind.pair()
    for number in UInt8(0)..<6 { #expect(try sender.trySend([number]) == .sent) }
    var seen: [UInt8] = []
    func take(limit: Int, until last: UInt8) throws -> (Int, ReceiveOutcome) {
      let drained = try receiver.receiveAll(limit: limit) { blob, _ in
        let number = blob.unsafeLoad(fromByteOffset: 0, as: UInt8.self)
        seen.append(number)
        return number != last
      }
      return (drained.count, drained.outcome)
    }
    #expect(try take(limit: 2, until: 99) == (2, .received))
    #expect(try take(limit: 99, until: 3) == (2, .received))
    #expect(try take(limit: 99, until: 99) == (2, .wouldBlock))
    #expect(seen == [0, 1, 2, 3, 4, 5])
    #expect(try !Poll.isReady(receiver.readDescriptor, .readable))
    try sender.finishSending()
    #expect(try Poll.isReady(receiver.readDescriptor, .readable))
    #expect(try take(limit: 99, until: 99) == (0, .endOfStream))
  }

  @Test("leaves what it did not look for to the descriptor: an end, handles, and a frame's rest")
  func readiness() throws {
    let (ours, theirs) = try UnixSocket.pair()
    let transport = try SocketTransport(socket: ours, maxBlobSize: 1000)
    let encoder = FrameEncoder(maxBlobSize: 1000)
    func take() throws -> (Int, ReceiveOutcome) {
      let drained = try transport.receiveAll(limit: 99) { _, _ in true }
      return (drained.count, drained.outcome)
    }
    // Handles end one reading, with more behind them.
    let handle = try EventCounter().handle
    for count in [1, 1, 0] {
      let frame = try encoder.frame([7], handleCount: count)
      #expect(try UnixSocket.send(on: theirs, frame.span.bytes, handles: count == 0 ? [] : [handle]) == frame.count)
    }
    #expect(try take() == (3, .wouldBlock))
    let frame = try encoder.frame([1, 2, 3])
    #expect(try UnixSocket.send(on: theirs, frame.span.bytes.extracting(first: 9)) == 9)
    #expect(try take() == (0, .wouldBlock))
    #expect(try UnixSocket.send(on: theirs, frame.span.bytes.extracting(droppingFirst: 9)) == frame.count - 9)
    // The end is there before the frame is taken, and seen after it.
    try UnixSocket.finishSending(theirs)
    let drained = try take()
    #expect(drained.0 == 1)
    if drained.1 == .wouldBlock {
      #expect(try Poll.isReady(transport.readDescriptor, .readable))
      #expect(try take() == (0, .endOfStream))
    }
  }

  @Test("is known to a blocking receiver, which then waits before it tries, and misses nothing")
  func waitsFirst() throws {
    let (sender, receiver) = try SocketTransport.pair()
    #expect(!receiver.isDrained)
    for number in UInt8(0)..<3 { #expect(try sender.trySend([number]) == .sent) }
    #expect(try receiver.receive(deadline: .now)?.bytes == [0])
    #expect(!receiver.isDrained)
    #expect(try receiver.receive(deadline: .now)?.bytes == [1])
    #expect(try receiver.receive(deadline: .now)?.bytes == [2])
    #expect(receiver.isDrained)
    // A try does not rely on it.
    #expect(try sender.trySend([3]) == .sent)
    #expect(try receiver.tryReceiveFrame()?.bytes == [3])
    #expect(throws: TransportError.timedOut) { try receiver.receive(deadline: .now) }
    #expect(try sender.trySend([4]) == .sent)
    #expect(try receiver.receive(deadline: .now)?.bytes == [4])
    sender.close()
    #expect(try receiver.receive(deadline: patience()) == nil)
    receiver.close()
    #expect(throws: TransportError.closed) { try receiver.receive(deadline: patience()) }
  }
}
