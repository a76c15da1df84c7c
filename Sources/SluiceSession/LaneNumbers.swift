/// Which end of a session.
public enum SessionRole: String, Sendable, Hashable {
  /// The end that listens.
  case server
  /// The end that connects.
  case client

  /// The one at the other end.
  var other: SessionRole { self == .server ? .client : .server }
}

/// Which lanes of a session were opened, by whom. A pure value.
///
/// Each end numbers the channels that it opens, upwards: the client's are even, from 2; the server's odd, from 1.
struct LaneNumbers {
  private let ownParity: UInt32
  private var lastOwn: UInt32
  private var lastPeer: UInt32

  init(role: SessionRole) {
    ownParity = role == .client ? 0 : 1
    lastOwn = 0
    lastPeer = 0
  }

  /// The number of the next channel that this end opens; nil when all are used up.
  mutating func next() -> UInt32? {
    let first: UInt32 = ownParity == 0 ? 2 : 1
    let (following, overflow) = lastOwn.addingReportingOverflow(2)
    guard !overflow else { return nil }
    lastOwn = lastOwn == 0 ? first : following
    return lastOwn
  }

  /// Books a channel that the other end opens; false when the number is not its to use, or not above its last.
  mutating func peerOpened(_ lane: UInt32) -> Bool {
    guard lane > lastPeer, lane & 1 != ownParity else { return false }
    lastPeer = lane
    return true
  }

  /// Whether this end asked to open `lane`, now or before.
  func isOwn(_ lane: UInt32) -> Bool {
    lane > 0 && lane & 1 == ownParity && lane <= lastOwn
  }

  /// Whether `lane` was opened, by either end, now or before.
  func wasOpened(_ lane: UInt32) -> Bool {
    isOwn(lane) || (lane > 0 && lane & 1 != ownParity && lane <= lastPeer)
  }
}
