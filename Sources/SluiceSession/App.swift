import SystemPackage

/// Whose processes may open sessions with a server.
public enum AccessLevel: Sendable, Hashable {
  /// Those of the server's own user.
  case user
  /// Also those of a group: the server app's `gid`, else that of the server process. It counts as a process's own group,
  /// or as one of its supplementary groups.
  case group
  /// Those of any user.
  case anyone
}

/// A program that accepts sessions, as its clients and itself name it.
public struct ServerApp: Sendable, Hashable {
  /// The app's name: 1 to 64 of `a–z A–Z 0–9 . _ -`, not beginning with a dot.
  public let name: String
  /// The client apps that may open sessions.
  public let clients: [ClientApp]
  /// Whose processes may open sessions.
  public let access: AccessLevel
  /// The user whose processes may be the server. Nil: the client's own user; with wider access than
  /// ``AccessLevel/user``, root as well.
  public let uid: UInt32?
  /// With ``AccessLevel/group``, the group whose processes may be clients; nil for that of the server process. Else the
  /// group whose processes may be the server; nil for any.
  public let gid: UInt32?
  /// The program that may be the server; nil for any. Advisory: a process can disguise what it runs, and to look at it
  /// needs rights over the process; without them the server is refused.
  public let executable: FilePath?
  /// Where servers and clients meet; nil for the default, see ``RuntimeDirectory``.
  public let runtimeDirectory: FilePath?

  /// A server app. Its names are checked when it is used.
  public init(
    _ name: String, allowing clients: [ClientApp], access: AccessLevel = .user, uid: UInt32? = nil, gid: UInt32? = nil,
    executable: FilePath? = nil, runtimeDirectory: FilePath? = nil
  ) {
    self.name = name
    self.clients = clients
    self.access = access
    self.uid = uid
    self.gid = gid
    self.executable = executable
    self.runtimeDirectory = runtimeDirectory
  }
}

/// A program that opens sessions, as it names itself, and as a server app allows it. The name is a claim; who it is, the
/// kernel tells the server.
public struct ClientApp: Sendable, Hashable, ExpressibleByStringLiteral {
  /// The app's name: 1 to 64 of `a–z A–Z 0–9 . _ -`, not beginning with a dot.
  public let name: String
  /// The user whose processes may be this app, where a server allows it; nil for all that the server's access level lets in.
  public let uid: UInt32?
  /// The group, likewise: a process's own, or one of its supplementary groups.
  public let gid: UInt32?
  /// The program that may be this app; nil for any. Advisory: see ``ServerApp/executable``.
  public let executable: FilePath?

  /// A client app. Its name is checked when it is used.
  public init(_ name: String, uid: UInt32? = nil, gid: UInt32? = nil, executable: FilePath? = nil) {
    self.name = name
    self.uid = uid
    self.gid = gid
    self.executable = executable
  }

  /// A client app of which the name is enough.
  public init(stringLiteral name: String) {
    self.init(name)
  }
}

/// What is allowed as the name of an app. It names a folder, and is part of the names of segments.
enum AppName {
  static let byteCountLimit = 64

  static func check(_ name: String) throws(SessionError) {
    let isWellFormed =
      !name.isEmpty && name.utf8.count <= byteCountLimit && !name.hasPrefix(".")
      && name.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
          true
        default: false
        }
      }
    guard isWellFormed else { throw .invalidAppName(name) }
  }

  /// The server's name, and those of the clients it allows.
  static func check(_ app: ServerApp) throws(SessionError) {
    try check(app.name)
    for client in app.clients { try check(client.name) }
  }
}
