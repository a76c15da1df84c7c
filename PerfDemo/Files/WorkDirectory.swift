import Foundation
import SystemPackage

/// A directory of the demo's own for a run: generated files, the rendezvous directory, the classic socket.
struct WorkDirectory: Sendable {
  let path: FilePath

  /// Makes a new directory with a name of its own among the temporary files, for this user only.
  ///
  /// - Throws: `DemoError.fileFailure`.
  static func create() throws(DemoError) -> WorkDirectory {
    // Short, because the path of a socket has about a hundred bytes.
    let name = "perf_demo-" + String(UInt64.random(in: 0...UInt64.max), radix: 36)
    let path = FilePath(FileManager.default.temporaryDirectory.path).appending(name)
    try make(path)
    return WorkDirectory(path: path)
  }

  /// Where generated files go.
  var files: FilePath { path.appending("files") }
  /// Where the session's server and client meet.
  var runtimeDirectory: FilePath { path.appending("session") }
  /// Where the classic server listens.
  var classicSocket: FilePath { path.appending("classic.sock") }

  /// Makes a directory inside, for this user only.
  ///
  /// - Throws: `DemoError.fileFailure`.
  static func make(_ path: FilePath) throws(DemoError) {
    do {
      try FileManager.default.createDirectory(
        atPath: path.string, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    } catch {
      throw DemoError.fileFailure(path, reason: error.localizedDescription)
    }
  }

  /// Removes the directory with all that is in it. Does nothing when it is gone already.
  func remove() {
    // The other processes of a run may be removing parts of it at the same time, and a pass that finds something gone
    // stops there. So there is another pass, as long as there is something to remove; few are ever needed.
    for _ in 0..<16 {
      do {
        try FileManager.default.removeItem(atPath: path.string)
      } catch CocoaError.fileNoSuchFile where !FileManager.default.fileExists(atPath: path.string) {
        return
      } catch {
        continue
      }
    }
  }
}
