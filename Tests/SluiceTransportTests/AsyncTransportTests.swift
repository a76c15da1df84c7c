import SluiceSystem
import SluiceTransport
import Synchronization
import SystemPackage
import Testing

@Suite("The async faces") struct AsyncTransportTests {
  @Test("serve many pairs at once, on the reactor and off it", arguments: PairKind.allCases, [true, false])
  func manyPairs(kind: PairKind, isOnReactor: Bool) async throws {
    let executor: Reactor? = isOnReactor ? .shared : nil
    try await withThrowingTaskGroup { group in
      for pairNumber in 0..<Self.pairCount(kind) {
        let (left, right) = try kind.pair()
        group.addTask(executorPreference: executor) {
          for number in 0..<50 {
            try await left.send([UInt8(pairNumber), UInt8(number)].span.bytes, deadline: patience())
            let reply = try await left.receive(deadline: patience())
            #expect(reply?.bytes == [UInt8(number), UInt8(pairNumber)])
          }
          try left.finishSending()
        }
        group.addTask(executorPreference: executor) {
          while let frame = try await right.receive(deadline: patience()) {
            try await right.send(Array(frame.bytes.reversed()).span.bytes, deadline: patience())
          }
        }
      }
      try await group.waitForAll()
    }
  }

  private static func pairCount(_ kind: PairKind) -> Int {
    switch kind {
    // All of a user's processes share what message queues may take (`RLIMIT_MSGQUEUE`).
    case .queue: 5
    // A ping each millisecond, from each end of each.
    case .keptAlive: 10
    default: 100
    }
  }

  @Test("suspend a sender until there is room, and lose nothing", arguments: PairKind.allCases)
  func backpressure(kind: PairKind) async throws {
    let (sender, receiver) = try kind.pair(maxBlobSize: 50_000)
    let count = 300
    let sending = Task {
      for number in 0..<count {
        try await sender.send([UInt8](repeating: UInt8(number % 251), count: 50_000).span.bytes, deadline: patience())
      }
      try sender.finishSending()
    }
    for number in 0..<count {
      let isRight = try await receiver.receive(deadline: patience()) { blob, _ in
        blob.byteCount == 50_000 && blob.unsafeLoad(fromByteOffset: 49_999, as: UInt8.self) == UInt8(number % 251)
      }
      #expect(isRight == true)
    }
    #expect(try await receiver.receive(deadline: patience()) == nil)
    try await sending.value
  }

  @Test("end at their deadline", arguments: PairKind.allCases)
  func deadline(kind: PairKind) async throws {
    let (left, right) = try kind.pair()
    await #expect(throws: TransportError.timedOut) { try await right.receive(deadline: .now + .milliseconds(2)) }
    await #expect(throws: TransportError.timedOut) { try await right.receive(deadline: .now) }
    while try left.trySend([UInt8](repeating: 0, count: 4096)) == .sent {}
    await #expect(throws: TransportError.timedOut) {
      try await left.send([UInt8](repeating: 0, count: 4096).span.bytes, deadline: .now + .milliseconds(2))
    }
    // The wait left nothing behind that would take a frame away.
    #expect(try await right.receive(deadline: patience())?.bytes.count == 4096)
  }

  @Test("end when the task is cancelled, before or while they wait", arguments: PairKind.allCases)
  func cancellation(kind: PairKind) async throws {
    let reactor = try Reactor(name: "test")
    var (left, right) = try kind.pair()
    let waiting = Task { [right] in try await right.receive(on: reactor) }
    while reactor.pendingCount == 0 { await Task.yield() }
    waiting.cancel()
    await #expect(throws: TransportError.cancelled) { try await waiting.value }
    // A watch stays for the next wait, and goes with its transport.
    (left, right) = try kind.pair()
    await reactor.settle()
    #expect(reactor.pendingCount == 0)
    let early = Task { [right] in
      withUnsafeCurrentTask { $0?.cancel() }
      return try await right.receive(on: reactor)
    }
    await #expect(throws: TransportError.cancelled) { try await early.value }
    #expect(try left.trySend([1]) == .sent)
    #expect(try await right.receive(deadline: patience(), on: reactor)?.bytes == [1])
    reactor.shutdown()
  }

  @Test("leave no registration and no timer behind")
  func noResidue() async throws {
    let reactor = try Reactor(name: "test")
    do {
      let (left, right) = try SocketTransport.pair()
      for number in UInt8(0)..<100 {
        async let frame = right.receive(deadline: patience(), on: reactor)
        try await left.send([number].span.bytes, deadline: patience(), on: reactor)
        #expect(try await frame?.bytes == [number])
      }
      #expect(reactor.pendingCount <= 1)
    }
    await reactor.settle()
    #expect(reactor.pendingCount == 0)
    reactor.shutdown()
  }
}

extension Reactor {
  /// Returns when the handlers that run now have ended, and let go of what they held.
  fileprivate func settle() async {
    await withCheckedContinuation { settled in perform { settled.resume() } }
  }
}
