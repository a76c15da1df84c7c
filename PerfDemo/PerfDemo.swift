import ArgumentParser
import Foundation

/// What zero-copy is worth: the same request and response between two processes, classic and through Sluice.
@main
struct PerfDemo: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "perf_demo",
    abstract: "Measures what reading a response in place is worth, against sending it through a socket.",
    discussion: """
      Without a subcommand it starts its server and its client as two processes and measures one row per payload and \
      mode. Sizes are written like 100kB or 64MiB: kB, MB and GB are powers of 1000, KiB, MiB and GiB are powers of 1024.
      """,
    subcommands: [RunCommand.self, ServerCommand.self, ClientCommand.self],
    defaultSubcommand: RunCommand.self)

  /// Failures are one line on standard error and a status of their own; help and usage are ArgumentParser's.
  static func main() async {
    // Whoever reads what this process writes may go: that shows as an error where it is written.
    signal(SIGPIPE, SIG_IGN)
    do {
      var command = try parseAsRoot()
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch let error as DemoError {
      Terminal.complain(error.description)
      Foundation.exit(EXIT_FAILURE)
    } catch let error as ProcessFailure {
      // The process has said what went wrong.
      Foundation.exit(error.exitCode)
    } catch let error as Terminated {
      Foundation.exit(error.exitCode)
    } catch {
      exit(withError: error)
    }
  }
}
