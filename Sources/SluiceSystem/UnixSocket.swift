import CSluice
import SystemPackage

/// Unix domain stream sockets: non-blocking, close-on-exec, and never a SIGPIPE.
public enum UnixSocket {
  /// How many handles one call of `send` can take: the kernel's `SCM_MAX_FD`.
  public static let maxHandlesPerMessage = Int(SLUICE_SCM_MAX_FD)
  /// How many bytes a socket's path may have.
  public static let maxPathByteCount = Int(SLUICE_SOCKET_PATH_MAX)

  /// Two connected sockets. The corresponding C function is `socketpair`.
  public static func pair() throws(SystemError) -> (Handle, Handle) {
    var descriptors: [CInt] = [-1, -1]
    // Sound: the array holds the two that the call writes.
    try systemCall("socketpair") { unsafe sluice_socket_pair(&descriptors) }
    return (
      Handle(owning: FileDescriptor(rawValue: descriptors[0])), Handle(owning: FileDescriptor(rawValue: descriptors[1]))
    )
  }

  /// Listens at a path. The corresponding C functions are `socket`, `bind`, `chmod` and `listen`, in this order, so that
  /// nobody can connect before the permissions stand. The path is left in place when the socket closes.
  ///
  /// - Parameters:
  ///   - backlog: How many connections the kernel holds before they are accepted; `net.core.somaxconn` bounds it.
  ///   - permissions: Who may connect needs write permission.
  /// - Throws: `EADDRINUSE` when the path exists; `ENAMETOOLONG` above `maxPathByteCount`.
  public static func listen(
    at path: FilePath, backlog: Int = 128, permissions: FilePermissions = .ownerReadWrite
  ) throws(SystemError) -> Handle {
    let socket = try unconnected()
    try systemCall("bind", path.string) {
      unsafe path.withPlatformString { unsafe sluice_socket_bind(socket.rawValue, $0) }
    }
    do {
      try FileSystem.setPermissions(permissions, of: path)
      try systemCall("listen", path.string) { sluice_socket_listen(socket.rawValue, CInt(clamping: backlog)) }
    } catch {
      _ = try? FileSystem.removeFile(path)
      throw error
    }
    return socket
  }

  /// Connects to a listener. The corresponding C function is `connect`.
  ///
  /// Blocks only while the listener's backlog is full, and then until the deadline at most.
  /// - Parameter deadline: `nil` waits for ever; one in the past asks once.
  /// - Throws: `ECONNREFUSED` when nobody listens, `ENOENT` when there is no such path, `EACCES` without permission,
  ///   `EAGAIN` when the backlog stays full until the deadline.
  public static func connect(
    to path: FilePath, deadline: ContinuousClock.Instant? = nil
  ) throws(SystemError) -> Handle {
    let socket = try unconnected()
    var result = unsafe path.withPlatformString { path in
      retryingInterrupts { unsafe sluice_socket_connect(socket.rawValue, path) }
    }
    if result == -Errno.resourceTemporarilyUnavailable.rawValue {
      // The kernel tells nobody about room in a backlog but a connect(2) that blocks.
      try systemCall("fcntl", "F_SETFL") { sluice_set_non_blocking(socket.rawValue, 0) }
      while result == -Errno.resourceTemporarilyUnavailable.rawValue || result == -Errno.interrupted.rawValue {
        let left = Deadline.nanosecondsLeft(until: deadline)
        if left == 0 { break }
        try systemCall("setsockopt", "SO_SNDTIMEO") { sluice_socket_set_send_timeout(socket.rawValue, max(left, 0)) }
        result = unsafe path.withPlatformString { unsafe sluice_socket_connect(socket.rawValue, $0) }
      }
      try systemCall("setsockopt", "SO_SNDTIMEO") { sluice_socket_set_send_timeout(socket.rawValue, 0) }
      try systemCall("fcntl", "F_SETFL") { sluice_set_non_blocking(socket.rawValue, 1) }
    }
    if result < 0 { throw SystemError(operation: "connect", negated: result, detail: path.string) }
    return socket
  }

  private static func unconnected() throws(SystemError) -> Handle {
    try Handle.owning("socket", "AF_UNIX") { sluice_socket() }
  }

  /// Accepts a connection, or says with `nil` that none waits. The corresponding C function is `accept4`.
  ///
  /// - Throws: `EMFILE` when this process's descriptor table is full: the connection stays in the backlog.
  public static func accept(_ listener: Handle) throws(SystemError) -> Handle? {
    while true {
      let result = retryingInterrupts { sluice_socket_accept(listener.rawValue) }
      if result >= 0 { return Handle(owning: FileDescriptor(rawValue: result)) }
      switch Errno(rawValue: -result) {
      case .resourceTemporarilyUnavailable: return nil
      case .connectionAbort: continue  // This one is gone already; there may be others.
      default: throw SystemError(operation: "accept4", negated: result)
      }
    }
  }

  /// Makes calls on the socket wait for room, bytes or connections, or answer at once that there are none, as sockets do
  /// when they are made. The corresponding C call is `fcntl(F_SETFL)`.
  public static func setBlocking(_ isBlocking: Bool, of socket: Handle) throws(SystemError) {
    try systemCall("fcntl", "F_SETFL") { sluice_set_non_blocking(socket.rawValue, isBlocking ? 0 : 1) }
  }

