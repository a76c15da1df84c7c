import Subprocess
import SystemPackage

/// Runs the `capnp` tool, which the tests compare with.
enum Tool {
  /// The tool ended with an error.
  struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  /// Runs `capnp` with `arguments`, and answers what it wrote.
  static func capnp(_ arguments: [String], input: [UInt8] = []) async throws -> [UInt8] {
    let result = try await run(
      .name("capnp"), arguments: Arguments(arguments), input: .array(input), output: .bytes(limit: 64 << 20),
      error: .string(limit: 1 << 20))
    guard case .exited(0) = result.terminationStatus, result.standardError.isEmpty else {
      throw Failure(description: "capnp \(arguments.joined(separator: " ")): \(result.standardError)")
    }
    return result.standardOutput
  }
}
