import SystemPackage

/// A program that accepts sessions, as its clients and itself name it.
public struct ServerApp: Sendable, Hashable {
  /// The app's name: see ``AppName``.
  public let name: String
  /// Names of the client apps that may open sessions.
  public let allowedClients: Set<String>
  /// The user whose processes may be the server, and open sessions; nil for the server's own.
  public let uid: UInt32?
  /// Where servers and clients meet; nil for the default, see ``RuntimeDirectory``.
  public let runtimeDirectory: FilePath?

  /// A server app. Its names are checked when it is used.
  public init(_ name: String, allowing clients: [String], uid: UInt32? = nil, runtimeDirectory: FilePath? = nil) {
    self.name = name
    allowedClients = Set(clients)
    self.uid = uid
    self.runtimeDirectory = runtimeDirectory
  }
}

/// A program that opens sessions, as it names itself. The name is a claim; who it is, the kernel tells the server.
public struct ClientApp: Sendable, Hashable {
  /// The app's name: see ``AppName``.
  public let name: String

  /// A client app. Its name is checked when it is used.
  public init(_ name: String) {
    self.name = name
  }
}

/// What is allowed as the name of an app: 1 to 64 of `a–z A–Z 0–9 . _ -`, not beginning with a dot. It names a folder.
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
}
