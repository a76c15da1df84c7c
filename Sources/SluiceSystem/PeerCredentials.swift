import CSluice

/// Who is at the other end of a socket, as the kernel says: the process that connected, listened or made the pair, with
/// the identity that it had at that moment.
public struct PeerCredentials: Sendable, Hashable, CustomStringConvertible {
  /// The process; 0 when it lives in a process namespace that this one cannot see.
  public let pid: pid_t
  /// Its effective user.
  public let uid: uid_t
  /// Its effective group.
  public let gid: gid_t

  /// Describes a peer.
  public init(pid: pid_t, uid: uid_t, gid: gid_t) {
    self.pid = pid
    self.uid = uid
    self.gid = gid
  }

  /// For example `pid 4711, uid 1000, gid 1000`.
  public var description: String { "pid \(pid), uid \(uid), gid \(gid)" }
}
