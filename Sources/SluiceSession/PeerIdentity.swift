import SluiceSystem
import SystemPackage

/// Who is at the other end of a session. The kernel says so, not the peer.
public struct PeerIdentity: Sendable {
  /// Process, user and group at the time of the connection.
  public let credentials: PeerCredentials
  /// The supplementary groups at that time.
  public let groups: [UInt32]
  /// The process itself, also after its number has been given to another. Nil on a transport within one process.
  public let process: ProcessHandle?

  /// Asks the kernel who is at the other end of a socket.
  init(of socket: Handle) throws(SystemError) {
    credentials = try UnixSocket.peerCredentials(of: socket)
    groups = try UnixSocket.peerGroups(of: socket)
    process = try UnixSocket.peerProcess(of: socket)
  }

  init(credentials: PeerCredentials, groups: [UInt32] = [], process: ProcessHandle? = nil) {
    self.credentials = credentials
    self.groups = groups
    self.process = process
  }

  /// Whether the process is of that group, which may be one of its supplementary groups.
  public func belongs(toGroup gid: UInt32) -> Bool {
    credentials.gid == gid || groups.contains(gid)
  }

  /// The path of the program that the process runs. Advisory: a process can disguise it.
  ///
  /// - Throws: `EACCES` without rights over the process, `ESRCH` when it is gone, or not known.
  public func executablePath() throws(SystemError) -> FilePath {
    guard let process else {
      throw SystemError(operation: "pidfd_open", errno: .noSuchProcess, detail: "\(credentials)")
    }
    return try process.executablePath()
  }
}
