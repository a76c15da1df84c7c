import SluiceChannel
import SluiceContainers
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
  /// No server of this app runs: nobody listens on the socket at `path`. Start it, or see that it and the client mean the
  /// same runtime directory (``RuntimeDirectory``).
  case serverNotRunning(app: String, path: String)
  /// What listens at the server's place, or would, is not of the user, group or program that the server app names: how not.
  case wrongServerIdentity(String)
  /// The server refused: why, and its words.
  case refused(RefusalReason, message: String)
  /// The two ends speak no common version of the protocol.
  case versionMismatch(ours: ProtocolVersions, theirs: ProtocolVersions)
  /// The deadline passed first.
  case timedOut
  /// The task was cancelled first.
  case cancelled
  /// The other end refused the channel: why, and its words.
  case channelRefused(ChannelRefusalReason, message: String)
  /// Not the number of a channel that was asked for along with the session, or not its type, or it was taken before.
  case noSuchInitialChannel(Int)
  /// The channel was accepted or refused before.
  case alreadyAnswered
  /// The client's introduction, its metadata and that of its channels included, is too long.
  case introductionTooLong(byteCount: Int, limit: Int)
  /// More channels along with a session than may be.
  case tooManyInitialChannels(Int, limit: Int)
  /// The session has ended.
  case sessionEnded(SessionEnd)
  /// The other end broke the protocol before there was a session: how.
  case protocolViolation(String)
  /// As many channels are open as may.
  case tooManyChannels(limit: Int)
  /// More metadata than ``Metadata/byteCountLimit``.
  case metadataTooLong(byteCount: Int, limit: Int)
  /// A system call failed.
  case system(SystemError)
  /// A segment could not be created or mapped.
  case segment(SegmentError)
  /// This end's half of a ring could not be created.
  case ring(RingSetupError)
  /// This end's half of a link of message queues could not be created: names the limit that was met.
  case queue(QueueSetupError)
  /// As many channels have a link of their own as may: see ``SessionOptions/ownLinkLimit``.
  case tooManyOwnLinks(limit: Int)
  /// Not both ends ask for memory that both write to: ``SessionOptions/readWriteArenas``.
  case readWriteNotAgreed
  /// Memory that both ends write to could not be created or joined.
  case readWrite(ReadWriteError)
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
    case .serverNotRunning(let app, let path): "no server “\(app)” is running: nobody listens on \(path)"
    case .wrongServerIdentity(let what): "not the right server: \(what)"
    case .refused(let reason, let message): "the server refused the session (\(reason)): \(message)"
    case .versionMismatch(let ours, let theirs):
      "no common version of the protocol: this end speaks \(ours), the other end \(theirs)"
    case .timedOut: "the deadline passed"
    case .cancelled: "the task was cancelled"
    case .channelRefused(let reason, let message): "the channel was refused (\(reason)): \(message)"
    case .noSuchInitialChannel(let index): "no channel \(index) of that type was asked for along with the session"
    case .alreadyAnswered: "the channel was accepted or refused before"
    case .introductionTooLong(let byteCount, let limit):
      "an introduction of \(byteCount) bytes; at most \(limit) are allowed"
    case .tooManyInitialChannels(let count, let limit):
      "\(count) channels along with a session; at most \(limit) are allowed"
    case .sessionEnded(let end): "the session has ended: \(end)"
    case .protocolViolation(let what): "the other end broke the protocol: \(what)"
    case .tooManyChannels(let limit): "\(limit) channels are open, as many as may"
    case .metadataTooLong(let byteCount, let limit): "\(byteCount) bytes of metadata; at most \(limit) are allowed"
    case .system(let error): "\(error)"
    case .segment(let error): "\(error)"
    case .ring(let error): "no ring: \(error)"
    case .queue(let error): "no queue: \(error)"
    case .tooManyOwnLinks(let limit):
      "\(limit) channels have a link of their own, as many as may (SessionOptions.ownLinkLimit)"
    case .readWriteNotAgreed:
      "not both ends ask for memory that both write to (SessionOptions.readWriteArenas)"
    case .readWrite(let error): "\(error)"
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
  /// The kernel's word on the client's user, group or program is not what the server's policy names.
  case identityNotAllowed
  /// The client asked for another server app.
  case wrongServer
  /// The client's introduction breaks a rule.
  case malformedHello
  /// A limit of the server is reached.
  case serverBusy
  /// The server is shutting down.
  case shuttingDown
  /// The server, or the client's user, has as many sessions as may be.
  case sessionLimit
  /// The client's user opens sessions faster than the server allows.
  case rateLimit
  /// The server's hook does not want this client, or did not decide in time.
  case rejected
  /// A reason that this release does not know.
  case other(UInt16)
}

/// Why the other end of a session refuses a channel.
public enum ChannelRefusalReason: Sendable, Hashable {
  /// The application does not want it.
  case declined
  /// Channels of that root type are not taken there.
  case unknownType
  /// As many channels are open, or wait to be taken, as may.
  case limit
  /// The session takes no channels any more.
  case ending
  /// A link for the channel alone was asked for, and there are none, or no more, or the other end's half could not be made.
  case noDedicatedLink
  /// A reason that this release does not know.
  case other(UInt16)
}

extension Metadata {
  func checkLength() throws(SessionError) {
    guard bytes.count <= Self.byteCountLimit else {
      throw .metadataTooLong(byteCount: bytes.count, limit: Self.byteCountLimit)
    }
  }
}
