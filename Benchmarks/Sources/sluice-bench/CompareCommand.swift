import ArgumentParser
import Foundation
import Subprocess
import SystemPackage

/// Runs the two processes in each placement and prints the table.
struct CompareCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare", abstract: "Measure in all placements (the default).")

  @Option(help: "How often the ways of making a round trip take turns.")
  var rounds = 20

  @Option(help: "Round trips in a turn.")
  var iterations = 500

  @Option(help: "Measure sessions of up to so many channels.")
  var channels = 100_000

  @Option(help: "Measure only the exchanges of these names, separated by semicolons, and what they are compared with.")
  var only = ""

  @Option(help: ArgumentHelp("Write the rows as JSON.", valueName: "file"))
  var json: String?

  func validate() throws {
    guard (1...10_000).contains(rounds), (1...1_000_000).contains(iterations) else {
      throw ValidationError("rounds are 1 to 10000, iterations 1 to 1000000")
    }
  }

  func run() async throws {
    let placements = ProcessInfo.processInfo.activeProcessorCount > 1 ? Placement.allCases : [.same]
    var rows: [BenchRow] = []
    for placement in placements { rows += try await measure(placement) }
    print(BenchRow.table(rows), terminator: "")
    if let json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      try encoder.encode(["rows": rows]).write(to: URL(filePath: json))
    }
  }

  private func measure(_ placement: Placement) async throws -> [BenchRow] {
    let meeting = try Meeting.create()
    defer { meeting.remove() }
    let common = ["--directory", meeting.directory.string, "--placement", placement.rawValue]
    let pong = try await Subprocess.run(
      executable, arguments: Arguments(["pong"] + common), input: .none, output: .sequence, error: .currentStandardError
    ) { pong in
      for try await line in pong.standardOutput.strings() where line.hasPrefix(PongCommand.readyMark) { break }
      let ping = try await Subprocess.run(
        executable,
        arguments: Arguments(
          ["ping"] + common + ["--rounds", "\(rounds)", "--iterations", "\(iterations)"]
            + ["--most", "\(channels)", "--only", only]),
        output: .bytes(limit: 1 << 20), error: .currentStandardError)
      guard ping.terminationStatus.isSuccess else { throw BenchError("the measuring process failed") }
      return ping.standardOutput
    }
    return try JSONDecoder().decode([BenchRow].self, from: Data(pong.closureResult))
  }

  private var executable: Executable {
    .path(FilePath(Bundle.main.executablePath ?? CommandLine.arguments[0]))
  }
}
