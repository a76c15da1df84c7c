import SluiceSystem

/// Who is at the other end of a session. The kernel says so, not the peer.
public struct PeerIdentity: Sendable {
  /// Process, user and group at the time of the connection.
  public let credentials: PeerCredentials
  /// The process itself, also after its number has been given to another. Nil on a transport within one process.
  public let process: ProcessHandle?
}
