import CSluice
import Glibc
import SystemPackage

/// Files and directories, as far as a session's rendezvous needs them.
public enum FileSystem {
  /// Makes a directory with exactly these permissions, whatever the umask. The corresponding C functions are `mkdir` and
  /// `chmod`.
  ///
  /// - Returns: Whether it was made; false when there is something at that path already (check it: `verifyDirectory`).
  @discardableResult
  public static func createDirectory(_ path: FilePath, permissions: FilePermissions) throws(SystemError) -> Bool {
    let result = unsafe path.withPlatformString { path in
      retryingInterrupts { unsafe sluice_mkdir(path, mode_t(permissions.rawValue)) }
    }
    if result == -Errno.fileExists.rawValue { return false }
    if result < 0 { throw SystemError(operation: "mkdir", negated: result, detail: path.string) }
    try setPermissions(permissions, of: path)
    return true
  }

  /// Sets a file's permissions. The corresponding C function is `chmod`.
  public static func setPermissions(_ permissions: FilePermissions, of path: FilePath) throws(SystemError) {
    unsafe try call("chmod", path) { unsafe sluice_chmod($0, mode_t(permissions.rawValue)) }
  }

  /// Gives a file to a group. The corresponding C function is `lchown`.
  ///
  /// - Throws: `EPERM` when this process is neither root, nor the file's owner and of that group.
  public static func setGroup(_ group: gid_t, of path: FilePath) throws(SystemError) {
    unsafe try call("lchown", path) { unsafe sluice_change_group($0, group) }
  }

  /// What stands at a path, itself and not what a symbolic link there points to; `nil` when there is nothing.
  /// The corresponding C function is `lstat`.
  public static func status(of path: FilePath) throws(SystemError) -> Stat? {
    do {
      return try Stat(path, followTargetSymlink: false)
    } catch Errno.noSuchFileOrDirectory, Errno.notDirectory {
      return nil
    } catch {
      throw SystemError(operation: "lstat", errno: error, detail: path.string)
    }
  }

  /// Checks that a path is a directory (no symbolic link to one) of the right owner, and open to no more than it may.
  ///
  /// - Parameters:
  ///   - owners: Who may own it, typically this user and root.
  ///   - permissions: The most that it may grant.
  public static func verifyDirectory(
    _ path: FilePath, owners: [uid_t], atMost permissions: FilePermissions
  ) throws(DirectoryError) {
    let found: Stat?
    do {
      found = try status(of: path)
    } catch {
      throw .failed(error)
    }
    guard let found else { throw .missing(path) }
    guard found.type == .directory else { throw .notADirectory(path) }
    guard owners.contains(found.userID.rawValue) else {
      throw .wrongOwner(path, owner: found.userID.rawValue, expected: owners)
    }
    let granted = found.permissions.intersection(FilePermissions(rawValue: 0o777))
    guard granted.isSubset(of: permissions) else {
      throw .tooOpen(path, permissions: granted, atMost: permissions)
    }
  }

  /// The names in a directory, without `.` and `..`, in no particular order. The corresponding C function is `readdir`.
  public static func entries(of directory: FilePath) throws(SystemError) -> [String] {
    try names(in: openDirectory(directory), directory)
  }

  /// Removes a file, a socket or a symbolic link. The corresponding C function is `unlink`.
  ///
  /// - Returns: Whether there was one.
  @discardableResult
  public static func removeFile(_ path: FilePath) throws(SystemError) -> Bool {
    unsafe try removing("unlink", path) { unsafe sluice_unlink($0) }
  }

  /// Removes an empty directory. The corresponding C function is `rmdir`.
  ///
  /// - Returns: Whether there was one.
  /// - Throws: `ENOTEMPTY` when it is not empty.
  @discardableResult
  public static func removeDirectory(_ path: FilePath) throws(SystemError) -> Bool {
    unsafe try removing("rmdir", path) { unsafe sluice_rmdir($0) }
  }

  /// Renames a file, replacing what has the new name, in one step. The corresponding C function is `rename`.
  public static func rename(_ path: FilePath, to newPath: FilePath) throws(SystemError) {
    // Sound: both strings live for the call.
    try systemCall("rename", "\(path) to \(newPath)") {
      unsafe path.withPlatformString { from in
        unsafe newPath.withPlatformString { to in unsafe sluice_rename(from, to) }
      }
    }
  }

  /// Removes a directory and all in it, symbolic links themselves and never what they point to. What others remove at
  /// the same time is no error. The corresponding C functions are `openat`, `readdir` and `unlinkat`.
  ///
  /// - Parameter depth: How deep directories may nest.
  public static func removeTree(_ path: FilePath, depth: Int = 16) throws(SystemError) {
    guard try status(of: path) != nil else { return }
    try removeEntries(of: openDirectory(path), path, depth: depth)
    try removeDirectory(path)
  }

