/// What a transport does when its peer does not receive, so that there is no room to send. In no case more than one frame is
/// kept. A session's link does the same over any kind of transport, also where credit lacks; `SessionOptions` says how.
public enum StallPolicy: Sendable, Hashable {
  /// `trySend` answers `wouldBlock`; blocking and `async` sends wait, until their own deadline.
  case suspend
  /// Every send without room fails with `noRoom` and leaves the connection as it is. A frame of which the kernel has taken
  /// a part counts as sent.
  case fail
  /// As `suspend`, but when not a byte found room for so long, the connection ends with `peerStalled`, and whoever waits
  /// for it wakes. At least a millisecond makes sense.
  case disconnect(after: Duration)
}

/// What the user of a socket can set.
public struct SocketOptions: Sendable, Hashable {
  /// The size of the kernel's send buffer (`SO_SNDBUF`): how much may be under way. The kernel doubles it for its own books,
  /// and bounds it by `net.core.wmem_max`. `nil` leaves the system's default, about 208 KiB.
  public var sendBufferByteCount: Int?
  /// What happens without room.
  public var stallPolicy: StallPolicy

  /// The system's buffer, and `suspend`.
  public init(sendBufferByteCount: Int? = nil, stallPolicy: StallPolicy = .suspend) {
    self.sendBufferByteCount = sendBufferByteCount
    self.stallPolicy = stallPolicy
  }
}
