import Foundation
import Sluice
import Subprocess
import SystemPackage
import TestSchema
import Testing
import TestSupport

/// A mutex in read-write memory whose holders are killed.
@Suite(.timeLimit(.minutes(2))) struct ContentionTests {
  /// What two contenders and this process share; see `Tests/Chaos/Contending.swift`.
  private struct Shared: Sendable {
    let arena: ReadWriteArena
    let offset: Int

    init() throws {
      arena = try ReadWriteArena(name: "contended", byteCount: 8192)
      offset = try arena.allocate(byteCount: 64)
    }

    var mutex: SharedMutex { get throws { try arena.mutex(at: offset) } }
    var progress: UInt64 { get throws { try arena.atomic(UInt64.self, at: offset + 16).load() } }
    var broken: UInt64 { get throws { try arena.atomic(UInt64.self, at: offset + 40).load() } }
  }

  @Test func `a mutex survives the death of its holders at any instruction`() async throws {
    let rounds = ProcessInfo.processInfo.environment["CHAOS_KILLS"].flatMap { Int($0) } ?? 6
    let directory = FilePath("/tmp/sluice-test-\(UUID().uuidString.prefix(13))")
    defer { try? FileManager.default.removeItem(atPath: directory.string) }
    let app = ServerApp(directory.lastComponent?.string ?? "", allowing: ["contender"], runtimeDirectory: directory)
    let shared = try Shared()
    let server = try SessionServer(app)
    defer { server.shutdown() }
    let serving = Task { try await share(shared, with: server) }
    defer { serving.cancel() }

    var generator = SeededGenerator(seed: 1)
    // One that stays, and others that are killed while it contends with them.
    try await withContender(directory) { _ in
      for _ in 0..<rounds {
        let steps = UInt64.random(in: 1...2000, using: &generator)
        try await withContender(directory) { process in
          try await advance(shared, by: steps)
          kill(process, SIGKILL)
          // Whoever held it, the one that stays gets it.
          try await advance(shared, by: 1000)
        }
        // So does this process, in order or with the news of a death, and finds both numbers equal or mends them.
        let acquisition = try shared.mutex.lock(timeout: .seconds(30))
        let (first, second) = (
          try shared.arena.load(UInt64.self, at: shared.offset + 16),
          try shared.arena.load(UInt64.self, at: shared.offset + 24)
        )
        #expect(first == second || acquisition == .previousOwnerDied)
        try shared.arena.store(first, at: shared.offset + 24)
        try shared.mutex.unlock()
      }
    }
    // The last one was killed, too: nobody is left who could let go.
    _ = try shared.mutex.lock(timeout: .seconds(30))
    try shared.mutex.unlock()
    #expect(try shared.broken == 0)
  }

  /// Waits until the contenders have made so many steps.
  private func advance(_ shared: Shared, by steps: UInt64) async throws {
    let goal = try shared.progress + steps
    while try shared.progress < goal { await Task.yield() }
  }

  /// Gives everybody who asks the arena.
  private func share(_ shared: Shared, with server: SessionServer) async throws {
    for try await session in server.sessions {
      Task {
        for try await channel in session.channels(of: Exchange.self) {
          for try await request in channel.requests {
            var reply = try channel.makeMessage()
            reply.root.number = UInt64(shared.offset)
            try await request.reply(reply, handles: [try shared.arena.handle.duplicated()])
          }
        }
      }
    }
  }

  /// Runs a contender beside `body`, and kills it in the end.
  private func withContender(_ directory: FilePath, _ body: (pid_t) async throws -> Void) async throws {
    _ = try await run(
      .path(ChaosProcess.executable), arguments: ["contend", "directory=\(directory)"],
      input: .inputWriter, output: .sequence,
      error: .currentStandardError
    ) { execution in
      var lines = execution.standardOutput.strings().makeAsyncIterator()
      guard try await lines.next() != nil else {
        throw ContentionError("a contender ended before it contended")
      }
      let process = execution.processIdentifier.value
      defer { kill(process, SIGKILL) }
      try await body(process)
    }
  }

  private struct ContentionError: Error {
    let text: String
    init(_ text: String) { self.text = text }
  }
}
