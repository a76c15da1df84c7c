import Foundation
import Subprocess
import SystemPackage
import Testing

/// A short run of `make chaos`.
@Suite(.timeLimit(.minutes(2))) struct ChaosTests {
  @Test func `processes killed at random moments leave nothing, and the others go on`() async throws {
    let kills = ProcessInfo.processInfo.environment["CHAOS_KILLS"] ?? "20"
    let result = try await run(
      .path(ChaosProcess.executable), arguments: ["kills=\(kills)", "seed=1", "clients=2"],
      output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
    #expect(result.terminationStatus == .exited(0), "\(result.standardOutput) \(result.standardError)")
    // Each link over each backing.
    #expect(result.standardOutput.split(separator: "\n").count { $0.contains("all well") } >= 6)
  }
}

/// The program of `make chaos`, in the build directory beside the tests.
enum ChaosProcess {
  static var executable: FilePath {
    FilePath(Bundle(for: Marker.self).executablePath ?? CommandLine.arguments[0])
      .removingLastComponent().appending("chaos")
  }

  private final class Marker {}
}
