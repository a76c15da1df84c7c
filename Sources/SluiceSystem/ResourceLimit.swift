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

  /// How many bytes of addresses this process may map (`RLIMIT_AS`); `Int.max` for any number. The corresponding C function
  /// is `getrlimit`.
  public static var addressSpace: Int { soft(__rlimit_resource_t(RLIMIT_AS.rawValue)) }

  /// How many mappings a process may have (`vm.max_map_count`); nil when the kernel does not say.
  public static var mappings: Int? { kernelValue("vm/max_map_count") }

  /// That number, if this process has so many, or too few less for another segment; else nil. Reads all of
  /// `/proc/self/maps`, with next to no memory of its own.
  static var mappingsIfReached: Int? {
    guard let limit = mappings, let maps = try? Handle.open("/proc/self/maps", .readOnly) else { return nil }
    // Small enough for the stack.
    let count = unsafe withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 1) { buffer in
      var lines = 0
      // Sound: the call writes at most the buffer's count, and what it wrote is read.
      while let count = try? unsafe maps.descriptor.read(into: buffer), count > 0 {
        for index in 0..<count where unsafe buffer[index] == 0x0a { lines += 1 }
      }
      return lines
    }
    // A mapping that is put into another one makes three of it.
    return count + 2 >= limit ? limit : nil
  }

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
