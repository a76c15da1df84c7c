import Foundation
import Subprocess
import SystemPackage

/// Runs the tools that the tests compare with.
enum Tool {
  /// How a tool ended, and what it said.
  struct Outcome {
    var status: TerminationStatus
    var output: [UInt8]
    var errors: String
  }

  /// A tool ended with an error.
  struct Failure: Error, CustomStringConvertible {
    var command: String
    var errors: String
    var description: String { "\(command) failed: \(errors)" }
  }

  /// Runs a tool to its end, whatever that is.
  static func outcome(
    _ executable: Executable, _ arguments: [String], input: [UInt8] = [], environment: [String: String] = [:]
  ) async throws -> Outcome {
    let updates = environment.map { (Environment.Key(stringLiteral: $0.key), Optional($0.value)) }
    let result = try await run(
      executable, arguments: Arguments(arguments),
      environment: .inherit.updating(Dictionary(uniqueKeysWithValues: updates)), input: .array(input),
      output: .bytes(limit: 16 << 20), error: .string(limit: 1 << 20))
    return Outcome(status: result.terminationStatus, output: result.standardOutput, errors: result.standardError)
  }

  /// Runs a tool that must succeed, and answers what it wrote.
  @discardableResult
  static func output(
    _ executable: Executable, _ arguments: [String], input: [UInt8] = [], environment: [String: String] = [:]
  ) async throws -> [UInt8] {
    let outcome = try await outcome(executable, arguments, input: input, environment: environment)
    guard case .exited(0) = outcome.status else {
      throw Failure(command: "\(executable) \(arguments.joined(separator: " "))", errors: outcome.errors)
    }
    return outcome.output
  }

  /// The schema compiler.
  static let capnp = Executable.name("capnp")

  /// `capnpc-swift` as the build plugin uses it: built for the host, beside the tests.
  static var generator: String {
    let tests = Bundle.main.executableURL ?? URL(filePath: CommandLine.arguments[0])
    return tests.deletingLastPathComponent().appending(path: "capnpc-swift-tool").path
  }

  /// What the compiler says to Swift files that make up a module: nothing, where they are in order.
  static func diagnostics(ofCompiling files: [String]) async throws -> String {
    let products = URL(filePath: generator).deletingLastPathComponent()
    let outcome = try await outcome(
      .name("swiftc"),
      [
        "-typecheck", "-parse-as-library", "-swift-version", "6", "-warnings-as-errors", "-package-name", "test",
        "-module-name", "Generated", "-enable-experimental-feature", "Lifetimes",
        "-module-cache-path", products.appending(path: "ModuleCache").path,
        "-I", products.appending(path: "Modules").path,
      ] + files)
    return outcome.errors
  }

  /// The directory of this test target's sources.
  static let sources = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()

  /// The root of the package.
  static let package = sources.deletingLastPathComponent().deletingLastPathComponent()

  /// The path of one of the test schemas.
  static func schema(_ name: String) -> String {
    sources.appending(path: "Schemas").appending(path: name).path
  }
}
