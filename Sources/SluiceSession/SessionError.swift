import SluiceChannel
import SluiceMemory
import SluiceSystem
import SluiceTransport

/// Why a server could not start, or a session or channel could not be opened.
public enum SessionError: Error, Sendable, CustomStringConvertible {
  /// Not a name for an app: 1 to 64 of `a–z A–Z 0–9 . _ -`, not beginning with a dot.
  case invalidAppName(String)
  /// The runtime directory, or something in it, cannot be used: which path, and why. Mend it, or name another with
  /// `SLUICE_RUNTIME_DIR`.
  case runtimeDirectory(path: String, problem: String)
  /// Another process serves this app. It is unharmed.
  case serverAlreadyRunning(app: String, pid: Int32)
  /// No server of this app runs.
  case serverNotRunning(app: String)
  /// What listens at the server's place belongs to another user than the server app names.
  case wrongServerIdentity(expectedUID: UInt32, foundUID: UInt32)
  /// The server refused: why, and its words.
  case refused(RefusalReason, message: String)
  /// The two ends speak no common version of the protocol.
  case versionMismatch(ours: ProtocolVersions, theirs: ProtocolVersions)
  /// The deadline passed first.
  case timedOut
  /// The task was cancelled first.
  case cancelled
  /// The other end refused the channel: its words.
  case channelRefused(String)
  /// The session has ended.
  case sessionEnded(SessionEnd)
  /// The other end broke the protocol before there was a session: how.
  case protocolViolation(String)
  /// As many channels are open as may.
  case tooManyChannels(limit: Int)
  /// More metadata than ``Session/metadataLimit``.
  case metadataTooLong(byteCount: Int, limit: Int)
  /// A system call failed.
  case system(SystemError)
  /// A segment could not be created or mapped.
  case segment(SegmentError)
  /// This end's half of a ring could not be created.
  case ring(RingSetupError)
  /// An arena could not be created.
  case arena(ArenaError)
  /// A transport failed.
  case transport(TransportError)
  /// The server cannot listen.
  case listener(ListenerError)

  /// One line for people.
  public var description: String {
    switch self {
    case .invalidAppName(let name): "“\(name)” is not a name for an app (1 to 64 of a-z A-Z 0-9 . _ -, no dot first)"
    case .runtimeDirectory(let path, let problem): "cannot use \(path): \(problem)"
    case .serverAlreadyRunning(let app, let pid): "the server “\(app)” runs already, as process \(pid)"
    case .serverNotRunning(let app): "no server “\(app)” is running"
    case .wrongServerIdentity(let expected, let found): "the server is of user \(found), not of user \(expected)"
    case .refused(let reason, let message): "the server refused the session (\(reason)): \(message)"
    case .versionMismatch(let ours, let theirs):
      "no common version of the protocol: this end speaks \(ours), the other end \(theirs)"
    case .timedOut: "the deadline passed"
    case .cancelled: "the task was cancelled"
    case .channelRefused(let message): "the channel was refused: \(message)"
    case .sessionEnded(let end): "the session has ended: \(end)"
    case .protocolViolation(let what): "the other end broke the protocol: \(what)"
    case .tooManyChannels(let limit): "\(limit) channels are open, as many as may"
    case .metadataTooLong(let byteCount, let limit): "\(byteCount) bytes of metadata; at most \(limit) are allowed"
    case .system(let error): "\(error)"
    case .segment(let error): "\(error)"
    case .ring(let error): "no ring: \(error)"
    case .arena(let error): "\(error)"
    case .transport(let error): "\(error)"
    case .listener(let error): "\(error)"
    }
  }
}

/// Why a server refuses a client.
public enum RefusalReason: Sendable, Hashable {
  /// The two ends speak no common version: see ``SessionError/versionMismatch(ours:theirs:)``.
  case versionMismatch
  /// The client app's name is not among those allowed.
  case clientNotAllowed
  /// The kernel's word on the client's user is not what the server's policy names.
  case identityNotAllowed
  /// The client asked for another server app.
  case wrongServer
  /// The client's introduction breaks a rule.
  case malformedHello
  /// A limit of the server is reached.
  case serverBusy
  /// The server is shutting down.
  case shuttingDown
  /// A reason that this release does not know.
  case other(UInt16)
}
