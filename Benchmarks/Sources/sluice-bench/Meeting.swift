import CBench
import Foundation
import Sluice
import SystemPackage

/// Where the two processes meet: a directory with a page to share, a socket for the stream, and the session's rendezvous.
struct Meeting: Sendable {
  static let client = ClientApp("sluice-bench-ping")

  let directory: FilePath

  var page: FilePath { directory.appending("page") }
  var socket: FilePath { directory.appending("stream.sock") }
  var wires: FilePath { directory.appending("wires.sock") }

  /// The server whose sessions spin, or the one whose sessions do not.
  func app(spinning: Bool) -> ServerApp {
    ServerApp(
      spinning ? "sluice-bench-busy" : "sluice-bench-pong", allowing: ["sluice-bench-ping"],
      runtimeDirectory: directory.appending("session"))
  }

  /// How sessions of that server wait, at both ends.
  static func options(spinning: Bool) throws -> SessionOptions {
    var options = SessionOptions()
    options.spinning = spinning ? Wires.spinning : .off
    options.reactor = try Reactor(name: spinning ? "busy" : "asleep", spinning: options.spinning)
    return options
  }

  /// Makes a directory of its own with what is needed in it.
  static func create() throws -> Meeting {
    // Short, because the path of a socket has about a hundred bytes.
    let name = "sluice-bench-" + String(UInt64.random(in: 0...UInt64.max), radix: 36)
    let path = FileManager.default.temporaryDirectory.appending(path: name)
    let meeting = Meeting(directory: FilePath(path.path))
    for directory in [meeting.directory, meeting.directory.appending("session")] {
      try FileManager.default.createDirectory(
        atPath: directory.string, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    }
    try Data(count: 4096).write(to: URL(filePath: meeting.page.string))
    return meeting
  }

  func remove() { try? FileManager.default.removeItem(atPath: directory.string) }

  /// Maps the shared page, for the life of the process.
  func mapPage() throws -> SharedPage {
    let file = try FileDescriptor.open(page, .readWrite, options: [.closeOnExec])
    defer { try? file.close() }
    guard let page = bench_map(file.rawValue) else { throw BenchError("cannot map \(page)") }
    return SharedPage(pointer: page)
  }
}

/// The page that the bare baselines share; its words are atomic.
struct SharedPage: @unchecked Sendable {
  let pointer: OpaquePointer
}
