import SluiceSystem
import SluiceTransport
import SystemPackage

/// A server app's folder: its lock, its socket, and its description for people.
///
/// | file | |
/// |---|---|
/// | `lock` | locked by the server process as long as it lives |
/// | `socket` | where it listens |
/// | `description` | its name, process, and versions, as text |
///
/// Whoever gets the lock may remove what is there: the server at its orderly end, the next server, or a client that saw
/// the server die. The lock file is removed last, by who holds it; who locked a removed file starts over (`FileLock`).
struct Rendezvous: ~Copyable {
  let folder: FilePath
  private let lock: FileLock

  static func socket(in folder: FilePath) -> FilePath { folder.appending("socket") }

  /// Takes a server's place: the folder is ours alone, without leftovers, as long as this value lives.
  init(of app: ServerApp) throws(SessionError) {
    try AppName.check(app)
    let directory = RuntimeDirectory(for: app)
    let folder = directory.folder(of: app)
    let socket = Self.socket(in: folder)
    guard socket.string.utf8.count <= UnixSocket.maxPathByteCount else {
      throw .runtimeDirectory(
        path: socket.string, problem: "longer than the \(UnixSocket.maxPathByteCount) bytes of a socket's path")
    }
    // Another process may remove the folder between its creation and the lock: a few tries suffice.
    var lock: FileLock?
    for _ in 0..<8 where lock == nil {
      try directory.prepare(for: app.access)
      lock = try Self.lock(folder, app: app)
    }
    guard let lock else { throw .runtimeDirectory(path: folder.string, problem: "it is removed all the time") }
    do {
      // What a dead server left. The description is made anew after the socket: who waits for the server watches for it.
      for name in ["socket", "description"] { try FileSystem.removeFile(folder.appending(name)) }
      try Self.open(folder, to: app)
    } catch {
      throw .runtimeDirectory(path: folder.string, problem: "\(error)")
    }
    self.folder = folder
    self.lock = lock
  }

  /// Lets in, besides this user, who is to reach the socket.
  private static func open(_ folder: FilePath, to app: ServerApp) throws(SystemError) {
    if app.access == .group { try FileSystem.setGroup(group(of: app), of: folder) }
    try FileSystem.setPermissions(app.access.folderPermissions, of: folder)
  }

  /// Listens. Who may connect follows the app's access level.
  func listen(for app: ServerApp) throws(SessionError) -> SocketListener {
    let path = Self.socket(in: folder)
    let listener: SocketListener
    do {
      listener = try SocketListener(at: path, permissions: app.access.socketPermissions)
    } catch {
      throw .listener(error)
    }
    guard app.access == .group else { return listener }
    do {
      // Until this is done only the server's own group could knock, whom the admission policy turns away.
      try FileSystem.setGroup(Self.group(of: app), of: path)
    } catch {
      throw .runtimeDirectory(path: path.string, problem: "\(error)")
    }
    return listener
  }

  /// The group that may reach a server with that access level.
  static func group(of app: ServerApp) -> UInt32 { app.gid ?? UserIdentity.effectiveGID }

  /// Creates the folder if it is missing, and locks it; nil when it vanished in between.
  private static func lock(_ folder: FilePath, app: ServerApp) throws(SessionError) -> FileLock? {
    do {
      try FileSystem.createDirectory(folder, permissions: .ownerReadWriteExecute)
    } catch {
      throw .runtimeDirectory(path: folder.string, problem: "\(error)")
    }
    do throws(SessionError) {
      try RuntimeDirectory.verify(folder)
    } catch {
      guard (try? FileSystem.status(of: folder)) != nil else { return nil }
      throw error
    }
    do {
      return try FileLock.acquire(folder.appending("lock"))
    } catch {
      switch error {
      case .held(let pid): throw .serverAlreadyRunning(app: app.name, pid: pid)
      case .failed(let error) where error.errno == .noSuchFileOrDirectory: return nil
      case .failed(let error): throw .runtimeDirectory(path: folder.string, problem: "\(error)")
      }
    }
  }

  /// Says, for people, who serves here.
  func describe(_ text: String) throws(SessionError) {
    let path = folder.appending("description")
    do {
      let file = try Handle.open(
        path, .writeOnly, options: [.create, .truncate, .noFollow],
        permissions: [.ownerReadWrite, .groupRead, .otherRead])
      try file.descriptor.writeAll(text.utf8)
    } catch {
      throw .runtimeDirectory(path: path.string, problem: "\(error)")
    }
  }

  /// Removes the folder, and then gives up the place.
  deinit {
    // What cannot be removed is removed by the next server.
    for name in ["socket", "description", "lock"] { _ = try? FileSystem.removeFile(folder.appending(name)) }
    _ = try? FileSystem.removeDirectory(folder)
  }

  /// Removes what a dead server left, if nobody has taken its place.
  static func removeLeftovers(of app: ServerApp) {
    let folder = RuntimeDirectory(for: app).folder(of: app)
    guard (try? FileSystem.status(of: folder.appending("lock"))) != nil,
      (try? RuntimeDirectory.verify(folder)) != nil
    else { return }
    // Taken and given up at once, if nobody else has it.
    _ = try? Rendezvous(of: app)
  }
}
