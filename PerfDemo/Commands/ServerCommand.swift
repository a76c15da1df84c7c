import ArgumentParser
import Sluice
import SystemPackage

/// `perf_demo server`: the half that serves files.
struct ServerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "server",
    abstract: "Serve files to perf_demo clients, on sessions and on a classic socket, until SIGINT or SIGTERM.")

  @OptionGroup var payloads: PayloadOptions
  @OptionGroup var classic: ClassicOptions

  @Option(name: .long, help: ArgumentHelp("The client app that may connect.", valueName: "app"))
  var allow = DemoApps.clientName

  @Option(name: .long, help: ArgumentHelp("Where generated files go; removed at the end.", visibility: .hidden))
  var workDirectory: String?

  @Flag(name: .long, help: ArgumentHelp("End when standard input does.", visibility: .hidden))
  var untilEndOfInput = false

  func run() async throws {
    let source = try payloads.source()
    let (allow, classicPath, untilEndOfInput) = (allow, classic.path, untilEndOfInput)
    let given = workDirectory.map { WorkDirectory(path: FilePath($0)) }
    try await Termination.cancelling {
      let work = try given ?? (source.needsWorkDirectory ? WorkDirectory.create() : nil)
      defer { work?.remove() }
      try await Self.serve(
        source, work, allowing: allow, classicPath: classicPath, untilEndOfInput: untilEndOfInput)
    }
  }

  private static func serve(
    _ source: PayloadOptions.Source, _ work: WorkDirectory?, allowing client: String, classicPath: FilePath,
    untilEndOfInput: Bool
  ) async throws {
    let server = try DemoError.describing { try SessionServer(DemoApps.server(allowing: client)) }
    defer { server.shutdown() }
    let progress = Progress()
    let store = try FileStore(directory: try directory(of: source, work, progress))
    let files = try LoadedFiles(store, for: server, progress)

    let classic = try ClassicServer(at: classicPath, responses: files.classic)
    defer { classic.close() }
    progress.finish()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await ZeroCopyServer(server: server, responses: files.zeroCopy).serve() }
      if untilEndOfInput { group.addTask { await EndOfInput.wait() } }
      announce(store)
      // Whichever ends first ends the server: its input, the session server, or a signal, which cancels both.
      try await group.next()
      server.shutdown()
      group.cancelAll()
    }
  }

  private static func directory(
    of source: PayloadOptions.Source, _ work: WorkDirectory?, _ progress: Progress
  ) throws -> FilePath {
    switch source {
    case .directory(let path): return path
    case .generated(let sizes):
      guard let work else { preconditionFailure("generated files have a work directory") }
      try WorkDirectory.make(work.files)
      progress.step("generating \(sizes.map(\.description).joined(separator: ", "))")
      try FileGenerator.generate(sizes, in: work.files)
      return work.files
    }
  }

  private static func announce(_ store: FileStore) {
    let total = ByteSize(byteCount: store.files.reduce(0) { $0 + $1.size.byteCount })
    Terminal.print("\(DemoProcesses.readyMark): \(store.files.count) files, \(total), of \(store.directory)\n")
  }
}
