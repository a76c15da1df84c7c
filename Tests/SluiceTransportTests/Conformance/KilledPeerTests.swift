import Glibc
import SluiceSystem
import SluiceTransport
import SystemPackage
import Testing

/// What a pair's surviving end sees when the other process is killed. A socket says so itself; for the others, the control
/// connection does, and whoever watches it closes the transport, as a session does.
@Suite("A transport whose peer was killed") struct KilledPeerTests {
  @Test("ends whoever waits to receive", arguments: PairKind.crossingProcesses, PeerScript.allCases)
  func receiving(kind: PairKind, script: PeerScript) async throws {
    try await PeerProcess.run(kind, script, maxBlobSize: 1 << 20, isKilled: true) { peer in
      let transport = peer.transport
      let ended = Locked<[TransportError?]>([])
      @Sendable func drain() -> TransportError? {
        do throws(TransportError) {
          while try transport.receive(deadline: patience()) != nil {}
          return nil
        } catch {
          return error
        }
      }
      let gate = try Gate()
      let threads = try (0..<2).map { _ in
        try WorkerThread(name: "receiver") {
          gate.open()
          let error = drain()
          ended.mutex.withLock { $0.append(error) }
        }
      }
      let task = Task { () -> TransportError? in
        do throws(TransportError) {
          while try await transport.receive(deadline: patience()) != nil {}
          return nil
        } catch {
          return error
        }
      }
      try gate.pass()
      // An echo is killed while it waits for us, the others when they have done what they do.
      if script != .echo, script != .echoInTurns { try await peer.isDone() }
      try peer.process.kill()
      try await self.closeAtDeath(of: peer)
      threads.forEach { $0.join() }
      for error in ended.mutex.withLock({ $0 }) + [await task.value] {
        // The end or an error that ends: never a deadline, never a frame that was not sent.
        #expect(error?.endsConnection ?? true)
      }
      #expect(throws: TransportError.self) { try transport.trySend([1]) }
    }
  }

  @Test("ends whoever waits for room", arguments: PairKind.crossingProcesses)
  func sending(kind: PairKind) async throws {
    try await PeerProcess.run(kind, .stall, maxBlobSize: 1 << 16, isKilled: true) { peer in
      let transport = peer.transport
      let blob = [UInt8](repeating: 1, count: 1 << 16)
      while try transport.trySend(blob) == .sent {}
      let blocked = Locked<TransportError?>(nil)
      let gate = try Gate()
      let thread = try WorkerThread(name: "sender") {
        gate.open()
        do throws(TransportError) { try transport.send(blob) } catch {
          blocked.mutex.withLock { $0 = error }
        }
      }
      let task = Task { () -> TransportError? in
        do throws(TransportError) {
          try await transport.send(blob.span.bytes, deadline: patience())
          return nil
        } catch {
          return error
        }
      }
      try gate.pass()
      try peer.process.kill()
      try await self.closeAtDeath(of: peer)
      thread.join()
      for error in [blocked.mutex.withLock { $0 }, await task.value] {
        #expect(error == .closed || error == .peerClosed)
      }
    }
  }

  @Test(
    "delivers what a killed process had sent, and tells a frame that was cut from the end",
    arguments: [
      PeerScript.breakOff, .finish,
    ])
  func socket(script: PeerScript) async throws {
    try await PeerProcess.run(.socket, script, maxBlobSize: 1 << 20, isKilled: true) { peer in
      try await peer.isDone()
      try peer.process.kill()
      #expect(try await peer.transport.receive(deadline: patience())?.bytes == [1])
      if script == .finish {
        #expect(try await peer.transport.receive(deadline: patience()) == nil)
      } else {
        let error = await #expect(throws: TransportError.self) {
          try await peer.transport.receive(deadline: patience())
        }
        guard case .truncatedFrame(let byteCount)? = error else { return _ = Issue.record("\(error as Any)") }
        #expect((1..<1 << 20).contains(byteCount))
      }
    }
  }

  private func closeAtDeath(of peer: PeerProcess) async throws {
    let outcome = await Reactor.shared.wait(for: peer.process.descriptor, .readable, deadline: patience())
    guard case .ready = outcome else { throw PeerError("the process lives: \(outcome)") }
    peer.transport.close()
  }
}
