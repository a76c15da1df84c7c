import CSluice
import SystemPackage

/// Tells when something may have appeared at a path. The corresponding C functions are `inotify_init1` and
/// `inotify_add_watch`.
///
/// It watches the deepest directory on the way to the path that exists. So it tells of one change: look again then, and
/// make another watch before that if you want to know of the next. Thread-safe.
public final class PathWatch: Sendable {
  private let inotify: Handle

  /// Becomes readable when something was made, moved, or opened up where it is watched.
  public var descriptor: FileDescriptor { inotify.descriptor }

  private static let events =
    SLUICE_IN_CREATE | SLUICE_IN_MOVED_TO | SLUICE_IN_ATTRIB | SLUICE_IN_DELETE_SELF | SLUICE_IN_MOVE_SELF
    | SLUICE_IN_ONLYDIR

  /// Watches for `path`, from now on: what appears after this returns is told.
  ///
  /// - Throws: `EMFILE` when the user has as many watches as may be (`fs.inotify.max_user_instances`); `EACCES` when a
  ///   directory on the way cannot be read.
  public init(for path: FilePath) throws(SystemError) {
    inotify = try Handle.owning("inotify_init1") { sluice_inotify_create() }
    var directory = path.removingLastComponent()
    if directory.isEmpty { directory = FilePath(".") }
    // Upwards to what exists; then down again, as far as more came into being meanwhile. Each step is watched before the
    // next is looked for, so nothing is missed. The number of steps is bounded: others can make and remove directories.
    for _ in 0..<64 {
      if try watch(directory) {
        guard let next = Self.child(of: directory, towards: path), try watch(next) else { return }
        directory = next
      } else {
        guard directory != FilePath("/"), directory != FilePath(".") else {
          throw SystemError(operation: "inotify_add_watch", errno: .noSuchFileOrDirectory, detail: path.string)
        }
        directory = directory.removingLastComponent()
        if directory.isEmpty { directory = FilePath(".") }
      }
    }
  }

  /// Whether the directory is there, and watched now.
  private func watch(_ directory: FilePath) throws(SystemError) -> Bool {
    // Sound: the path lives for the call.
    let result = unsafe directory.withPlatformString { path in
      retryingInterrupts { unsafe sluice_inotify_watch(inotify.rawValue, path, Self.events) }
    }
    switch Errno(rawValue: -min(result, 0)) {
    case Errno(rawValue: 0): return true
    case .noSuchFileOrDirectory, .notDirectory: return false
    default: throw SystemError(operation: "inotify_add_watch", negated: result, detail: directory.string)
    }
  }

  /// The directory in `directory` that is on the way to `path`; nil when `path` itself is in `directory`.
  private static func child(of directory: FilePath, towards path: FilePath) -> FilePath? {
    var next = path.removingLastComponent()
    while next != directory {
      let parent = next.removingLastComponent()
      if parent == directory || (parent.isEmpty && directory == FilePath(".")) { return next }
      guard !parent.isEmpty, parent != next else { return nil }
      next = parent
    }
    return nil
  }
}
