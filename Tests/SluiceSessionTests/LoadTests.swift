import Foundation
import Sluice
import SystemPackage
import TestSchema
import Testing

/// Many sessions, one after the other and at once, and many channels in one. The other processes are `TestPeer`s, whose own
/// figures count. Longer with `SLUICE_SESSIONS=10000`, `SLUICE_SESSIONS_AT_ONCE=1000`, `SLUICE_CHANNELS=100000`.
@Suite(.timeLimit(.minutes(30))) struct LoadTests {
  /// What a process takes: see `Footprint` in `Tests/TestPeer`.
  private struct Taken {
    let descriptors, mappings, threads, addressSpace, anonymous, shared: Int

    init(_ words: ArraySlice<Substring>) throws {
      let numbers = words.compactMap { Int($0) }
      try #require(numbers.count == 6, "\(words)")
      (descriptors, mappings, threads) = (numbers[0], numbers[1], numbers[2])
      (addressSpace, anonymous, shared) = (numbers[3], numbers[4], numbers[5])
    }
  }

  /// `… here a b c d e f there a b c d e f`.
  private func taken(_ line: String) throws -> [(end: String, taken: Taken)] {
    let words = line.split(separator: " ")
    let here = try #require(words.firstIndex(of: "here"))
    let there = try #require(words.firstIndex(of: "there"))
    return [("client", try Taken(words[(here + 1)..<there])), ("server", try Taken(words[(there + 1)...]))]
  }

  private static func count(_ key: String, _ quick: Int) -> Int {
    ProcessInfo.processInfo.environment[key].flatMap { Int($0) } ?? quick
  }

  private func withServerAndClient(
    _ mode: String, _ count: Int, _ body: @escaping @Sendable (Peer) async throws -> Void
  ) async throws {
    try await withRuntimeDirectory { directory in
      try await withPeer("serve", directory, "test-client") { server in
        try await server.line("ready")
        let status = try await withPeer(mode, directory, "\(count)", body: body)
        #expect(status == .exited(0))
      }
    }
  }

  @Test func `after many sessions descriptors, mappings, address space and memory are where they began`() async throws {
    try await withServerAndClient("reopen", Self.count("SLUICE_SESSIONS", 200)) { client in
      let before = try taken(try await client.line("before"))
      let line = try await client.line("after")
      for (before, after) in zip(before, try taken(line)) {
        #expect(after.taken.descriptors <= max(24, before.taken.descriptors), "\(line)")
        // Of the heap's own there may be a few more, whatever the number of sessions.
        #expect(after.taken.mappings <= before.taken.mappings + 16, "\(line)")
        #expect(after.taken.threads <= before.taken.threads + 2, "\(line)")
        #expect(after.taken.addressSpace <= before.taken.addressSpace + 65_536, "\(line)")
        #expect(after.taken.anonymous <= before.taken.anonymous + 8192, "\(line)")
        #expect(after.taken.shared <= before.taken.shared + 1024, "\(line)")
      }
      print("sessions one after the other: \(line)")
    }
  }

  @Test(arguments: ["many", "many-alone"])
  func `many sessions at once each work, with both ends in two processes or in one`(mode: String) async throws {
    let count = Self.count("SLUICE_SESSIONS_AT_ONCE", 100)
    @Sendable func check(_ client: Peer) async throws {
      let open = try await client.line("open")
      #expect(open.hasPrefix("open \(count) "))
      let closed = try await client.line("closed")
      for (open, closed) in zip(try taken(open), try taken(closed)) {
        // An end of a session takes a dozen descriptors at most, and no thread.
        let ends = mode == "many" ? count : 2 * count
        #expect(open.taken.descriptors < 13 * ends + 100, "\(open)")
        #expect(open.taken.mappings < 20 * ends + 400, "\(open)")
        #expect(open.taken.threads < 20, "\(open)")
        #expect(closed.taken.descriptors <= 40, "\(closed)")
      }
      print("\(mode): \(open); \(closed)")
    }
    if mode == "many" { return try await withServerAndClient(mode, count) { try await check($0) } }
    try await withRuntimeDirectory { directory in
      let status = try await withPeer(mode, directory, "\(count)") { try await check($0) }
      #expect(status == .exited(0))
    }
  }

  @Test func `a session has as many channels as are asked for, each of which works`() async throws {
    let count = Self.count("SLUICE_CHANNELS", 2000)
    try await withServerAndClient("channels", count) { client in
      let before = try taken(try await client.line("before"))
      let open = try await client.line("open")
      #expect(open.hasPrefix("open \(count) "))
      let closed = try await client.line("closed")
      #expect(closed.hasPrefix("closed 1 "))
      for (before, open) in zip(before, try taken(open)) {
        // They are numbers in a table: a channel has no descriptor and no mapping.
        #expect(open.taken.descriptors <= before.taken.descriptors + 8, "\(open)")
        #expect(open.taken.mappings <= before.taken.mappings + 64, "\(open)")
      }
      print("channels: \(open); \(closed)")
    }
  }
}
