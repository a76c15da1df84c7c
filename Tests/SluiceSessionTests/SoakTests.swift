import Foundation
import Sluice
import SystemPackage
import TestSchema
import Testing

/// A client that behaves, for a while in peace and then among neighbours that stall, crash and flood. `make soak`, or
/// `SOAK_SECONDS=180`; by default only as long as it takes to do all of it once.
@Suite(.timeLimit(.minutes(60))) struct SoakTests {
  /// How often each neighbour is stopped and killed: a round takes about a second.
  private static let rounds = ProcessInfo.processInfo.environment["SOAK_SECONDS"].flatMap { Int($0) } ?? 2

  /// `figures COUNT p50 N p99 N here … there …`
  private struct Figures {
    let count, middle, late: Int
    /// Of the client and the server: see `Footprint` in `Tests/TestPeer`.
    let taken: [[Int]]
    let line: String

    init(_ client: Peer) async throws {
      try await client.say("how")
      line = try await client.line("figures")
      let words = line.split(separator: " ")
      let numbers = words.compactMap { Int($0) }
      try #require(numbers.count == 15, "\(line)")
      (count, middle, late) = (numbers[0], numbers[1], numbers[2])
      taken = [Array(numbers[3..<9]), Array(numbers[9...])]
    }
  }

  @Test func `mixed traffic goes on while neighbours stall, crash and flood, and nothing grows`() async throws {
    try await withRuntimeDirectory { directory in
      try await withPeer("serve", directory, "test-client") { server in
        try await server.line("ready")
        let status = try await withPeer("soak", directory) { client in
          try await client.line("soaking")
          // Once, for what is made once and kept, and then in peace.
          try await storm(directory, rounds: max(2, Self.rounds / 10))
          let first = try await Figures(client)
          try await rest(Self.rounds)
          let peace = try await Figures(client)
          try await storm(directory, rounds: Self.rounds)
          let war = try await Figures(client)
          try await rest(2)
          let last = try await Figures(client)
          print("soak: at first \(first.line)\n  peace \(peace.line)\n  storm \(war.line)\n  last \(last.line)")
          print("soak: p99 in the storm is \(Double(war.late) / Double(peace.middle)) of the p50 in peace")
          #expect(war.count > 0)
          for (before, after) in zip(first.taken, last.taken) {
            #expect(after[0] <= before[0] + 8, "descriptors: \(last.line)")
            #expect(after[1] <= before[1] + 128, "mappings: \(last.line)")
            #expect(after[4] <= before[4] + 65_536, "private memory: \(last.line)")
            #expect(after[5] <= before[5] + 65_536, "shared memory: \(last.line)")
          }
        }
        #expect(status == .exited(0))
      }
      try await Resources.expectNone(of: testApp(directory).name)
    }
  }

  private func rest(_ rounds: Int) async throws {
    for _ in 0..<rounds { try await Task.sleep(for: .milliseconds(500)) }
  }

  /// Neighbours come, talk or flood, are stopped in the middle of it, and go on; half of them are killed at once, the others
  /// after that.
  private func storm(_ directory: FilePath, rounds: Int) async throws {
    for round in 0..<rounds {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for neighbour in 0..<3 {
          group.addTask {
            try await withPeer(neighbour == 0 ? "flood" : "soak", directory) { peer in
              try await peer.line(neighbour == 0 ? "flooding" : "soaking")
              try await Task.sleep(for: .milliseconds(100))
              peer.stop()
              try await Task.sleep(for: .milliseconds(200))
              if (neighbour + round) % 2 == 0 { return peer.kill() }
              peer.goOn()
              try await Task.sleep(for: .milliseconds(200))
              peer.kill()
            }
          }
        }
        try await group.waitForAll()
      }
    }
  }
}
