import Foundation
import Subprocess
import SystemPackage

@testable import perf_demo

/// perf_demo as a process of its own, with temporary files and a rendezvous directory of its own.
struct DemoProcess {
  /// How a process ended, and what it said.
  struct Outcome {
    let status: TerminationStatus
    let output: String
    let errors: String

    /// The lines on standard error.
    var errorLines: [Substring] { errors.split(separator: "\n") }
  }

  /// Where temporary files, the session's rendezvous and the classic socket go.
  let directory: WorkDirectory

  init(in directory: WorkDirectory) { self.directory = directory }

  /// The executable, which is built beside the tests.
  static var executable: Executable {
    let tests = Bundle.main.executableURL ?? URL(filePath: CommandLine.arguments[0])
    return .path(FilePath(tests.deletingLastPathComponent().appending(path: "perf_demo").path))
  }

  var environment: Environment {
    .inherit.updating(["TMPDIR": directory.path.string, "SLUICE_RUNTIME_DIR": directory.runtimeDirectory.string])
  }

  /// Runs it to its end.
  func run(_ arguments: [String]) async throws -> Outcome {
    let result = try await Subprocess.run(
      Self.executable, arguments: Arguments(arguments), environment: environment, output: .string(limit: 1 << 20),
      error: .string(limit: 1 << 20))
    return Outcome(status: result.terminationStatus, output: result.standardOutput, errors: result.standardError)
  }

  /// Runs `perf_demo client` against `perf_demo server`, and ends the server in order.
  func runClient(
    _ clientArguments: [String], againstServer serverArguments: [String]
  ) async throws -> (client: Outcome, server: TerminationStatus) {
    let server = try await Subprocess.run(
      Self.executable,
      arguments: Arguments(
        ["server", "--until-end-of-input", "--socket", directory.classicSocket.string] + serverArguments),
      environment: environment, input: .inputWriter, output: .sequence, error: .discarded
    ) { server -> Outcome in
      for try await line in server.standardOutput.strings() where line.hasPrefix(DemoProcesses.readyMark) { break }
      let outcome = try await run(["client", "--socket", directory.classicSocket.string] + clientArguments)
      try await server.standardInputWriter.finish()
      return outcome
    }
    return (server.closureResult, server.terminationStatus)
  }

  /// Runs the body with directories that are gone afterwards.
  static func withDirectory<Result>(_ body: (DemoProcess) async throws -> Result) async throws -> Result {
    let directory = try WorkDirectory.create()
    defer { directory.remove() }
    try WorkDirectory.make(directory.runtimeDirectory)
    return try await body(DemoProcess(in: directory))
  }

  /// Makes a directory with a file in it.
  func makeFiles(_ name: String, _ files: [String: [UInt8]]) throws -> FilePath {
    let path = directory.path.appending(name)
    try WorkDirectory.make(path)
    for (name, content) in files {
      try Data(content).write(to: URL(filePath: path.appending(name).string))
    }
    return path
  }
}
