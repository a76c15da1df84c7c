import CSluice
import Glibc
import SystemPackage

/// One certain process, which no later process with the same pid can be mistaken for: a pidfd. Thread-safe.
public final class ProcessHandle: Sendable {
  /// The process's id, in this process's namespace; 0 when it is not visible there.
  public let pid: pid_t
  private let handle: Handle

  /// Becomes readable when the process dies.
  public var descriptor: FileDescriptor { handle.descriptor }

  /// Opens a running process. The corresponding C function is `pidfd_open`.
  ///
  /// - Throws: `ESRCH` when there is no such process.
  public init(pid: pid_t) throws(SystemError) {
    self.pid = pid
    handle = try Handle.owning("pidfd_open", "pid \(pid)") { sluice_pidfd_open(pid) }
  }

  /// Owns a pidfd.
  public init(_ pidfd: Handle, pid: pid_t) {
    self.pid = pid
    handle = pidfd
  }

  /// Whether the process runs. A zombie is dead, although it still takes signals: its end is what `poll` reports.
  public var isAlive: Bool {
    get throws(SystemError) { !(try Poll.isReady(descriptor, .readable)) }
  }

  /// The path of the program that the process runs, from `/proc/<pid>/exe`.
  ///
  /// Advisory: the process can have changed it, and reading it needs rights over the process.
  /// - Throws: `EACCES` or `EPERM` without those rights, `ESRCH` when the process is gone.
  public func executablePath() throws(SystemError) -> FilePath {
    // The directory, once open, belongs to that process for ever. It is ours if our process lives after the reading.
    let directory = try Handle.owning("open", "/proc/\(pid)") {
      unsafe "/proc/\(pid)".withCString { unsafe sluice_open($0, O_DIRECTORY | O_CLOEXEC, 0) }
    }
    let path = unsafe try withPathBuffer("readlinkat", "/proc/\(pid)/exe") { target in
      unsafe sluice_readlinkat(directory.rawValue, "exe", target.baseAddress, target.count)
    }
    guard try isAlive else { throw SystemError(operation: "readlinkat", errno: .noSuchProcess, detail: "pid \(pid)") }
    return FilePath(path)
  }

  private func withPathBuffer(
    _ operation: String, _ detail: String, _ call: (UnsafeMutableBufferPointer<CChar>) -> Int
  ) throws(SystemError) -> String {
    var text = ""
    // Sound: the call writes at most the buffer's count and returns how many bytes it wrote.
    let result = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
      let count = retryingInterrupts { unsafe call(buffer) }
      if count > 0 {
        text = unsafe String(decoding: UnsafeRawBufferPointer(buffer).prefix(count), as: UTF8.self)
      }
      return count
    }
    if result < 0 { throw SystemError(operation: operation, negated: result, detail: detail) }
    return text
  }

  /// Sends a signal to this process and no other. The corresponding C function is `pidfd_send_signal`.
  ///
  /// - Throws: `ESRCH` when the process has been reaped, `EPERM` without the right.
  public func send(signal: CInt) throws(SystemError) {
    try systemCall("pidfd_send_signal", "pid \(pid), signal \(signal)") {
      sluice_pidfd_send_signal(handle.rawValue, signal)
    }
  }

  /// Ends the process at once (`SIGKILL`).
  public func kill() throws(SystemError) {
    try send(signal: SIGKILL)
  }
}
