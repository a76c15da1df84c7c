import Foundation
import Subprocess
import SystemPackage
import Testing

@testable import perf_demo

/// The whole demo: its server and client as real processes.
@Suite struct RunTests {
  @Test func `a run measures both modes, verifies, and writes its reports`() async throws {
    try await DemoProcess.withDirectory { demo in
      let reports = try demo.makeFiles("reports", [:])
      let (json, plot) = (reports.appending("out.json").string, reports.appending("out.svg").string)
      let outcome = try await demo.run(["--sizes", "100kB,1MB", "--json", json, "--plot", plot])
      #expect(outcome.status == .exited(0), "\(outcome.errors)")

      let report = try JSONDecoder().decode(JSONReport.self, from: Data(contentsOf: URL(filePath: json)))
      #expect(report.rows.map(\.mode) == [.classic, .zeroCopy, .classic, .zeroCopy])
      #expect(report.rows.map(\.payloadBytes) == [100_000, 100_000, 1_000_000, 1_000_000])
      for row in report.rows {
        #expect(row.verified)
        #expect(row.transport == (row.mode == .classic ? "socket" : "ring"))
        #expect(row.iterations >= IterationPlan.rounds)
        #expect(0 < row.minNanoseconds && row.minNanoseconds <= row.p50Nanoseconds)
        #expect(row.p50Nanoseconds <= row.p99Nanoseconds && row.p99Nanoseconds <= row.maxNanoseconds)
      }
      #expect(report.machine == Machine.current)

      let svg = SVGOutline(parsing: try String(contentsOfFile: plot, encoding: .utf8))
      #expect(svg.isWellFormed)
      #expect(svg.count(of: "circle") == 4)

      for file in ["100kB.bin", "1MB.bin"] {
        #expect(outcome.output.split(separator: "\n").count { $0.hasPrefix(file) } == 2)
      }
      #expect(try demo.leftovers.isEmpty)
    }
  }

  @Test func `the halves run by hand, on files of a directory`() async throws {
    try await DemoProcess.withDirectory { demo in
      let files = try demo.makeFiles("files", ["a.bin": [7], "b.bin": Array(repeating: 5, count: 70_001)])
      let (client, server) = try await demo.runClient(
        ["--files", files.string, "--file", "b.bin"], againstServer: ["--files", files.string])
      #expect(client.status == .exited(0), "\(client.errors)")
      #expect(client.output.split(separator: "\n").count { $0.hasPrefix("b.bin") } == 2)
      #expect(!client.output.contains("a.bin"))
      #expect(server == .exited(0))
      #expect(try demo.leftovers.isEmpty)
    }
  }

  @Test(arguments: [Signal.interrupt, .terminate])
  func `a run that is asked to end leaves nothing behind`(signal: Signal) async throws {
    try await DemoProcess.withDirectory { demo in
      let status = try await demo.startAndSend(signal)
      #expect(status == .exited(128 + signal.rawValue))
      #expect(try demo.leftovers.isEmpty)
    }
  }

  @Test func `a run that is killed leaves nothing behind`() async throws {
    try await DemoProcess.withDirectory { demo in
      let status = try await demo.startAndSend(.kill)
      #expect(status == .signaled(Signal.kill.rawValue))
      #expect(try demo.leftovers.isEmpty)
    }
  }
}

extension DemoProcess {
  /// What stands among this process's temporary files and is the demo's.
  var leftovers: [String] {
    get throws {
      try FileManager.default.contentsOfDirectory(atPath: directory.path.string).filter { $0.hasPrefix("perf_demo-") }
    }
  }

  /// Starts a run, sends it a signal while it measures, and waits until all of its processes have ended: then nobody
  /// holds the other end of the pipe any more that is standard error to each of them.
  fileprivate func startAndSend(_ signal: Signal) async throws -> TerminationStatus {
    let (errors, writeEnd) = try FileDescriptor.pipe()
    // Many sizes: a run that goes on for a minute, however late the signal comes.
    let sizes = (100..<220).map { "\($0)kB" }.joined(separator: ",")
    let status = try await Subprocess.run(
      Self.executable, arguments: ["--sizes", sizes],
      environment: environment, input: .none, output: .discarded,
      error: .fileDescriptor(writeEnd, closeAfterSpawningProcess: true)
    ) { run in
      var said = ""
      for await text in Self.texts(from: errors) {
        let isMeasuring = said.contains("measuring")
        said += text
        if !isMeasuring, said.contains("measuring") { try run.send(signal: signal) }
      }
    }.terminationStatus
    return status
  }

  /// What comes out of a pipe until its end, which is closed then.
  private static func texts(from pipe: FileDescriptor) -> AsyncStream<String> {
    AsyncStream { continuation in
      Thread.detachNewThread {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while let count = try? buffer.withUnsafeMutableBytes({ try pipe.read(into: $0) }), count > 0 {
          continuation.yield(String(decoding: buffer[..<count], as: UTF8.self))
        }
        try? pipe.close()
        continuation.finish()
      }
    }
  }
}
