import SluiceSystem
import SluiceTransport
import SystemPackage
import Testing

@Suite("A keep-alive transport") struct KeepAliveTransportTests {
  private func wrap(
    _ transport: any Transport, ping: Duration? = nil, idle: Duration? = nil
  ) -> KeepAliveTransport {
    KeepAliveTransport(transport, limits: KeepAlive.Limits(pingInterval: ping, idleTimeout: idle))
  }

  @Test("pings a peer that has nothing to say, and drops the pings it gets", arguments: PairKind.allCases)
  func pings(kind: PairKind) async throws {
    let (left, right) = try kind.pair()
    let pinging = wrap(left, ping: .milliseconds(1))
    // What arrives on the bare transport: a tag and nothing else.
    for _ in 0..<3 { #expect(try await right.receive(deadline: patience())?.bytes == [1]) }
    try await pinging.send(([7, 8] as [UInt8]).span.bytes, deadline: patience())
    var frame: ReceivedFrame?
    repeat { frame = try await right.receive(deadline: patience()) } while frame?.bytes == [1]
    #expect(frame?.bytes == [7, 8, 0])
    for blob: [UInt8] in [[1], [1], [5, 0], [1], [0]] { try await right.send(blob.span.bytes, deadline: patience()) }
    #expect(try await pinging.receive(deadline: patience())?.bytes == [5])
    #expect(try await pinging.receive(deadline: patience())?.bytes == [])
    #expect(try pinging.tryReceive { _, _ in } == .wouldBlock)
  }

  @Test("ends with a silent peer, and wakes who waits", arguments: PairKind.allCases)
  func idle(kind: PairKind) async throws {
    let (left, right) = try kind.pair()
    let watching = wrap(left, idle: .milliseconds(5))
    let blocked = Locked<TransportError?>(nil)
    let thread = try WorkerThread(name: "receiver") {
      do throws(TransportError) { _ = try watching.receive(deadline: patience()) } catch {
        blocked.mutex.withLock { $0 = error }
      }
    }
    let expected = TransportError.peerIdle(after: .milliseconds(5))
    await #expect(throws: expected) { try await watching.receive(deadline: patience()) }
    thread.join()
    #expect(blocked.mutex.withLock { $0 } == expected)
    #expect(throws: expected) { try watching.trySend([1]) }
    #expect(throws: expected) { try watching.flush() }
    // The peer sees an orderly end.
    #expect(try await right.receive(deadline: patience()) == nil)
  }

  @Test("keeps a pair alive that pings often enough", arguments: PairKind.allCases)
  func alive(kind: PairKind) async throws {
    let (bareLeft, bareRight) = try kind.pair()
    let left = wrap(bareLeft, ping: .milliseconds(1), idle: .seconds(60))
    let right = wrap(bareRight, ping: .milliseconds(1), idle: .seconds(60))
    let waiting = Task { try await right.receive(deadline: patience()) }
    // Many pings later, nothing has been taken for a frame.
    for _ in 0..<20 {
      await #expect(throws: TransportError.timedOut) { try await left.receive(deadline: .now + .milliseconds(2)) }
    }
    #expect(try left.trySend([9]) == .sent)
    #expect(try await waiting.value?.bytes == [9])
    try left.finishSending()
    #expect(try await right.receive(deadline: patience()) == nil)
  }

  @Test("does not take a peer for idle whose frames wait to be received", arguments: PairKind.allCases)
  func slowReceiver(kind: PairKind) async throws {
    let (left, right) = try kind.pair()
    #expect(try right.trySend([3, 0]) == .sent)
    let watching = wrap(left, idle: .milliseconds(1))
    // Several timeouts pass: what the reactor was given later runs later.
    for _ in 0..<10 {
      await withCheckedContinuation { continuation in
        Reactor.shared.schedule(at: .now + .milliseconds(2)) { continuation.resume() }
      }
    }
    #expect(try watching.tryReceiveFrame()?.bytes == [3])
    await #expect(throws: TransportError.peerIdle(after: .milliseconds(1))) {
      try await watching.receive(deadline: patience())
    }
  }

  @Test("ends at frames that no keep-alive transport sends", arguments: [[], [2], [1, 2, 3]] as [[UInt8]])
  func malformed(frame: [UInt8]) throws {
    let (left, right) = try LoopbackTransport.pair()
    let watching = wrap(left)
    #expect(try right.trySend(frame) == .sent)
    let error = TransportError.malformedFrame(frame.last.map { .unknownKind($0) } ?? .fragmentTooShort(byteCount: 0))
    for _ in 0..<2 { #expect(throws: error) { try watching.tryReceiveFrame() } }
    #expect(try right.tryReceive { _, _ in } == .endOfStream)
  }

  @Test("is not kept for ever by a flood of pings")
  func flood() throws {
    let (left, right) = try LoopbackTransport.pair(queueLimit: 1000)
    let watching = wrap(left)
    for _ in 0..<600 { #expect(try right.trySend([1]) == .sent) }
    #expect(try right.trySend([5, 0]) == .sent)
    for _ in 0..<2 {
      #expect(try watching.tryReceive { _, _ in } == .wouldBlock)
      #expect(try Poll.isReady(watching.readDescriptor, .readable))
    }
    #expect(try watching.tryReceiveFrame()?.bytes == [5])
  }

  @Test("leaves no timer behind")
  func timers() throws {
    let reactor = try Reactor(name: "timers")
    defer { reactor.shutdown() }
    let (left, _) = try LoopbackTransport.pair()
    let limits = KeepAlive.Limits(pingInterval: .seconds(100), idleTimeout: .seconds(100))
    var watching: KeepAliveTransport? = KeepAliveTransport(left, limits: limits, reactor: reactor)
    #expect(reactor.pendingCount == 1)
    withExtendedLifetime(watching) {}
    watching = nil
    #expect(reactor.pendingCount == 0)
  }
}
