import Foundation
import Sluice
import SystemPackage
import TestSchema
import Testing

/// A client that behaves, for a while in peace and then among neighbours that stall, crash and flood. `make soak`, or
/// `SOAK_SECONDS=180`; by default only as long as it takes to do all of it once.
///
/// The client's own progress is the clock: neighbours are stopped and killed after it has done so many more rounds. So it is
/// seen to go on whatever they do.
@Suite(.timeLimit(.minutes(60))) struct SoakTests {
  /// How long all of it takes, about.
  private static let length = Duration.seconds(
    ProcessInfo.processInfo.environment["SOAK_SECONDS"].flatMap { Int($0) } ?? 2)
  /// How many rounds the client does in each state of its neighbours.
  private static let stride = 50

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
          try await storm(directory, client, for: Self.length / 10)
          try await rest(client, for: .zero)
          let first = try await Figures(client)
          try await rest(client, for: Self.length * 3 / 10)
          let peace = try await Figures(client)
          try await storm(directory, client, for: Self.length * 6 / 10)
          let war = try await Figures(client)
          try await rest(client, for: .zero)
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

  /// Lets the client go on, at least for a while.
  private func go(_ client: Peer) async throws {
    try await client.say("rounds \(Self.stride)")
    try await client.line("went")
  }

  private func rest(_ client: Peer, for time: Duration) async throws {
    let end = ContinuousClock.now.advanced(by: time)
    repeat { try await go(client) } while .now < end
  }

  /// Neighbours come, talk or flood, are stopped in the middle of it, and go on; half of them are killed at once, the others
  /// after that.
  private func storm(_ directory: FilePath, _ client: Peer, for time: Duration) async throws {
    let end = ContinuousClock.now.advanced(by: time)
    var round = 0
    repeat {
      let killedFirst = round % 2
      try await withNeighbours(["flood", "soak", "soak"], directory) { neighbours in
        try await go(client)
        for neighbour in neighbours { neighbour.stop() }
        try await go(client)
        for (index, neighbour) in neighbours.enumerated() {
          if index % 2 == killedFirst { neighbour.kill() } else { neighbour.goOn() }
        }
        try await go(client)
        for neighbour in neighbours { neighbour.kill() }
      }
      round += 1
    } while .now < end
  }

  /// Runs neighbours of these modes beside `body`, which begins when all of them do what they do.
  private func withNeighbours(
    _ modes: [String], _ directory: FilePath, _ others: [Peer] = [],
    _ body: @Sendable @escaping ([Peer]) async throws -> Void
  ) async throws {
    guard let mode = modes.first else { return try await body(others) }
    try await withPeer(mode, directory) { neighbour in
      try await neighbour.line("\(mode)ing")
      try await withNeighbours(Array(modes.dropFirst()), directory, others + [neighbour], body)
    }
  }
}
