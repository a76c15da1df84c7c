import Foundation
import Subprocess
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// A runtime directory of a test's own; removed with everything in it, after it was found empty.
func withRuntimeDirectory(_ body: (FilePath) async throws -> Void) async throws {
  let directory = FilePath("/tmp/sluice-test-\(UUID().uuidString.prefix(13))")
  defer { try? FileManager.default.removeItem(atPath: directory.string) }
  try await body(directory)
  #expect(entries(of: directory) == [], "left in the runtime directory")
}

func entries(of directory: FilePath) -> [String] {
  (try? FileManager.default.subpathsOfDirectory(atPath: directory.string)) ?? []
}

/// A running test peer.
struct Peer: Sendable {
  let processID: Int32
  fileprivate let lines: LineReader
  fileprivate let input: StandardInputWriter

  /// Waits for the peer to print a line that begins so; the line.
  @discardableResult func line(_ beginning: String) async throws -> String {
    try #require(await lines.next(beginning), "the peer ended before it printed “\(beginning)”")
  }

  func kill() {
    Foundation.kill(processID, SIGKILL)
  }

  /// Stops the peer, so that it sees nothing of what happens next.
  func stop() {
    Foundation.kill(processID, SIGSTOP)
  }

  /// Stops the peer, and waits until each of its threads is.
  func stopped() async throws {
    stop()
    let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(processID)/task")
    for thread in threads {
      // A thread that has ended meanwhile has no file.
      while let text = try? ProcessFile.text("/proc/\(processID)/task/\(thread)/stat"),
        text.split(separator: ")").last?.hasPrefix(" T") != true
      {
        await Task.yield()
      }
    }
  }

  /// Lets a stopped peer go on.
  func goOn() {
    Foundation.kill(processID, SIGCONT)
  }

  /// Says a line to the peer.
  func say(_ line: String) async throws {
    _ = try await input.write(line + "\n")
  }
}

/// Hands out the lines of a peer, to one reader at a time.
///
/// They are read as they come, whether or not somebody waits for them: a peer whose output nobody reads would sleep in the
/// middle of a line once the pipe is full, and a server with it.
private actor LineReader {
  private var iterator: AsyncStream<String>.Iterator

  init(_ lines: AsyncStream<String>) {
    iterator = lines.makeAsyncIterator()
  }

  func next(_ beginning: String) async -> String? {
    var copy = iterator
    defer { iterator = copy }
    while let line = await copy.next(isolation: self) {
      if line.hasPrefix(beginning) { return line.trimmingCharacters(in: .newlines) }
    }
    return nil
  }
}

/// Runs the test peer beside `body`. When `body` ends, the peer's standard input does too; how the peer ended.
@discardableResult
func withPeer(
  _ mode: String, _ directory: FilePath, _ arguments: String..., body: @Sendable @escaping (Peer) async throws -> Void
) async throws -> TerminationStatus {
  try await withPeer(mode, directory, arguments, body: body)
}

@discardableResult
func withPeer(
  _ mode: String, _ directory: FilePath, _ arguments: [String], body: @Sendable @escaping (Peer) async throws -> Void
) async throws -> TerminationStatus {
  let executable = FilePath(Bundle(for: Marker.self).executablePath ?? CommandLine.arguments[0])
    .removingLastComponent().appending("TestPeer")
  let result = try await run(
    .path(executable), arguments: Arguments([mode, directory.string] + arguments), input: .inputWriter,
    output: .sequence, error: .currentStandardError
  ) { execution in
    let (lines, said) = AsyncStream.makeStream(of: String.self)
    let output = execution.standardOutput.strings()
    async let hearing: Void = {
      defer { said.finish() }
      for try await line in output { said.yield(line) }
    }()
    let peer = Peer(
      processID: execution.processIdentifier.value, lines: LineReader(lines), input: execution.standardInputWriter)
    do {
      try await body(peer)
    } catch {
      peer.kill()
      throw error
    }
    try await execution.standardInputWriter.finish()
    try await hearing
  }
  return result.terminationStatus
}

/// A value that a closure leaves behind.
final class OneShotBox<Value: Sendable>: Sendable {
  private let box = Mutex<Value?>(nil)
  var value: Value? { box.withLock { $0 } }
  func set(_ value: Value) { box.withLock { $0 = value } }
}

private final class Marker {}
