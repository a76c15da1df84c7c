import Glibc
import SluiceSystem
import SystemPackage
import Testing

/// A deadline that a passing test never meets: what it waits for has happened by then, or will not.
func patience() -> ContinuousClock.Instant { .now + .seconds(120) }

/// A directory of the test's own, removed with it.
final class TemporaryDirectory {
  let path: FilePath

  init() throws {
    var template = Array("/tmp/sluice-test-XXXXXX".utf8CString)
    let made = try #require(mkdtemp(&template))
    path = FilePath(platformString: made)
  }

  deinit { try? FileSystem.removeTree(path) }
}

/// A child process that runs until it is killed.
func spawnWaitingChild() throws -> ProcessHandle {
  var pid = pid_t()
  let arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("1000"), nil]
  defer { arguments.forEach { free($0) } }
  try #require(posix_spawnp(&pid, "sleep", nil, nil, arguments, environ) == 0)
  return try ProcessHandle(pid: pid)
}

extension UnixSocket {
  static func send(on socket: Handle, _ bytes: [UInt8], handles: [Handle] = []) throws(SystemError) -> Int? {
    try send(on: socket, bytes.span.bytes, handles: handles)
  }

  static func receive(on socket: Handle, _ count: Int) throws(SystemError) -> (bytes: [UInt8], received: ReceivedBytes)?
  {
    var bytes = [UInt8](repeating: 0, count: count)
    var failure: SystemError?
    let received = bytes.withUnsafeMutableBytes { buffer -> ReceivedBytes? in
      do throws(SystemError) { return try receive(on: socket, into: buffer) } catch {
        failure = error
        return nil
      }
    }
    if let failure { throw failure }
    return received.map { (Array(bytes.prefix($0.byteCount)), $0) }
  }
}

/// Holds `environ` for posix_spawn, which Swift sees as a mutable global.
nonisolated(unsafe) private let environ = Glibc.environ
