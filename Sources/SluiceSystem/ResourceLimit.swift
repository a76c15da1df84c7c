import Glibc
import SystemPackage

/// Limits of this process, for errors that name them.
public enum ResourceLimit {
  /// How many descriptors this process may have (`RLIMIT_NOFILE`). The corresponding C function is `getrlimit`.
  public static var openDescriptors: Int { soft(__rlimit_resource_t(RLIMIT_NOFILE.rawValue)) }

  /// How many bytes the message queues of this user may take (`RLIMIT_MSGQUEUE`). The corresponding C function is
  /// `getrlimit`.
  public static var messageQueueBytes: Int { soft(__rlimit_resource_t(__RLIMIT_MSGQUEUE.rawValue)) }

  /// How many message queues there may be (`fs.mqueue.queues_max`); nil when the kernel does not say.
  public static var messageQueues: Int? { kernelValue("fs/mqueue/queues_max") }

  /// How many messages an unprivileged user's queue may hold (`fs.mqueue.msg_max`); nil when the kernel does not say.
  public static var messagesPerQueue: Int? { kernelValue("fs/mqueue/msg_max") }

  /// How many bytes a message of an unprivileged user's queue may have (`fs.mqueue.msgsize_max`); nil when the kernel does
  /// not say.
  public static var queueMessageBytes: Int? { kernelValue("fs/mqueue/msgsize_max") }

  private static func kernelValue(_ name: String) -> Int? {
    guard let file = try? Handle.open(FilePath("/proc/sys/\(name)"), .readOnly) else { return nil }
    var bytes = [UInt8](repeating: 0, count: 32)
    // Sound: the call writes at most the array's count.
    guard let count = try? unsafe bytes.withUnsafeMutableBytes({ unsafe try file.descriptor.read(into: $0) }) else {
      return nil
    }
    return Int(String(decoding: bytes.prefix(count).filter { $0 > 0x20 }, as: UTF8.self))
  }

  private static func soft(_ resource: __rlimit_resource_t) -> Int {
    var limit = rlimit()
    // Sound: the call writes the variable. It cannot fail with these arguments.
    _ = unsafe getrlimit(resource, &limit)
    return Int(clamping: limit.rlim_cur)
  }
}
