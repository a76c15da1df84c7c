import SluiceTransport
import SluiceWaiting
import Synchronization

/// The responses to one request, as they arrive: a bounded queue, whose sender has credits for it. Thread-safe.
final class IncomingStream: Sendable {
  let items: Mailbox<MessageContent, ChannelError>
  private let credits: Mutex<LaneCredits>

  /// A stream of which `window` items may be under way.
  init(window: UInt32) {
    items = Mailbox(capacity: Int(window))
    credits = Mutex(LaneCredits(window: window))
  }

  /// Takes an item; false when the other end had no credit for it.
  func arrived(_ content: MessageContent) -> Bool {
    guard credits.withLock({ $0.frameArrived() }) else { return false }
    // Refused only when nobody takes any more: then it is released here.
    _ = items.deliver(content)
    return true
  }

  /// An item was taken: how many more the other end is to be granted, or 0.
  func taken() -> UInt32 {
    credits.withLock { $0.frameTaken() }
  }

  /// Nothing more will come.
  func end(_ error: ChannelError?) {
    items.finish(error)
  }
}
