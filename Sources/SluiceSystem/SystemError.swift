import SystemPackage

/// A system call that failed: which one, how, and on what.
public struct SystemError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The C function that failed, such as `memfd_create`.
  public let operation: String
  /// What the kernel answered.
  public let errno: Errno
  /// What the call was about, such as a path or a limit, if that helps to find the cause.
  public let detail: String?

  /// Describes a failed call.
  public init(operation: String, errno: Errno, detail: String? = nil) {
    self.operation = operation
    self.errno = errno
    self.detail = detail
  }

  /// For example `connect(/run/sluice/cache/socket): Connection refused (errno 111)`. When the descriptor table is full it
  /// says how many there may be.
  public var description: String {
    let limit = errno == .tooManyOpenFiles ? ", RLIMIT_NOFILE is \(ResourceLimit.openDescriptors)" : ""
    return "\(operation)(\(detail ?? "")): \(errno) (errno \(errno.rawValue)\(limit))"
  }
}
