import CapnProto
import SluiceMemory
import SluiceSystem
import SluiceTransport

/// Why an exchange on a channel, or the channel itself, failed.
public enum ChannelError: Error, Sendable {
  /// The deadline passed first. A response that comes later is dropped and counted; the channel works on.
  case timedOut
  /// The task was cancelled first. As for ``timedOut``.
  case cancelled
  /// The other end answered with a failure: the application's code and text, or a ``ChannelFailureCode``.
  case failed(code: UInt32, text: String)
  /// The channel was closed, here or by the other end.
  case closed
  /// The session ended.
  case sessionEnded(SessionEnd)
  /// The message could not be built: what its builder recorded.
  case invalidMessage(CapnProtoError)
  /// The arena has no room for the message. Release messages, or raise its limit.
  case outOfMemory(SegmentAllocationError)
  /// The other end holds as many messages as it may. Send again after it released some.
  case tooManyLeases(LeaseError)
  /// As many requests of this channel wait for their response as may.
  case tooManyRequests(limit: Int)
  /// The message has more segments than an envelope can name. Build it with larger segments.
  case tooManySegments(Int, limit: Int)
  /// More handles than the kernel passes at once.
  case tooManyHandles(Int, limit: Int)
  /// The request was answered before.
  case alreadyAnswered
  /// The arena could not be created.
  case arena(ArenaError)
  /// The transport failed.
  case transport(TransportError)
}

/// Codes of failures that Sluice itself answers with. An application's own codes are below ``firstReserved``.
public enum ChannelFailureCode {
  /// The first code that is not the application's to use.
  public static let firstReserved: UInt32 = 0xffff_0000
  /// The request was released without an answer.
  public static let unanswered: UInt32 = 0xffff_0001
  /// The channel takes no requests, or no more of them.
  public static let notTaken: UInt32 = 0xffff_0002
}

/// Why a session ended. Whatever was pending failed with this before.
public enum SessionEnd: Error, Sendable, Hashable {
  /// This end closed it.
  case closed
  /// The other end closed it, in order; it may say why.
  case closedByPeer(String)
  /// The other process died.
  case peerDied(pid: Int32)
  /// The other process lives, but its end of the session is gone without a word.
  case connectionLost
  /// The other end broke the protocol: what it did.
  case protocolViolation(String)
  /// This end could not go on: what failed.
  case failed(String)
}
