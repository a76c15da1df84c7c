import ArgumentParser

/// `perf_demo [run]`: both halves, as two processes.
struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Start a server and a client as two processes, and measure (the default).")

  @OptionGroup var payloads: PayloadOptions
  @OptionGroup var report: ReportOptions

  func run() async throws {
    // Both halves check their options again; here a mistake shows before anything is started.
    _ = try payloads.source()
    try report.check()
    let (payloads, report) = (payloads.arguments, report.arguments)
    try await Termination.cancelling {
      try await DemoProcesses.run(payloadArguments: payloads, reportArguments: report)
    }
  }
}
