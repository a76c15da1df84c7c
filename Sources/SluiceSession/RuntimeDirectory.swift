import SluiceSystem
import SystemPackage

/// Where servers and clients meet: a directory with one folder per server app.
///
/// It is the server app's own if it names one, else `SLUICE_RUNTIME_DIR`, else `XDG_RUNTIME_DIR/sluice`, else
/// `/tmp/sluice-<uid>`. The directory and its folders belong to the server's user (or root), and nobody else may write to
/// them; that is checked, so that nobody can put a socket of theirs there.
public struct RuntimeDirectory: Sendable, Hashable {
  /// The directory.
  public let path: FilePath
  private let isChosen: Bool

  /// Where the server of `app` is, or would be, for a process of this user with the given environment.
  public init(for app: ServerApp, environment: (String) -> String? = Environment.value(of:)) {
    let uid = app.uid ?? UserIdentity.effectiveUID
    if let chosen = app.runtimeDirectory ?? environment("SLUICE_RUNTIME_DIR").map({ FilePath($0) }) {
      path = chosen
      isChosen = true
    } else if uid == UserIdentity.effectiveUID, let runtime = environment("XDG_RUNTIME_DIR"), !runtime.isEmpty {
      path = FilePath(runtime).appending("sluice")
      isChosen = false
    } else {
      path = FilePath("/tmp/sluice-\(uid)")
      isChosen = false
    }
  }

  /// The folder of a server app.
  func folder(of app: ServerApp) -> FilePath { path.appending(app.name) }

  /// Creates the directory if it is missing, and checks that nobody else can write to it.
  func prepare() throws(SessionError) {
    do {
      try FileSystem.createDirectory(path, permissions: .ownerReadWriteExecute)
    } catch {
      throw .runtimeDirectory(path: path.string, problem: "\(error)")
    }
    try Self.verify(path)
  }

  /// Checks that nobody else can write to `directory`.
  static func verify(_ directory: FilePath, owner: UInt32 = UserIdentity.effectiveUID) throws(SessionError) {
    do {
      // Others may look into it; what they may connect to, the server decides.
      try FileSystem.verifyDirectory(
        directory, owners: [owner, 0], atMost: [.ownerReadWriteExecute, .groupReadExecute, .otherReadExecute])
    } catch {
      throw .runtimeDirectory(path: directory.string, problem: "\(error)")
    }
  }
}
