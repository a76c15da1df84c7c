import SluiceTransport
import SluiceWaiting

/// The channels that the other end opened and that nobody took yet, by the type of their messages. A value over shared
/// queues.
struct WaitingChannels {
  typealias Queue = Mailbox<ChannelOffer, SessionError>

  /// Most channels of one type that wait to be taken.
  private static let queueCapacity = 1024
  /// Most types of which channels wait.
  private static let typeLimit = 256

  private var queues: [UInt64: Queue] = [:]
  /// Set when nothing more will come.
  private var ending: Ending?

  private struct Ending {
    let error: SessionError?
  }

  /// Where channels of the given type wait.
  mutating func queue(rootTypeID: UInt64) -> Queue {
    if let queue = queues[rootTypeID] { return queue }
    let queue = Queue(capacity: Self.queueCapacity)
    if let ending { queue.finish(ending.error) }
    queues[rootTypeID] = queue
    return queue
  }

  /// Queues a channel; false when there is no room for it.
  mutating func deliver(_ offer: ChannelOffer) -> Bool {
    let opening = offer.opening
    guard queues[opening.rootTypeID] != nil || queues.count < Self.typeLimit else { return false }
    return queue(rootTypeID: opening.rootTypeID).deliver(offer)
  }

  /// How many wait.
  var count: Int { queues.values.reduce(0) { $0 + $1.count } }

  /// Takes all that wait.
  func removeAll() -> [ChannelOffer] {
    queues.values.flatMap { $0.removeAll() }
  }

  /// Tells whoever waits that nothing more will come.
  mutating func finish(_ error: SessionError?) {
    ending = Ending(error: error)
    for queue in queues.values { queue.finish(error) }
  }
}
