import ArgumentParser
import Foundation

/// Round trips of a session against bare baselines, in the same two processes.
@main
struct SluiceBench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sluice-bench",
    abstract: "Measures round trips of a session against bare baselines, as ratios.",
    discussion: """
      Two processes exchange small messages in several ways, which take turns. In the placement `same` both are bound \
      to one processor, in `split` to two.
      """,
    subcommands: [ProfileCommand.self, CompareCommand.self, PingCommand.self, PongCommand.self],
    defaultSubcommand: CompareCommand.self)
}

/// Which processors the two processes are bound to.
enum Placement: String, CaseIterable, Codable, ExpressibleByArgument, Sendable {
  case same, split

  /// The processor of the measuring process, and that of the answering one.
  var processors: (ping: Int32, pong: Int32) {
    switch self {
    case .same: (0, 0)
    case .split: (0, 1)
    }
  }
}

/// What went wrong, in one line.
struct BenchError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
