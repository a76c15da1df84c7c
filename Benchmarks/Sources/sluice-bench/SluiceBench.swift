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
    subcommands: [CompareCommand.self, PingCommand.self, PongCommand.self],
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

/// A way of making a round trip. The raw value is what the measuring process sends to have the other side answer.
enum Technique: String, CaseIterable, Codable, Sendable {
  /// Two spinning processes and two cache lines.
  case cacheLine = "bare cache lines"
  /// Two processes that sleep on a futex.
  case futex = "bare futex"
  /// 64 bytes over a Unix stream socket, blocking.
  case stream = "bare Unix stream"
  /// `channel.requestSync` on a session.
  case requestSync = "session, requestSync"
  /// `channel.request` on a session, on the library's reactor.
  case request = "session, request"

  /// Whether it can be measured: spinning against each other on one processor measures the scheduler's time slices.
  func works(in placement: Placement) -> Bool { self != .cacheLine || placement == .split }

  /// What the other side does for it, as one byte on the control connection.
  var code: UInt8 {
    switch self {
    case .cacheLine: 1
    case .futex: 2
    case .stream: 3
    case .requestSync, .request: 0
    }
  }
}

/// What went wrong, in one line.
struct BenchError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
