import Foundation
import Subprocess
import SystemPackage
import Testing

/// A client and a server that are killed, or stopped, at each step of the protocol; see `Tests/KillMatrix`. The whole matrix,
/// with all links and kinds of segments, with `SLUICE_KILL_MATRIX=all`: it takes some minutes.
@Suite(.timeLimit(.minutes(60))) struct KillMatrixTests {
  @Test func `SIGKILL or SIGSTOP at any step of the protocol ends or delays the other end, and leaves nothing`()
    async throws
  {
    let extent = ProcessInfo.processInfo.environment["SLUICE_KILL_MATRIX"] ?? "quick"
    try await withRuntimeDirectory { directory in
      let executable = FilePath(Bundle(for: Marker.self).executablePath ?? CommandLine.arguments[0])
        .removingLastComponent().appending("killmatrix")
      let result = try await run(
        .path(executable), arguments: [directory.string, extent], output: .string(limit: 1 << 24),
        error: .currentStandardError)
      let lines = result.standardOutput.split(separator: "\n")
      for line in lines where line.hasPrefix("wrong") { Issue.record("\(line)") }
      let last = lines.last ?? "nothing"
      #expect(last.hasPrefix("done") && result.terminationStatus == .exited(0), "it ended after: \(last)")
      // Each kind of message, twice for each end that can send or receive it.
      #expect(lines.count { $0.hasPrefix("step") } >= 100)
    }
  }
}

private final class Marker {}
