import CapnProto
import SluiceSystem
import SluiceTransport
import SluiceWaiting

/// A bidirectional stream of messages with the root type `Root`, inside of a session.
///
/// A message goes as a small envelope; its content stays in shared memory where it was built, and the other end reads it
/// there. So a built message can be sent many times, and on many channels, for the cost of the envelope.
///
/// Thread-safe. Each `async` call has a blocking twin, `…Sync`, for threads that may block. The channel is closed when it
/// is released, and by ``close()``; it keeps its session's resources until then.
public final class Channel<Root: StructSchema>: Sendable {
  let core: ChannelCore
  /// What the opener said about the channel.
  public let metadata: Metadata

  package init(_ core: ChannelCore, metadata: Metadata) {
    self.core = core
    self.metadata = metadata
  }

  deinit {
    core.close()
  }

  /// A new message in the session's shared memory, to be filled and sent. It needs no room in private memory.
  ///
  /// - Throws: ``ChannelError/outOfMemory(_:)`` when the session's arena is at its limit, also after what the other end
  ///   has released was taken back.
  public func makeMessage() throws(ChannelError) -> MessageBuilder<Root> {
    do {
      return try MessageBuilder(Root.self, allocator: core.carrier.makeMemory())
    } catch {
      throw .invalidMessage(error)
    }
  }

  // MARK: Notifications

  /// Sends a message that expects no answer. Suspends while the other end lags behind.
  ///
  /// - Parameters:
  ///   - message: Stays the caller's: it can be sent again.
  ///   - handles: Descriptors that go with it; at most ``Envelope/handleCountLimit``.
  ///   - timeout: How long to wait for credit and room; nil for ever.
  public func notify(
    _ message: borrowing MessageBuilder<Root>, handles: [Handle] = [], timeout: Duration? = nil
  ) async throws(ChannelError) {
    let outgoing = try core.carrier.prepare(message, kind: .notification, correlation: 0, handles: handles)
    try await core.send(outgoing, deadline: Self.deadline(timeout))
  }

  /// As ``notify(_:handles:timeout:)``, but blocks the thread.
  public func notifySync(
    _ message: borrowing MessageBuilder<Root>, handles: [Handle] = [], timeout: Duration? = nil
  ) throws(ChannelError) {
    let outgoing = try core.carrier.prepare(message, kind: .notification, correlation: 0, handles: handles)
    try core.sendSync(outgoing, deadline: Self.deadline(timeout))
  }

  /// The notifications that the other end sends. Several tasks may iterate; each notification goes to one of them.
  ///
  /// Ends with the channel: in order, or by throwing ``ChannelError/sessionEnded(_:)``.
  public var notifications: Notifications<Root> { Notifications(channel: self) }

  /// The next notification; blocks the thread for it. Nil when the channel has ended in order.
  public func nextNotificationSync(timeout: Duration? = nil) throws(ChannelError) -> Message<Root>? {
    let item = core.notifications.nextBlocking(deadline: Self.deadline(timeout), draining: core.carrier.link)
    return try item.taken(from: core, gaveUp: .timedOut).map { Message(content: $0) }
  }

  // MARK: Requests

  /// Sends a message and waits for its response.
  ///
  /// Cost: no byte of either message is copied. A response that comes after the deadline or a cancellation is dropped and
  /// counted; the channel works on.
  ///
  /// - Parameters:
  ///   - message: Stays the caller's: it can be sent again.
  ///   - handles: Descriptors that go with it; at most ``Envelope/handleCountLimit``.
  ///   - timeout: How long to wait, from now until the response is here; nil for ever.
  /// - Throws: ``ChannelError``; ``ChannelError/failed(code:text:)`` when the other end answered with a failure.
  public func request(
    _ message: borrowing MessageBuilder<Root>, handles: [Handle] = [], timeout: Duration? = nil
  ) async throws(ChannelError) -> Message<Root> {
    let deadline = Self.deadline(timeout)
    let (pending, outgoing) = try begin(message, handles)
    do {
      try await core.send(outgoing, deadline: deadline)
    } catch {
      core.withdraw(pending)
      throw error
    }
    return Message(content: try await core.awaitAnswer(pending, deadline: deadline))
  }

