import SluiceSystem
import SystemPackage

/// Where servers and clients meet: a directory with one folder per server app.
///
/// It is the server app's own if it names one, else `SLUICE_RUNTIME_DIR`; else for servers of their own user only
/// `XDG_RUNTIME_DIR/sluice` or `/tmp/sluice-<uid>`, and for servers with wider access `/run/sluice`. The directory and its
/// folders belong to the server's user or root, and nobody else may write to them; that is checked, so that nobody can put a
/// socket of theirs there. A directory of root's in which everybody may make entries, and remove only their own, as `/tmp`,
/// will do: who listens in a folder is checked by each client.
///
/// | access | directory, when it is made | the app's folder | its socket |
/// |---|---|---|---|
/// | this user | 0700 | 0700 | 0600 |
/// | a group | 0755 | 0750, of that group | 0660, of that group |
/// | anyone | 0755 | 0755 | 0666 |
public struct RuntimeDirectory: Sendable, Hashable {
  /// The directory.
  public let path: FilePath

  /// Where the server of `app` is, or would be, for a process of this user with the given environment.
  public init(for app: ServerApp, environment: (String) -> String? = Environment.value(of:)) {
    let uid = app.uid ?? UserIdentity.effectiveUID
    if let chosen = app.runtimeDirectory {
      path = chosen
    } else if let chosen = environment("SLUICE_RUNTIME_DIR"), !chosen.isEmpty {
      path = FilePath(chosen)
    } else if app.access != .user {
      path = FilePath("/run/sluice")
    } else {
      path = Self.path(ofUser: uid, environment)
    }
  }

  /// The one of this process's user alone.
  static var own: RuntimeDirectory { RuntimeDirectory(path: path(ofUser: UserIdentity.effectiveUID)) }

  private init(path: FilePath) { self.path = path }

  private static func path(
    ofUser uid: UInt32, _ environment: (String) -> String? = Environment.value(of:)
  ) -> FilePath {
    if uid == UserIdentity.effectiveUID, let runtime = environment("XDG_RUNTIME_DIR"), !runtime.isEmpty {
      return FilePath(runtime).appending("sluice")
    }
    return FilePath("/tmp/sluice-\(uid)")
  }

  /// The folder of a server app.
  func folder(of app: ServerApp) -> FilePath { path.appending(app.name) }

  /// Creates the directory if it is missing, and checks that nobody else can write to it, and that clients can get in.
  func prepare(for access: AccessLevel) throws(SessionError) {
    do {
      try FileSystem.createDirectory(path, permissions: access.directoryPermissions)
    } catch {
      throw .runtimeDirectory(path: path.string, problem: "\(error)")
    }
    try Self.verify(path, mayBeSticky: true)
    guard access != .user, let status = try? FileSystem.status(of: path) else { return }
    guard status.permissions.isSuperset(of: [.otherRead, .otherExecute]) else {
      throw .runtimeDirectory(
        path: path.string, problem: "other users cannot look into it; for this access level its mode must be 755")
    }
  }

  /// Checks that nobody else can write to `directory`, or with `mayBeSticky`, that others can at least not replace what
  /// they did not make.
  static func verify(
    _ directory: FilePath, owner: UInt32 = UserIdentity.effectiveUID, mayBeSticky: Bool = false
  ) throws(SessionError) {
    let mayHoldOthers = mayBeSticky && isSticky(directory)
    do {
      // Others may look into it; what they may connect to, the server decides.
      try FileSystem.verifyDirectory(
        directory, owners: mayHoldOthers ? [0] : [owner, 0],
        atMost: mayHoldOthers
          ? [.ownerReadWriteExecute, .groupReadWriteExecute, .otherReadWriteExecute]
          : [.ownerReadWriteExecute, .groupReadExecute, .otherReadExecute])
    } catch {
      throw .runtimeDirectory(path: directory.string, problem: "\(error)")
    }
  }

  private static func isSticky(_ directory: FilePath) -> Bool {
    guard let status = try? FileSystem.status(of: directory) else { return false }
    return status.permissions.contains(.saveText)
  }
}

extension AccessLevel {
  /// Of a runtime directory that a server makes.
  var directoryPermissions: FilePermissions {
    switch self {
    case .user: .ownerReadWriteExecute
    case .group, .anyone: [.ownerReadWriteExecute, .groupReadExecute, .otherReadExecute]
    }
  }

  /// Of a server app's folder.
  var folderPermissions: FilePermissions {
    switch self {
    case .user: .ownerReadWriteExecute
    case .group: [.ownerReadWriteExecute, .groupReadExecute]
    case .anyone: [.ownerReadWriteExecute, .groupReadExecute, .otherReadExecute]
    }
  }

  /// Of the socket in it: who may connect needs to write.
  var socketPermissions: FilePermissions {
    switch self {
    case .user: .ownerReadWrite
    case .group: [.ownerReadWrite, .groupReadWrite]
    case .anyone: [.ownerReadWrite, .groupReadWrite, .otherReadWrite]
    }
  }
}
