import Glibc
import SluiceSystem
import SluiceTransport
import SystemPackage
import Testing
import TestSupport

/// What holds wherever the other end is: each test runs against a thread of this process and against another process.
@Suite("Every transport, to a thread and to a process,") struct EchoConformanceTests {
  @Test("brings every size up to its limit there and back, in order", arguments: TestedPair.all)
  func sizes(pair: TestedPair) async throws {
    try await pair.run(.echo, maxBlobSize: 10_000) { transport in
      var random = SeededGenerator(seed: 1)
      let edges = [0, 1, 7, 8, 9, 511, 512, 513, 4095, 4096, 4097, 9_999, 10_000]
      for size in edges + (0..<100).map({ _ in .random(in: 0...10_000, using: &random) }) {
        let blob = random.bytes(size)
        try await transport.send(blob.span.bytes, deadline: patience())
        #expect(try await transport.receive(deadline: patience())?.bytes == blob)
      }
      try transport.finishSending()
      #expect(try await transport.receive(deadline: patience()) == nil)
    }
  }

  @Test("keeps handles with their frames, in bursts", arguments: TestedPair.carryingHandles)
  func handles(pair: TestedPair) async throws {
    try await pair.run(.echo) { transport in
      var random = SeededGenerator(seed: 2)
      for _ in 0..<20 {
        var canaries: [[Canary]] = []
        for index in 0..<8 {
          var own: [Canary] = []
          for _ in 0..<Int.random(in: 0...3, using: &random) { own.append(try Canary()) }
          var sent: [Handle] = []
          for position in own.indices { sent.append(try own[position].release()) }
          try transport.send([UInt8](repeating: UInt8(index), count: index * 31), handles: sent)
          canaries.append(own)
        }
        for (index, own) in canaries.enumerated() {
          let frame = try await transport.receive(deadline: patience())
          #expect(frame?.bytes == [UInt8](repeating: UInt8(index), count: index * 31))
          let received = try #require(frame?.handles)
          #expect(received.count == own.count)
          for (canary, handle) in zip(own, received) {
            try handle.descriptor.writeAll([UInt8(index)])
            #expect(try Poll.isReady(canary.reading.descriptor, .readable))
          }
        }
      }
      try transport.finishSending()
      #expect(try await transport.receive(deadline: patience()) == nil)
    }
  }

  @Test("stops at its bound when nobody reads, and goes on where it was", arguments: TestedPair.all)
  func backpressure(pair: TestedPair) async throws {
    try await pair.run(.echoInTurns, maxBlobSize: 20_000) { transport, control in
      var random = SeededGenerator(seed: 3)
      for _ in 0..<3 {
        // The other end reads nothing before it is told to, so what finds no room finds none later.
        var expected: [[UInt8]] = []
        while true {
          let blob = random.bytes(.random(in: 10_000...20_000, using: &random))
          guard try transport.trySend(blob) == .sent else { break }
          expected.append(blob)
          try #require(expected.count < 10_000)
        }
        try control.send((0..<4).map { UInt8(truncatingIfNeeded: expected.count >> ($0 * 8)) })
        while !expected.isEmpty {
          if let frame = try transport.tryReceiveFrame() {
            #expect(frame.bytes == expected.removeFirst())
          } else if try transport.flush() {
            let next = try await transport.receive(deadline: patience())
            #expect(next?.bytes == expected.removeFirst())
          } else {
            // What is left of a frame goes on as the other end reads, which it does only if its answers find room.
            await Task.yield()
          }
        }
      }
    }
  }

  @Test("delivers what was sent before the end, then the end, and no failure", arguments: TestedPair.all)
  func end(pair: TestedPair) async throws {
    try await pair.run(.finish) { transport in
      #expect(try await transport.receive(deadline: patience())?.bytes == [1])
      for _ in 0..<3 { #expect(try await transport.receive(deadline: patience()) == nil) }
      try transport.finishSending()
      #expect(throws: TransportError.sendingFinished) { try transport.trySend([1]) }
    }
  }

  @Test("serves a blocking thread and an async task at each end of a long conversation", arguments: TestedPair.all)
  func pingPong(pair: TestedPair) async throws {
    try await pair.run(.echo) { transport in
      for number in 0..<500 {
        let blob = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 64)
        if number.isMultiple(of: 2) {
          try await transport.send(blob.span.bytes, deadline: patience())
          #expect(try await transport.receive(deadline: patience())?.bytes == blob)
        } else {
          // A thread of this process blocks: the other end needs none of ours.
          try blocking { try transport.send(blob) }
          #expect(try blocking { try transport.receive(deadline: patience())?.bytes } == blob)
        }
      }
      try transport.finishSending()
      #expect(try await transport.receive(deadline: patience()) == nil)
    }
  }
}

/// Runs something that blocks, from an async context on purpose.
func blocking<Value>(_ body: () throws -> Value) rethrows -> Value { try body() }
