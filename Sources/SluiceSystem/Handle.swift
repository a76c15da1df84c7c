import CSluice
import SystemPackage

/// An owned file descriptor, closed when the last reference to it goes. What messages carry across processes.
///
/// Every handle that Sluice makes or receives is close-on-exec. Sharing one between threads is safe.
public final class Handle: Sendable {
  /// The descriptor. Valid while this handle lives: do not close it, and keep the handle while it is in use.
  public let descriptor: FileDescriptor

  /// Takes over a descriptor: the handle closes it, nobody else may.
  public init(owning descriptor: FileDescriptor) {
    self.descriptor = descriptor
  }

  deinit {
    // An error of close(2) leaves nothing to do: the descriptor is gone either way.
    try? descriptor.close()
  }

  /// A second descriptor of the same open file. The corresponding C call is `fcntl(F_DUPFD_CLOEXEC)`.
  ///
  /// - Throws: `EMFILE` when this process's descriptor table is full (`RLIMIT_NOFILE`).
  public func duplicated() throws(SystemError) -> Handle {
    try Handle.owning("fcntl", "F_DUPFD_CLOEXEC") { sluice_duplicate(descriptor.rawValue) }
  }

  /// Opens a file, close-on-exec. The corresponding C function is `open`.
  public static func open(
    _ path: FilePath, _ mode: FileDescriptor.AccessMode, options: FileDescriptor.OpenOptions = [],
    permissions: FilePermissions? = nil
  ) throws(SystemError) -> Handle {
    let descriptor = try SystemError.naming("open", path.string) {
      try FileDescriptor.open(path, mode, options: options.union(.closeOnExec), permissions: permissions)
    }
    return Handle(owning: descriptor)
  }

  /// Owns what a call of `CSluice` returns.
  static func owning(
    _ operation: String, _ detail: @autoclosure () -> String? = nil, _ call: () -> CInt
  ) throws(SystemError) -> Handle {
    Handle(owning: FileDescriptor(rawValue: try systemCall(operation, detail(), call)))
  }
}
