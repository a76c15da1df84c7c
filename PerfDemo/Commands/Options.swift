import ArgumentParser
import Foundation
import SystemPackage

/// What to serve: the files of a directory, or generated ones.
struct PayloadOptions: ParsableArguments {
  static let defaultSizes = "100kB,1MB,10MB,100MB,1GB"

  @Option(name: .long, help: ArgumentHelp("Serve the files of this directory.", valueName: "directory"))
  var files: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Serve generated files of these sizes (default: \(Self.defaultSizes)).", valueName: "size,size,…"))
  var sizes: String?

  /// Where the files come from.
  enum Source: Equatable {
    case directory(FilePath)
    case generated([ByteSize])

    /// Whether files are made, and have to stand somewhere.
    var needsWorkDirectory: Bool {
      if case .generated = self { true } else { false }
    }
  }

  /// Reads the options.
  ///
  /// - Throws: `DemoError` when they contradict each other, or the sizes are none, or too large for this machine.
  func source() throws(DemoError) -> Source {
    if let files {
      guard sizes == nil else { throw DemoError.sizesAndFiles }
      return .directory(FilePath(files))
    }
    let sizes = try ByteSize.list(parsing: self.sizes ?? Self.defaultSizes)
    try MemoryNeeds.check(sizes)
    return .generated(sizes)
  }

  /// The same options for another process.
  var arguments: [String] {
    if let files { return ["--files", files] }
    return ["--sizes", sizes ?? Self.defaultSizes]
  }
}

/// Where the report goes, besides the terminal.
struct ReportOptions: ParsableArguments {
  @Option(name: .long, help: ArgumentHelp("Write the report as JSON.", valueName: "file"))
  var json: String?

  @Option(name: .long, help: ArgumentHelp("Write a log-log chart as SVG.", valueName: "file"))
  var plot: String?

  /// Refuses files that could not be written, before the time for measuring is spent.
  ///
  /// - Throws: `DemoError.fileFailure`.
  func check() throws(DemoError) {
    for path in [json, plot].compactMap({ $0 }).map({ FilePath($0) }) {
      do {
        try FileDescriptor.open(
          path, .writeOnly, options: [.create, .closeOnExec], permissions: [.ownerReadWrite, .groupRead, .otherRead]
        ).close()
      } catch {
        throw DemoError.fileFailure(path, reason: (error as? Errno)?.description ?? "\(error)")
      }
    }
  }

  /// Writes what was asked for.
  ///
  /// - Throws: `DemoError.fileFailure`.
  func write(_ report: Report) throws {
    if let json { try Self.write(try JSONReport(report).encoded(), to: json) }
    if let plot { try Self.write(Plot(report).svg, to: plot) }
  }

  /// The same options for another process.
  var arguments: [String] { (json.map { ["--json", $0] } ?? []) + (plot.map { ["--plot", $0] } ?? []) }

  private static func write(_ text: String, to path: String) throws(DemoError) {
    do {
      try text.write(toFile: path, atomically: true, encoding: .utf8)
    } catch {
      throw DemoError.fileFailure(FilePath(path), reason: error.localizedDescription)
    }
  }
}

/// How the two processes find each other on the classic way.
struct ClassicOptions: ParsableArguments {
  @Option(name: .long, help: ArgumentHelp("The socket of the classic server.", valueName: "path"))
  var socket: String?

  /// The path, by default one of this user's own among the temporary files.
  var path: FilePath {
    socket.map { FilePath($0) }
      ?? FilePath(FileManager.default.temporaryDirectory.path).appending("perf_demo-\(NSUserName()).sock")
  }
}
