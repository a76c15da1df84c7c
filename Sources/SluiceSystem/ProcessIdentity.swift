import Glibc
import SystemPackage

/// Which process something belongs to, in numbers that can stand in shared memory: unlike a bare pid, they cannot come to
/// mean another process.
public struct ProcessIdentity: Hashable, Sendable {
  /// The process's id in its namespace.
  public let pid: Int32
  /// When it started, in clock ticks since the machine did.
  public let startTime: UInt64
  /// The inode of the namespace of its pid.
  public let namespace: UInt64

  /// The identity of these numbers.
  public init(pid: Int32, startTime: UInt64, namespace: UInt64) {
    self.pid = pid
    self.startTime = startTime
    self.namespace = namespace
  }

  /// This process. Reads two files of procfs.
  public static func current() throws(SystemError) -> ProcessIdentity {
    let namespace = try SystemError.naming("stat", "/proc/self/ns/pid") {
      try Stat(FilePath("/proc/self/ns/pid"), followTargetSymlink: true)
    }
    guard let startTime = try startTime(of: getpid()) else {
      throw SystemError(operation: "open", errno: .noSuchFileOrDirectory, detail: "/proc/self/stat")
    }
    return ProcessIdentity(
      pid: getpid(), startTime: startTime, namespace: UInt64(truncatingIfNeeded: namespace.inode.rawValue))
  }

  /// Whether it is certain that the process is dead. Of one whose pid stands for something else here, because it is of
  /// another namespace than `own`, nothing is certain: false.
  public func isProvenDead(to own: ProcessIdentity) -> Bool {
    guard namespace == own.namespace, pid > 0 else { return false }
    do {
      // A zombie is dead, too, although its start can be read.
      guard try ProcessHandle(pid: pid).isAlive else { return true }
    } catch {
      return error.errno == .noSuchProcess
    }
    // The pid is somebody's. If they started at another time, they are somebody else.
    guard let found = try? Self.startTime(of: pid) else { return false }
    return found != startTime
  }

  /// Field 22 of `/proc/<pid>/stat`; nil when that cannot be read, or is not as it should be.
  private static func startTime(of pid: Int32) throws(SystemError) -> UInt64? {
    let handle = try Handle.open(FilePath("/proc/\(pid)/stat"), .readOnly)
    // The file has at most 52 numbers and a name of 16 bytes.
    let text = try unsafe withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer throws(SystemError) in
      // Sound: the call writes at most the buffer's count, and returns how many bytes it wrote.
      let count = try SystemError.naming("read", "/proc/\(pid)/stat") {
        try unsafe handle.descriptor.read(into: buffer)
      }
      return unsafe String(decoding: buffer.prefix(count), as: UTF8.self)
    }
    // The name, in parentheses, can hold anything; behind it stand numbers, the third field first.
    guard let nameEnd = text.lastIndex(of: ")") else { return nil }
    let fields = text[text.index(after: nameEnd)...].split(separator: " ")
    return fields.count > 19 ? UInt64(fields[19]) : nil
  }
}
