import CapnProto
import SluiceWaiting
import Synchronization

/// Sorts what arrives on a channel before it is queued.
protocol ContentSorter: AnyObject, Sendable {
  /// Queues a request; false when there is no room for it; nil when it is of no kind.
  func sort(_ call: IncomingCall) -> Bool?
  /// Queues a notification, likewise.
  func sort(_ content: MessageContent) -> Bool?
  /// Nothing more will come.
  func finish(_ error: ChannelError?)
  /// Nobody will take what waits.
  func removeAll()
  /// How much waits.
  var counts: (requests: Int, notifications: Int) { get }
}

/// What arrives on a channel, by its kind: each kind has queues of its own, and handlers of its own can take from them.
///
/// What is of a kind that nobody asks for waits until somebody does; together with all else that waits it counts against
/// the channel's window, so that a sender that is never heard is held back. What `kind` does not tell, and what is of more
/// kinds than there may be, stays with ``Channel/requests`` and ``Channel/notifications``. Thread-safe.
public final class Dispatcher<Root: StructSchema, Kind: Hashable & Sendable>: Sendable {
  /// Most kinds that are told apart.
  public static var kindLimit: Int { 1024 }

  private let channel: Channel<Root>
  private let sorter: Sorter<Root, Kind>

  init(_ channel: Channel<Root>, kind: @escaping @Sendable (Root.Reader) throws -> Kind?) {
    self.channel = channel
    sorter = Sorter(capacity: Int(channel.core.window), kind: kind)
    channel.core.sort(by: sorter)
  }

  /// The requests of one kind. Several tasks may iterate; each request goes to one of them. Ends with the channel.
  public func requests(_ kind: Kind) -> Requests<Root> {
    Requests(channel: channel, queue: sorter.requests.queue(kind))
  }

  /// The next request of one kind; blocks the thread for it. Nil when the channel has ended in order.
  public func nextRequestSync(_ kind: Kind, timeout: Duration? = nil) throws(ChannelError) -> Request<Root>? {
    try channel.nextRequestSync(from: sorter.requests.queue(kind), timeout: timeout)
  }

  /// The notifications of one kind. Several tasks may iterate; each notification goes to one of them. Ends with the channel.
  public func notifications(_ kind: Kind) -> Notifications<Root> {
    Notifications(channel: channel, queue: sorter.notifications.queue(kind))
  }

  /// The next notification of one kind; blocks the thread for it. Nil when the channel has ended in order.
  public func nextNotificationSync(_ kind: Kind, timeout: Duration? = nil) throws(ChannelError) -> Message<Root>? {
    try channel.nextNotificationSync(from: sorter.notifications.queue(kind), timeout: timeout)
  }
}

extension Channel {
  /// Has what arrives sorted by its kind, mostly the member of the root's union that is set. What waits already is sorted
  /// now. A channel has one dispatcher: a further one takes the place of the first.
  ///
  /// - Parameter kind: Tells the kind of a message; nil, or an error, for one that stays unsorted. Called on the thread that
  ///   delivers, for each message, while nothing else of the session is delivered: it must be quick, and must not wait for
  ///   anything of a session.
  public func dispatch<Kind: Hashable & Sendable>(
    by kind: @escaping @Sendable (Root.Reader) throws -> Kind?
  ) -> Dispatcher<Root, Kind> {
    Dispatcher(self, kind: kind)
  }
}

/// One queue for each kind.
final class KindQueues<Kind: Hashable & Sendable, Element: Sendable>: Sendable {
  typealias Queue = Mailbox<Element, ChannelError>

  private struct State {
    var queues: [Kind: Queue] = [:]
    var end: ChannelError??
  }

  private let capacity: Int
  private let state = Mutex(State())

  init(capacity: Int) {
    self.capacity = capacity
  }

  func queue(_ kind: Kind) -> Queue {
    state.withLock { state in
      if let queue = state.queues[kind] { return queue }
      let queue = Queue(capacity: capacity)
      if let end = state.end { queue.finish(end) }
      state.queues[kind] = queue
      return queue
    }
  }

  /// Nil when there are as many kinds as there may be.
  func queue(_ kind: Kind, atMost limit: Int) -> Queue? {
    let isKnown = state.withLock { $0.queues[kind] != nil || $0.queues.count < limit }
    return isKnown ? queue(kind) : nil
  }

  var queues: [Queue] { state.withLock { Array($0.queues.values) } }

  func finish(_ error: ChannelError?) {
    state.withLock { if $0.end == nil { $0.end = .some(error) } }
    for queue in queues { queue.finish(error) }
  }

  var count: Int { queues.reduce(0) { $0 + $1.count } }
}

final class Sorter<Root: StructSchema, Kind: Hashable & Sendable>: ContentSorter {
  let requests: KindQueues<Kind, IncomingCall>
  let notifications: KindQueues<Kind, MessageContent>
  private let kind: @Sendable (Root.Reader) throws -> Kind?

  init(capacity: Int, kind: @escaping @Sendable (Root.Reader) throws -> Kind?) {
    requests = KindQueues(capacity: capacity)
    notifications = KindQueues(capacity: capacity)
    self.kind = kind
  }

  private func kind(of content: MessageContent) -> Kind? {
    // What cannot be read is of no kind: who takes it finds out what is wrong with it.
    try? Message<Root>(content: content).read { try kind($0) }
  }

  func sort(_ call: IncomingCall) -> Bool? {
    guard let kind = kind(of: call.content) else { return nil }
    return requests.queue(kind, atMost: Dispatcher<Root, Kind>.kindLimit)?.deliver(call)
  }

  func sort(_ content: MessageContent) -> Bool? {
    guard let kind = kind(of: content) else { return nil }
    return notifications.queue(kind, atMost: Dispatcher<Root, Kind>.kindLimit)?.deliver(content)
  }

  func finish(_ error: ChannelError?) {
    requests.finish(error)
    notifications.finish(error)
  }

  func removeAll() {
    for queue in requests.queues { _ = queue.removeAll() }
    for queue in notifications.queues { _ = queue.removeAll() }
  }

  var counts: (requests: Int, notifications: Int) { (requests.count, notifications.count) }
}