  private static func removeEntries(of directory: Handle, _ path: FilePath, depth: Int) throws(SystemError) {
    guard depth > 0 else { throw SystemError(operation: "unlinkat", errno: .fileNameTooLong, detail: path.string) }
    for name in try names(in: directory, path) {
      let inner = path.appending(name)
      // Sound: the name lives for each call.
      let result = unsafe name.withCString { name in
        retryingInterrupts { unsafe sluice_unlinkat(directory.rawValue, name, 0) }
      }
      switch Errno(rawValue: -min(result, 0)) {
      case Errno(rawValue: 0), .noSuchFileOrDirectory: continue
      case .isDirectory, .notPermitted: break
      default: throw SystemError(operation: "unlinkat", negated: result, detail: inner.string)
      }
      let child = try Handle.owning("openat", inner.string) {
        unsafe name.withCString {
          unsafe sluice_openat(directory.rawValue, $0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0)
        }
      }
      try removeEntries(of: child, inner, depth: depth - 1)
      let removed = unsafe name.withCString { name in
        retryingInterrupts { unsafe sluice_unlinkat(directory.rawValue, name, 1) }
      }
      if removed < 0 && removed != -Errno.noSuchFileOrDirectory.rawValue {
        throw SystemError(operation: "unlinkat", negated: removed, detail: inner.string)
      }
    }
  }

  private static func openDirectory(_ path: FilePath) throws(SystemError) -> Handle {
    try Handle.open(path, .readOnly, options: [.directory, .noFollow])
  }

  private static func names(in directory: Handle, _ path: FilePath) throws(SystemError) -> [String] {
    let duplicate = try systemCall("fcntl", path.string) { sluice_duplicate(directory.rawValue) }
    guard let nameOffset = MemoryLayout<dirent>.offset(of: \.d_name), let stream = unsafe fdopendir(duplicate) else {
      let error = Errno(rawValue: errno)
      try? FileDescriptor(rawValue: duplicate).close()
      throw SystemError(operation: "fdopendir", errno: error, detail: path.string)
    }
    defer { unsafe closedir(stream) }
    var names: [String] = []
    errno = 0
    while let entry = unsafe readdir(stream) {
      // Sound: the entry is valid until the next call of readdir, and its name ends with a zero. The name runs past the
      // declared array in theory, so it is read through the entry and not through a copy of it.
      let name = unsafe String(cString: (UnsafeRawPointer(entry) + nameOffset).assumingMemoryBound(to: CChar.self))
      if name != "." && name != ".." { names.append(name) }
      errno = 0
    }
    guard errno == 0 else {
      throw SystemError(operation: "readdir", errno: Errno(rawValue: errno), detail: path.string)
    }
    return names
  }

  private static func removing(
    _ operation: String, _ path: FilePath, _ body: (UnsafePointer<CChar>) -> CInt
  ) throws(SystemError) -> Bool {
    do {
      unsafe try call(operation, path, body)
      return true
    } catch  where error.errno == .noSuchFileOrDirectory {
      return false
    }
  }

  private static func call(
    _ operation: String, _ path: FilePath, _ body: (UnsafePointer<CChar>) -> CInt
  ) throws(SystemError) {
    try systemCall(operation, path.string) { unsafe path.withPlatformString { unsafe body($0) } }
  }
}

/// Why a directory cannot be trusted.
public enum DirectoryError: Error, Sendable, Hashable, CustomStringConvertible {
  /// There is nothing at that path.
  case missing(FilePath)
  /// There is something else at that path, perhaps a symbolic link. Remove it, or configure another path.
  case notADirectory(FilePath)
  /// Somebody else owns it, who could replace what is in it. Remove it, or configure another path.
  case wrongOwner(FilePath, owner: uid_t, expected: [uid_t])
  /// It grants more than it may. Change its permissions.
  case tooOpen(FilePath, permissions: FilePermissions, atMost: FilePermissions)
  /// It could not be looked at.
  case failed(SystemError)

  /// What is wrong, with the path.
  public var description: String {
    switch self {
    case .missing(let path): "\(path) does not exist"
    case .notADirectory(let path): "\(path) is not a directory"
    case .wrongOwner(let path, let owner, let expected): "\(path) belongs to uid \(owner), expected one of \(expected)"
    case .tooOpen(let path, let permissions, let limit):
      "\(path) has permissions \(String(permissions.rawValue, radix: 8)), at most \(String(limit.rawValue, radix: 8)) allowed"
    case .failed(let error): "\(error)"
    }
  }
}
