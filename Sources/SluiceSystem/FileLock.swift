import CSluice
import Glibc
import Synchronization
import SystemPackage

/// Why a lock was not acquired.
public enum FileLockError: Error, Sendable, Hashable, CustomStringConvertible {
  /// Another holder has it: a process, perhaps this one. 0 when the holder is in a process namespace not visible here.
  case held(by: pid_t)
  /// The file could not be opened or locked.
  case failed(SystemError)

  /// What is wrong.
  public var description: String {
    switch self {
    case .held(by: 0): "the lock is held by a process that cannot be seen from here"
    case .held(let pid): "the lock is held by process \(pid)"
    case .failed(let error): "\(error)"
    }
  }
}

/// An exclusive lock on a file, owned by this process. The corresponding C call is `fcntl(F_SETLK)`.
///
/// The kernel frees it when the process dies, and a forked child does not inherit it. It also frees it as soon as the
/// process closes *any* descriptor of the same file: nothing else may open the lock's file. Locks of this class in one
/// process know each other, so a second one is refused without opening the file. The file stays in place.
public final class FileLock: Sendable {
  /// The file that carries the lock.
  public let path: FilePath
  private let handle: Handle
  private let identity: Identity

  private struct Identity: Hashable {
    let device: UInt64
    let inode: UInt64

    init(_ status: Stat) {
      device = UInt64(truncatingIfNeeded: status.deviceID.rawValue)
      inode = UInt64(truncatingIfNeeded: status.inode.rawValue)
    }
  }

  /// The files locked by this process, each with descriptors that could not be closed without losing the lock.
  private static let held = Mutex<[Identity: [Handle]]>([:])

  private init(_ path: FilePath, _ handle: Handle, _ identity: Identity) {
    self.path = path
    self.handle = handle
    self.identity = identity
  }

  deinit {
    // Under the mutex, so that nobody of this process acquires the lock between the two steps and loses it by the second.
    FileLock.held.withLock { held in
      _ = sluice_unlock_file(handle.rawValue)
      held[identity] = nil
    }
  }

  /// Acquires the lock, or says at once who has it. Makes the file, for this user only, if there is none.
  public static func acquire(_ path: FilePath) throws(FileLockError) -> FileLock {
    // The file may be replaced while it is being locked: then the lock is on the wrong one. A few tries suffice, unless
    // somebody replaces it all the time.
    for _ in 0..<16 {
      do {
        if let lock = try held.withLock({ held throws(FileLockError) in try attempt(path, &held) }) { return lock }
      }
    }
    throw .failed(SystemError(operation: "fcntl", errno: .resourceTemporarilyUnavailable, detail: "F_SETLK, \(path)"))
  }

  private static func attempt(
    _ path: FilePath, _ held: inout [Identity: [Handle]]
  ) throws(FileLockError) -> FileLock? {
    do {
      if let status = try FileSystem.status(of: path), held[Identity(status)] != nil { throw Conflict.held(getpid()) }
      let handle = try Handle.open(path, .readWrite, options: [.create, .noFollow], permissions: .ownerReadWrite)
      let status = try SystemError.naming("fstat", path.string) { try Stat(handle.descriptor) }
      let identity = Identity(status)
      if held[identity] != nil {
        held[identity]?.append(handle)
        throw Conflict.held(getpid())
      }
      let result = retryingInterrupts { sluice_lock_file(handle.rawValue) }
      if result == -Errno.resourceTemporarilyUnavailable.rawValue || result == -Errno.permissionDenied.rawValue {
        var holder: pid_t = 0
        // Sound: the call writes the variable.
        try systemCall("fcntl", "F_GETLK, \(path)") { unsafe sluice_lock_holder(handle.rawValue, &holder) }
        if holder == 0 { return nil }  // Free again: try once more.
        throw Conflict.held(max(holder, 0))
      }
      if result < 0 { throw SystemError(operation: "fcntl", negated: result, detail: "F_SETLK, \(path)") }
      guard let now = try FileSystem.status(of: path), Identity(now) == identity else { return nil }
      held[identity] = []
      return FileLock(path, handle, identity)
    } catch let error as SystemError {
      throw .failed(error)
    } catch let Conflict.held(pid) {
      throw .held(by: pid)
    } catch {
      throw .failed(SystemError(operation: "fcntl", errno: .ioError, detail: "\(error)"))
    }
  }

  private enum Conflict: Error { case held(pid_t) }
}
