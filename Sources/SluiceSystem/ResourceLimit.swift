import Glibc

/// Limits of this process, for errors that name them.
public enum ResourceLimit {
  /// How many descriptors this process may have (`RLIMIT_NOFILE`). The corresponding C function is `getrlimit`.
  public static var openDescriptors: Int {
    var limit = rlimit()
    // Sound: the call writes the variable. It cannot fail with these arguments.
    _ = unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    return Int(clamping: limit.rlim_cur)
  }
}
