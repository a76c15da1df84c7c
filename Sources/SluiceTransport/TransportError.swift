import SluiceSystem

/// Why a transport could not do what it was asked.
///
/// `endsConnection` says whether the connection is over after it; then it says the same each time.
public indirect enum TransportError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The blob is larger than this transport's `maxBlobSize`. Send it in parts, or make the transport with a larger one.
  case blobTooLarge(byteCount: Int, limit: Int)
  /// One frame cannot carry so many handles. Send them with several.
  case tooManyHandles(count: Int, limit: Int)
  /// This kind of transport carries no handles. Send them over the session's control socket.
  case handlesNotCarried(TransportKind)
  /// The kernel holds too many handles that this user has sent and nobody has received (the sender's `RLIMIT_NOFILE`).
  /// Nothing was sent: try again when the peer has received some.
  case tooManyHandlesInFlight(limit: Int)
  /// A frame arrived with handles for which this process's descriptor table has no room (`RLIMIT_NOFILE`). That frame is
  /// lost, its handles are closed; the frames after it arrive as usual. Close descriptors, or raise the limit.
  case descriptorTableFull(expected: Int, received: Int, limit: Int)
  /// The deadline passed. A frame that was to be sent was not.
  case timedOut
  /// The task was cancelled. A frame that was to be sent was not.
  case cancelled
  /// This end has said that it sends no more.
  case sendingFinished
  /// This end was closed by its owner.
  case closed
  /// The peer closed its end, or died. What was sent last may not have been read.
  case peerClosed
  /// The stream ended within a frame: the peer died while it sent, or does not speak this protocol.
  case truncatedFrame(receivedByteCount: Int)
  /// What arrived is not a frame. The peer is broken, hostile, or does not speak this protocol.
  case malformedFrame(FrameError)
  /// The peer wrote into the memory that it shares what the protocol does not allow. It is broken or hostile.
  case protocolViolation(RingViolation)
  /// Nothing came from the peer for the idle timeout: see ``KeepAliveTransport``. It hangs, is stopped, or is gone.
  case peerIdle(after: Duration)
  /// There was no room to send for as long as the caller tolerates: see ``StallPolicy``. The peer does not receive.
  case peerStalled(after: Duration)
  /// There is no room to send, and the caller does not want to wait for it: see ``StallPolicy``. Nothing was sent.
  case noRoom
  /// A system call failed in a way that nothing above foresees.
  case failed(SystemError)

  /// What went wrong, with the limit that was met.
  public var description: String {
    switch self {
    case .blobTooLarge(let byteCount, let limit): "a blob of \(byteCount) bytes exceeds the limit of \(limit)"
    case .tooManyHandles(let count, let limit): "\(count) handles exceed the limit of \(limit) per frame"
    case .handlesNotCarried(let kind): "a \(kind) transport carries no handles"
    case .tooManyHandlesInFlight(let limit): "too many handles in flight (RLIMIT_NOFILE is \(limit))"
    case .descriptorTableFull(let expected, let received, let limit):
      "descriptor table full: \(received) of \(expected) handles of a frame arrived (RLIMIT_NOFILE is \(limit))"
    case .timedOut: "the deadline passed"
    case .cancelled: "the task was cancelled"
    case .sendingFinished: "this end has finished sending"
    case .closed: "this end is closed"
    case .peerClosed: "the peer closed the connection"
    case .truncatedFrame(let byteCount): "the stream ended \(byteCount) bytes into a frame"
    case .malformedFrame(let error): "malformed frame: \(error)"
    case .protocolViolation(let violation): "protocol violation: \(violation)"
    case .peerIdle(let timeout): "nothing came from the peer for \(timeout)"
    case .peerStalled(let timeout): "the peer has made no room for \(timeout)"
    case .noRoom: "there is no room to send"
    case .failed(let error): "\(error)"
    }
  }

  /// Whether the connection is over after this error.
  public var endsConnection: Bool {
    switch self {
    case .blobTooLarge, .tooManyHandles, .handlesNotCarried, .tooManyHandlesInFlight, .descriptorTableFull, .timedOut,
      .cancelled, .sendingFinished, .noRoom:
      false
    case .closed, .peerClosed, .truncatedFrame, .malformedFrame, .protocolViolation, .peerIdle, .peerStalled, .failed:
      true
    }
  }
}
