import CapnProto
import SluiceMemory
import SluiceSystem
import SluiceTransport

/// Why an exchange on a channel, or the channel itself, failed.
public indirect enum ChannelError: Error, Sendable, CustomStringConvertible {
  /// The deadline passed first. A response that comes later is dropped and counted; the channel works on.
  case timedOut
  /// The task was cancelled first. As for ``timedOut``.
  case cancelled
  /// The other end answered with a failure: the application's code, text and details, or a ``ChannelFailureCode``.
  case failed(code: UInt32, text: String, details: Metadata = .none)
  /// The other end answered with a stream where one response was asked for.
  case streamedAnswer
  /// The requester wants no answer any more: its deadline has passed, or it was cancelled.
  case withdrawn
  /// The channel was closed, here or by the other end.
  case closed
  /// The session ended.
  case sessionEnded(SessionEnd)
  /// The message could not be built: what its builder recorded.
  case invalidMessage(CapnProtoError)
  /// The arena has no room for the message: which limit was met. Release messages, or raise the limit.
  case outOfMemory(ArenaError)
  /// The other end holds as many messages as it may. Send again after it released some.
  case tooManyLeases(LeaseError)
  /// As many requests of this channel wait for their response as may.
  case tooManyRequests(limit: Int)
  /// The message has more segments than an envelope can name. Build it with larger segments.
  case tooManySegments(Int, limit: Int)
  /// More handles than the kernel passes at once.
  case tooManyHandles(Int, limit: Int)
  /// More details with a failure than may be.
  case detailsTooLong(byteCount: Int, limit: Int)
  /// A failure with a code that is not the application's to use: see ``ChannelFailureCode``. Nothing was sent.
  case reservedFailureCode(UInt32)
  /// The request was answered before.
  case alreadyAnswered
  /// The transport failed.
  case transport(TransportError)

  /// One line for people.
  public var description: String {
    switch self {
    case .timedOut: "the deadline passed"
    case .cancelled: "the task was cancelled"
    case .failed(let code, let text, _): "the other end answered with failure \(code): \(text)"
    case .streamedAnswer: "the other end answered with a stream; ask for one"
    case .withdrawn: "the requester wants no answer any more"
    case .closed: "the channel is closed"
    case .sessionEnded(let end): "the session has ended: \(end)"
    case .invalidMessage(let error): "the message could not be built: \(error)"
    case .outOfMemory(let error): "no room for the message: \(error)"
    case .tooManyLeases(let error): "the message cannot be lent: \(error)"
    case .tooManyRequests(let limit): "\(limit) requests wait for their response, as many as may"
    case .tooManySegments(let count, let limit): "the message has \(count) segments; at most \(limit) are allowed"
    case .tooManyHandles(let count, let limit): "\(count) handles with one message; at most \(limit) are allowed"
    case .detailsTooLong(let byteCount, let limit):
      "\(byteCount) bytes of details with a failure; at most \(limit) are allowed"
    case .reservedFailureCode(let code):
      "failure \(code) is not the application's to use; its codes are below \(ChannelFailureCode.firstReserved)"
    case .alreadyAnswered: "the request was answered before"
    case .transport(let error): "\(error)"
    }
  }
}

extension ChannelError {
  /// Why a message could not be built: what the arena said, if it gave no memory, else what the builder recorded.
  package init(_ failure: CapnProtoError) {
    if case .allocationFailed(let refusal) = failure.kind {
      self.init(refusal)
    } else {
      self = .invalidMessage(failure)
    }
  }

  init(_ refusal: SegmentAllocationError) {
    if let error = refusal.cause as? ArenaError {
      self = .outOfMemory(error)
    } else {
      self = .invalidMessage(CapnProtoError(.allocationFailed(refusal)))
    }
  }
}

/// Codes of failures that Sluice itself answers with. An application's own codes are below ``firstReserved``.
public enum ChannelFailureCode {
  /// The first code that is not the application's to use.
  public static let firstReserved: UInt32 = 0xffff_0000
  /// The request was released without an answer.
  public static let unanswered: UInt32 = 0xffff_0001
  /// The channel takes no requests, or no more of them.
  public static let notTaken: UInt32 = 0xffff_0002
  /// The session finishes what runs, and takes nothing new.
  public static let ending: UInt32 = 0xffff_0003
}

/// Why a session ended. Whatever was pending failed with this before.
public enum SessionEnd: Error, Sendable, Hashable, CustomStringConvertible {
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

  /// One line for people.
  public var description: String {
    switch self {
    case .closed: "closed at this end"
    case .closedByPeer(let reason): reason.isEmpty ? "closed by the other end" : "closed by the other end: \(reason)"
    case .peerDied(let pid): "process \(pid) died"
    case .connectionLost: "the other end went without a word"
    case .protocolViolation(let what): "the other end broke the protocol: \(what)"
    case .failed(let what): what
    }
  }
}
