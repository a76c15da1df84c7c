import SluiceTransport
import SluiceWaiting
import Synchronization

/// The responses to one request, as they arrive: a bounded queue, whose sender has credits for it. Thread-safe.
final class IncomingStream: Sendable {
  let items: Mailbox<MessageContent, ChannelError>
  private let state: Mutex<State>

  private struct State {
    var credits: LaneCredits
    /// The last one is here: nobody is granted anything any more.
    var isComplete = false
  }

  /// A stream of which `window` items may be under way.
  init(window: UInt32) {
    // The last one needs no credit.
    items = Mailbox(capacity: Int(window) + 1)
    state = Mutex(State(credits: LaneCredits(window: window)))
  }

  /// Takes an item; false when the other end had no credit for it.
  func arrived(_ content: MessageContent) -> Bool {
    guard state.withLock({ $0.credits.frameArrived() }) else { return false }
    // Refused only when nobody takes any more: then it is released here.
    _ = items.deliver(content)
    return true
  }

  /// Takes the response that ends the stream. It needs no credit, as nothing can follow it.
  func ended(with content: MessageContent) {
    state.withLock { $0.isComplete = true }
    _ = items.deliver(content)
    end(nil)
  }

  /// An item was taken: how many more the other end is to be granted, or 0.
  func taken() -> UInt32 {
    state.withLock { $0.isComplete ? 0 : $0.credits.frameTaken() }
  }

  /// The last grant was sent: how many more the other end is to be granted, or 0.
  func grantSent() -> UInt32 {
    state.withLock { $0.isComplete ? 0 : $0.credits.grantSent() }
  }

  /// Nothing more will come.
  func end(_ error: ChannelError?) {
    items.finish(error)
  }
}
