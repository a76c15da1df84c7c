import ArgumentParser
import PerfDemoSchema
import Sluice
import SystemPackage

/// `perf_demo client`: the half that asks and measures.
struct ClientCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "client", abstract: "Measure with a perf_demo server that runs already.")

  @Option(
    name: .long, help: ArgumentHelp("The directory that the server serves, to compare with.", valueName: "directory"))
  var files: String

  @Option(
    name: .long,
    help: ArgumentHelp("Ask for this file only; can be repeated (default: all of the directory).", valueName: "name"))
  var file: [String] = []

  @Option(name: .long, help: ArgumentHelp("The client app to connect as.", valueName: "app"))
  var app = DemoApps.clientName

  @OptionGroup var classic: ClassicOptions
  @OptionGroup var report: ReportOptions

  func run() async throws {
    try report.check()
    let store = try FileStore(directory: FilePath(files))
    let selected = try file.isEmpty ? store.files : file.map { try store.file(named: $0) }
    let (app, classicPath, report) = (app, classic.path, report)
    try await Termination.cancelling {
      // On the reactor's own thread a response needs no hop to another one.
      let rows = try await withTaskExecutorPreference(Reactor.shared) {
        try await Self.measure(selected, app: app, classicPath: classicPath)
      }
      let result = Report(machine: .current, rows: rows)
      Terminal.print(TextTable(result).text)
      try report.write(result)
    }
  }

  private static func measure(
    _ files: [StoredFile], app: String, classicPath: FilePath
  ) async throws -> [ReportRow] {
    let session = try await DemoError.describing {
      try await ClientSession.connect(
        DemoApps.client(app), to: DemoApps.server(), timeout: .seconds(5), options: DemoApps.quiet)
    }
    defer { session.close() }
    let channel = try await DemoError.describing { try await session.openChannel(Cache.self) }
    let largest = files.map(\.size.byteCount).max() ?? 0
    let classic = try ClassicClient(connectingTo: classicPath, maxResponseByteCount: largest + 1 << 20)
    let progress = Progress()
    let measurement = Measurement(
      exchanges: [classic, ZeroCopyClient(channel: channel, of: session)], progress: progress)
    var rows: [ReportRow] = []
    for file in files {
      progress.step("measuring \(file.name) (\(file.size))")
      rows += try await measurement.rows(for: file)
    }
    progress.finish()
    return rows
  }
}
