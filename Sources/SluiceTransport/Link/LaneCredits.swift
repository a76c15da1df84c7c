/// The credits of one lane, both directions, as one end keeps them. A pure value.
///
/// The receiver of charged frames lets the other end have `window` of them under way. It grants credits back as they are
/// taken from its queue, in batches of half a window, so that one grant pays for many messages. One grant at a time is on its
/// way: who takes messages in, and never what there is to say about them, is not owed more and more.
public struct LaneCredits: Sendable {
  /// Charged frames that may be under way in each direction. At least 1.
  public let window: UInt32
  /// Charged frames that this end may still send.
  public private(set) var sendable: UInt32
  /// Charged frames that the other end may still send.
  public private(set) var receivable: UInt32
  /// Frames taken from the queue and not yet granted back.
  private var ungranted: UInt32 = 0
  /// Whether a grant waits to be sent.
  private var isGranting = false

  /// Full credits in both directions.
  public init(window: UInt32) {
    self.window = max(1, window)
    sendable = self.window
    receivable = self.window
  }

  /// Takes one credit to send a charged frame; false when there is none.
  public mutating func takeForSending() -> Bool {
    guard sendable > 0 else { return false }
    sendable -= 1
    return true
  }

  /// Puts back a credit whose frame was not sent after all.
  public mutating func putBack() {
    sendable = min(window, sendable + 1)
  }

  /// Books a charged frame that arrived; false when the other end had no credit for it.
  public mutating func frameArrived() -> Bool {
    guard receivable > 0 else { return false }
    receivable -= 1
    return true
  }

  /// Books that a charged frame was taken from the queue; the credits to grant now, or 0 to wait for more. ``grantSent()``
  /// is to follow a grant.
  public mutating func frameTaken() -> UInt32 {
    ungranted += 1
    return nextGrant()
  }

  /// Books that the last grant was sent; the credits to grant next, or 0 to wait for more.
  public mutating func grantSent() -> UInt32 {
    isGranting = false
    return nextGrant()
  }

  private mutating func nextGrant() -> UInt32 {
    guard !isGranting, ungranted >= max(1, window / 2) else { return 0 }
    let grant = ungranted
    ungranted = 0
    isGranting = true
    receivable += grant
    return grant
  }

  /// Books a grant from the other end; false when it exceeds what was sent.
  public mutating func granted(_ count: UInt32) -> Bool {
    let (sum, overflow) = sendable.addingReportingOverflow(count)
    guard !overflow, sum <= window, count > 0 else { return false }
    sendable = sum
    return true
  }
}