  /// How long `receiveBlocking` waits; `nil` for ever. Kept in units of the kernel's clock, some milliseconds.
  public static func setReceiveTimeout(_ timeout: Duration?, of socket: Handle) throws(SystemError) {
    let nanoseconds = timeout.map { max(1, Deadline.nanoseconds(of: $0)) } ?? 0
    try systemCall("setsockopt", "SO_RCVTIMEO") { sluice_socket_set_receive_timeout(socket.rawValue, nanoseconds) }
  }

  /// Says that no more bytes will follow; the other direction stays open. The corresponding C function is `shutdown`.
  public static func finishSending(_ socket: Handle) throws(SystemError) {
    try systemCall("shutdown", "SHUT_WR") { sluice_socket_shutdown_sending(socket.rawValue) }
  }

  /// Ends both directions: the peer reads what was sent and then the end of the stream, and cannot send. Whoever waits
  /// for the socket, here or there, wakes. The corresponding C function is `shutdown`.
  public static func finish(_ socket: Handle) throws(SystemError) {
    try systemCall("shutdown", "SHUT_RDWR") { sluice_socket_shutdown(socket.rawValue) }
  }

  /// Whether a handle that somebody else has sent is a Unix stream socket, and not one that listens. The corresponding C
  /// call is `getsockopt`.
  ///
  /// - Throws: `ENOTSOCK` when it is no socket at all.
  public static func isStream(_ socket: Handle) throws(SystemError) -> Bool {
    try systemCall("getsockopt", "SO_DOMAIN") { sluice_socket_is_stream(socket.rawValue) } == 1
  }

  /// The size of the kernel's send buffer, as the kernel counts: its own bookkeeping included (`SO_SNDBUF`).
  public static func sendBufferByteCount(of socket: Handle) throws(SystemError) -> Int {
    Int(try systemCall("getsockopt", "SO_SNDBUF") { sluice_socket_get_send_buffer(socket.rawValue) })
  }

  /// Sets the size of the kernel's send buffer. The kernel doubles it, and bounds it by `net.core.wmem_max`.
  public static func setSendBufferByteCount(_ byteCount: Int, of socket: Handle) throws(SystemError) {
    try systemCall("setsockopt", "SO_SNDBUF") {
      sluice_socket_set_send_buffer(socket.rawValue, CInt(clamping: byteCount))
    }
  }

  /// Who is at the other end, as the kernel recorded. The corresponding C call is `getsockopt(SO_PEERCRED)`.
  public static func peerCredentials(of socket: Handle) throws(SystemError) -> PeerCredentials {
    var (pid, uid, gid): (pid_t, uid_t, gid_t) = (0, 0, 0)
    // Sound: the call writes the three variables.
    try systemCall("getsockopt", "SO_PEERCRED") {
      unsafe sluice_socket_peer_credentials(socket.rawValue, &pid, &uid, &gid)
    }
    return PeerCredentials(pid: pid, uid: uid, gid: gid)
  }

  /// The supplementary groups of who is at the other end, as the kernel recorded; `peerCredentials` has the group that is
  /// none of these. The corresponding C call is `getsockopt(SO_PEERGROUPS)`.
  public static func peerGroups(of socket: Handle) throws(SystemError) -> [gid_t] {
    var groups = [gid_t](repeating: 0, count: 32)
    while true {
      var count = groups.count
      // Sound: the array holds as many as `count` says, and the call writes no more.
      let result = retryingInterrupts { unsafe sluice_socket_peer_groups(socket.rawValue, &groups, &count) }
      if result == 0 { return Array(groups.prefix(count)) }
      // The kernel has no more than 65,536 groups for a process.
      guard result == -Errno.outOfRange.rawValue, groups.count < 65_536 else {
        throw SystemError(operation: "getsockopt", negated: result, detail: "SO_PEERGROUPS")
      }
      groups = [gid_t](repeating: 0, count: groups.count * 8)
    }
  }

  /// The process at the other end, the one that `peerCredentials` names and never a later one with its pid.
  /// The corresponding C call is `getsockopt(SO_PEERPIDFD)`.
  ///
  /// Kernels before 6.5 lack it; there the pid is opened, and checked again by what else is known of the peer.
  /// - Throws: `ESRCH` when that process is gone.
  public static func peerProcess(of socket: Handle) throws(SystemError) -> ProcessHandle {
    let credentials = try peerCredentials(of: socket)
    let result = retryingInterrupts { sluice_socket_peer_pidfd(socket.rawValue) }
    if result >= 0 {
      return ProcessHandle(Handle(owning: FileDescriptor(rawValue: result)), pid: credentials.pid)
    }
    guard result == -Errno.protocolNotAvailable.rawValue else {
      throw SystemError(operation: "getsockopt", negated: result, detail: "SO_PEERPIDFD, \(credentials)")
    }
    let process = try ProcessHandle(pid: credentials.pid)
    // The pid could have been given to another process in between. Then the peer has died, and with it its end.
    let events = try Poll.wait(for: socket.descriptor, .peerFinished, deadline: .now)
    let owner = try? Stat(FilePath("/proc/\(credentials.pid)")).userID
    guard events.isEmpty, owner?.rawValue == credentials.uid, try process.isAlive else {
      throw SystemError(operation: "pidfd_open", errno: .noSuchProcess, detail: "\(credentials)")
    }
    return process
  }
}

extension Handle {
  var rawValue: CInt { descriptor.rawValue }
}
