import Foundation
import Sluice
import Subprocess
import SystemPackage
import Testing

@testable import perf_demo

/// What goes wrong is one clear line on standard error and a status that is not zero.
@Suite struct BadInputTests {
  private func expectFailure(
    _ outcome: DemoProcess.Outcome, _ line: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(outcome.status == .exited(1), sourceLocation: sourceLocation)
    #expect(outcome.errorLines.last.map(String.init) == "perf_demo: \(line)", sourceLocation: sourceLocation)
    #expect(outcome.output.isEmpty, sourceLocation: sourceLocation)
  }

  @Test(arguments: [
    ("1potato", "'1potato' is no payload size: the units are B, kB, MB, GB, KiB, MiB and GiB"),
    ("", "'' is no payload size: it does not begin with a number"),
    ("1MB,1MB", "'1MB' is no payload size: it comes twice"),
    ("0", "'0' is no payload size: it is not a positive number"),
  ])
  func `a list of sizes that is none`(sizes: String, line: String) async throws {
    try await DemoProcess.withDirectory { demo in
      let outcome = try await demo.run(["--sizes", sizes])
      expectFailure(outcome, line)
      #expect(outcome.errorLines.count == 1)
    }
  }

  @Test func `payloads beyond the machine's memory`() async throws {
    try await DemoProcess.withDirectory { demo in
      let outcome = try await demo.run(["--sizes", "1000GB"])
      #expect(outcome.status == .exited(1))
      #expect(outcome.errors.hasPrefix("perf_demo: payloads of 1000 GB need about three times as much memory"))
    }
  }

  @Test func `sizes and files at once`() async throws {
    try await DemoProcess.withDirectory { demo in
      expectFailure(
        try await demo.run(["--sizes", "1kB", "--files", "."]),
        "--sizes is for generated files, --files brings its own: give one of them")
    }
  }

  @Test func `a directory that does not exist, is none, or is empty`() async throws {
    try await DemoProcess.withDirectory { demo in
      let files = try demo.makeFiles("some", ["a": [1]])
      let empty = try demo.makeFiles("empty", [:])
      expectFailure(
        try await demo.run(["--files", "/does/not/exist"]),
        "cannot read the directory /does/not/exist: No such file or directory")
      expectFailure(
        try await demo.run(["--files", files.appending("a").string]),
        "cannot read the directory \(files)/a: Not a directory")
      expectFailure(
        try await demo.run(["--files", empty.string]),
        "the directory \(empty) has no regular file with content in it")
    }
  }

  @Test(.enabled(if: geteuid() != 0, "root reads every directory"))
  func `a directory without the right to read it`() async throws {
    try await DemoProcess.withDirectory { demo in
      let files = try demo.makeFiles("closed", [:])
      try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: files.string)
      expectFailure(
        try await demo.run(["--files", files.string]), "cannot read the directory \(files): Permission denied")
    }
  }

  @Test func `a report that cannot be written`() async throws {
    try await DemoProcess.withDirectory { demo in
      expectFailure(
        try await demo.run(["--sizes", "1kB", "--json", "/does/not/exist.json"]),
        "/does/not/exist.json: No such file or directory")
    }
  }

  @Test func `no server`() async throws {
    try await DemoProcess.withDirectory { demo in
      let files = try demo.makeFiles("files", ["a.bin": [1, 2, 3]])
      expectFailure(
        try await demo.run(["client", "--files", files.string]),
        "no server “perf-demo-server” is running: nobody listens on "
          + demo.directory.runtimeDirectory.appending("perf-demo-server/socket").string)
    }
  }

  @Test func `a second server of the same app`() async throws {
    try await DemoProcess.withDirectory { demo in
      let files = try demo.makeFiles("files", ["a.bin": [1, 2, 3]])
      let server = try SessionServer(
        ServerApp("perf-demo-server", allowing: [], runtimeDirectory: demo.directory.runtimeDirectory))
      defer { server.shutdown() }
      let outcome = try await demo.run(["server", "--files", files.string])
      #expect(outcome.status == .exited(1))
      #expect(outcome.errors.hasPrefix("perf_demo: the server “perf-demo-server” runs already, as process "))
    }
  }

  @Test func `a server of another version`() async throws {
    try await DemoProcess.withDirectory { demo in
      let files = try demo.makeFiles("files", ["a.bin": [1, 2, 3]])
      var options = SessionOptions()
      options.versions = ProtocolVersions(lowest: 1_000_000, highest: 1_000_001)
      let server = try SessionServer(
        ServerApp(
          "perf-demo-server", allowing: [DemoApps.client()], runtimeDirectory: demo.directory.runtimeDirectory),
        options: options)
      defer { server.shutdown() }
      let outcome = try await demo.run(["client", "--files", files.string])
      #expect(outcome.status == .exited(1))
      #expect(outcome.errors.contains("no common version of the protocol"))
      #expect(outcome.errors.contains("1000000"))
      #expect(outcome.errorLines.count == 1)
    }
  }

  @Test func `a client that is not allowed`() async throws {
    try await DemoProcess.withDirectory { demo in
      let files = try demo.makeFiles("files", ["a.bin": [1, 2, 3]])
      let (client, server) = try await demo.runClient(
        ["--files", files.string, "--app", "stranger"], againstServer: ["--files", files.string])
      #expect(client.status == .exited(1))
      #expect(client.errors.contains("refused"))
      #expect(client.errorLines.count == 1)
      #expect(server == .exited(0))
    }
  }

  @Test func `a file name that the server does not know`() async throws {
    try await DemoProcess.withDirectory { demo in
      let served = try demo.makeFiles("served", ["a.bin": [1, 2, 3]])
      let wanted = try demo.makeFiles("wanted", ["b.bin": [1, 2, 3]])
      let (client, server) = try await demo.runClient(
        ["--files", wanted.string], againstServer: ["--files", served.string])
      expectFailure(client, "the server has no file 'b.bin': there is no 'b.bin' here")
      #expect(server == .exited(0))
    }
  }

  @Test func `a file name that the client cannot compare`() async throws {
    try await DemoProcess.withDirectory { demo in
      let files = try demo.makeFiles("files", ["a.bin": [1, 2, 3]])
      expectFailure(
        try await demo.run(["client", "--files", files.string, "--file", "c.bin"]),
        "there is no file 'c.bin' in \(files) to compare with")
    }
  }

  @Test func `a response that differs from the file on disk`() async throws {
    try await DemoProcess.withDirectory { demo in
      let served = try demo.makeFiles("served", ["a.bin": [1, 2, 3, 4, 5]])
      let wanted = try demo.makeFiles("wanted", ["a.bin": [1, 2, 0, 4, 5]])
      let (client, server) = try await demo.runClient(
        ["--files", wanted.string], againstServer: ["--files", served.string])
      expectFailure(client, "'a.bin' arrived wrong (classic): chunk 0 differs from the file on disk")
      #expect(server == .exited(0))
    }
  }
}