  /// As ``request(_:handles:timeout:)``, but blocks the thread.
  public func requestSync(
    _ message: borrowing MessageBuilder<Root>, handles: [Handle] = [], timeout: Duration? = nil
  ) throws(ChannelError) -> Message<Root> {
    let deadline = Self.deadline(timeout)
    let (pending, outgoing) = try begin(message, handles)
    do {
      try core.sendSync(outgoing, deadline: deadline)
    } catch {
      core.withdraw(pending)
      throw error
    }
    return Message(content: try core.awaitAnswerSync(pending, deadline: deadline))
  }

  private func begin(
    _ message: borrowing MessageBuilder<Root>, _ handles: [Handle]
  ) throws(ChannelError) -> (ChannelCore.Pending, Carrier.Outgoing) {
    let pending = try core.begin()
    do {
      let outgoing = try core.carrier.prepare(
        message, kind: .request, correlation: pending.correlation, handles: handles)
      return (pending, outgoing)
    } catch {
      core.withdraw(pending)
      throw error
    }
  }

  /// The requests that the other end sends. Several tasks may iterate; each request goes to one of them.
  ///
  /// Ends with the channel: in order, or by throwing ``ChannelError/sessionEnded(_:)``.
  public var requests: Requests<Root> { Requests(channel: self) }

  /// The next request; blocks the thread for it. Nil when the channel has ended in order.
  public func nextRequestSync(timeout: Duration? = nil) throws(ChannelError) -> Request<Root>? {
    let item = core.requests.nextBlocking(deadline: Self.deadline(timeout), draining: core.carrier.link)
    return try item.taken(from: core, gaveUp: .timedOut).map { Request($0, on: self) }
  }

  // MARK: The rest

  /// Closes the channel. What is pending fails with ``ChannelError/closed``, here and, after what was sent before, at the
  /// other end. Closing twice does nothing.
  public func close() {
    core.close()
  }

  /// Where the segments of a message that was built with ``makeMessage()`` stand; empty for one in private memory.
  public func placement(of message: borrowing MessageBuilder<Root>) -> [SegmentPlacement] {
    guard let memory = message.allocator as? ArenaSegmentAllocator else { return [] }
    return memory.placed.prefix(message.segmentCount).enumerated().map { index, piece in
      // Only the length is read: sound while `message` is borrowed.
      SegmentPlacement(
        segmentName: piece.segment.name, inode: piece.segment.inode, offset: piece.offset,
        byteCount: unsafe message.segment(at: index).count)
    }
  }

  /// What happened on this channel so far.
  public var statistics: ChannelStatistics {
    ChannelStatistics(
      requestsPending: core.pendingRequestCount, lateResponses: core.lateResponseCount,
      requestsQueued: core.requests.count, notificationsQueued: core.notifications.count)
  }

  private static func deadline(_ timeout: Duration?) -> ContinuousClock.Instant? {
    timeout.map { .now.advanced(by: $0) }
  }
}

/// Counts of one channel at one moment.
public struct ChannelStatistics: Sendable, Hashable {
  /// Requests of this end that wait for their response.
  public let requestsPending: Int
  /// Responses that came after their request was given up, or that answer nothing that was asked.
  public let lateResponses: UInt64
  /// Requests of the other end that nobody took yet.
  public let requestsQueued: Int
  /// Notifications of the other end that nobody took yet.
  public let notificationsQueued: Int
}

extension MailboxItem where Failure == ChannelError {
  /// The element, booked as taken; nil at an orderly end.
  func taken(from core: ChannelCore, gaveUp: ChannelError) throws(ChannelError) -> Element? {
    switch self {
    case .element(let element):
      core.taken()
      return element
    case .finished: return nil
    case .failed(let error): throw error
    case .gaveUp: throw gaveUp
    }
  }
}
