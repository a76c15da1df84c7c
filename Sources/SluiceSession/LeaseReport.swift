import SluiceMemory
import SluiceSystem

/// What the other end of a session holds of this end's messages: for finding leaks.
public struct LeaseReport: Sendable, Hashable {
  /// The session's name.
  public let session: String
  /// The other end's app, as it names itself.
  public let peerApp: String
  /// The other end's process.
  public let peerProcessID: Int32
  /// Whether the session has ended. Its messages are kept until they are released, or the process is dead.
  public let hasEnded: Bool
  /// What is held, oldest first.
  public let leases: [OutstandingLease]

  /// What is held, in bytes. A message that was sent several times counts once.
  public var byteCount: Int { leases.distinctByteCount }
  /// The age of the oldest one.
  public var oldestAge: Duration? { leases.first?.age }

  init(_ parts: SessionCore.Parts, hasEnded: Bool) {
    session = parts.name
    peerApp = parts.peerApp
    peerProcessID = parts.peer.process?.pid ?? parts.peer.credentials.pid
    self.hasEnded = hasEnded
    leases = parts.carrier.lender.outstandingLeases
  }

  /// The reports of all sessions of this process that have ended while something of this end's was held, and still is.
  public static var ofEndedSessions: [LeaseReport] { RetiredLoans.reports }
}
