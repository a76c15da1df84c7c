import Foundation
import Subprocess
import SystemPackage

/// One of the demo's own processes failed, and has said why on standard error.
struct ProcessFailure: Error, Equatable {
  let exitCode: Int32

  /// A failure for anything but success.
  init?(_ status: TerminationStatus) {
    switch status {
    case .exited(0): return nil
    case .exited(let code): exitCode = code
    case .signaled(let signal): exitCode = 128 + signal
    }
  }
}

/// The demo's server and client as processes of this same executable.
enum DemoProcesses {
  /// The line by which a server says that it serves.
  static let readyMark = "perf_demo: ready"

  /// Starts a server, waits until it is ready, runs a client to its end, and ends the server.
  ///
  /// - Throws: `ProcessFailure` of the process that failed first.
  static func run(payloadArguments: [String], reportArguments: [String]) async throws {
    let work = try WorkDirectory.create()
    defer { work.remove() }
    try WorkDirectory.make(work.runtimeDirectory)
    let rendezvous = ["--socket", work.classicSocket.string]
    let files = payloadArguments.first == "--files" ? payloadArguments : ["--files", work.files.string]

    // The server ends when its standard input does: also when this process is killed.
    let server = try await Subprocess.run(
      executable,
      arguments: arguments(
        ["server", "--work-directory", work.path.string, "--until-end-of-input"] + payloadArguments + rendezvous),
      environment: environment(work), platformOptions: options, input: .inputWriter, output: .sequence,
      error: .currentStandardError
    ) { server -> TerminationStatus? in
      guard try await isReady(server.standardOutput) else { return nil }
      let client = try await Subprocess.run(
        executable, arguments: arguments(["client"] + files + reportArguments + rendezvous),
        environment: environment(work), platformOptions: options, output: .currentStandardOutput,
        error: .currentStandardError)
      try await server.standardInputWriter.finish()
      return client.terminationStatus
    }
    try Task.checkCancellation()
    if let status = server.closureResult, let failure = ProcessFailure(status) { throw failure }
    if let failure = ProcessFailure(server.terminationStatus) { throw failure }
    guard server.closureResult != nil else { throw DemoError.session("the server ended before it was ready") }
  }

  private static func isReady(_ output: SubprocessOutputSequence) async throws -> Bool {
    for try await line in output.strings() where line.hasPrefix(readyMark) { return true }
    return false
  }

  private static var executable: Executable {
    .path(FilePath(Bundle.main.executablePath ?? CommandLine.arguments[0]))
  }

  private static func arguments(_ values: [String]) -> Arguments {
    Arguments(executablePathOverride: "perf_demo", remainingValues: values)
  }

  /// A rendezvous directory of this run's own, so that runs do not meet each other's servers.
  private static func environment(_ work: WorkDirectory) -> Environment {
    .inherit.updating(["SLUICE_RUNTIME_DIR": work.runtimeDirectory.string])
  }

  private static var options: PlatformOptions {
    var options = PlatformOptions()
    options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: .seconds(5))]
    return options
  }
}
