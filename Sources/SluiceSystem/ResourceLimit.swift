import Glibc

/// Limits of this process, for errors that name them.
public enum ResourceLimit {
  /// How many descriptors this process may have (`RLIMIT_NOFILE`). The corresponding C function is `getrlimit`.
  public static var openDescriptors: Int { soft(__rlimit_resource_t(RLIMIT_NOFILE.rawValue)) }

  /// How many bytes the message queues of this user may take (`RLIMIT_MSGQUEUE`). The corresponding C function is
  /// `getrlimit`.
  public static var messageQueueBytes: Int { soft(__rlimit_resource_t(__RLIMIT_MSGQUEUE.rawValue)) }

  private static func soft(_ resource: __rlimit_resource_t) -> Int {
    var limit = rlimit()
    // Sound: the call writes the variable. It cannot fail with these arguments.
    _ = unsafe getrlimit(resource, &limit)
    return Int(clamping: limit.rlim_cur)
  }
}
