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
  @usableFromInline let core: ChannelCore
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
      throw ChannelError(error)
    }
  }

  /// A new message in private memory. Up to ``largestInlineByteCount`` it goes in its frame, so that no shared memory is
  /// needed; a larger one is copied to shared memory, and that is counted.
  public func makePrivateMessage() throws(ChannelError) -> MessageBuilder<Root> {
    do {
      // In one segment, as frames carry it.
      return try MessageBuilder(
        Root.self, allocator: HeapSegmentAllocator(firstSegmentByteCount: Self.largestInlineByteCount))
    } catch {
      throw .invalidMessage(error)
    }
  }

  /// Most bytes of a message in private memory that go in a frame.
  public static var largestInlineByteCount: Int { Carrier.largestInlineByteCount }

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
    let outgoing = unsafe try core.carrier.prepare(message.built, kind: .notification, correlation: 0, handles: handles)
    try await core.send(outgoing, deadline: ChannelCore.deadline(timeout))
  }

  /// As ``notify(_:handles:timeout:)``, but blocks the thread.
  @inlinable public func notifySync(
    _ message: borrowing MessageBuilder<Root>, handles: [Handle] = [], timeout: Duration? = nil
  ) throws(ChannelError) {
    unsafe try core.notifySync(message.built, handles, timeout)
  }

  /// The notifications that the other end sends. Several tasks may iterate; each notification goes to one of them.
  ///
  /// Ends with the channel: in order, or by throwing ``ChannelError/sessionEnded(_:)``.
  public var notifications: Notifications<Root> { Notifications(channel: self, queue: core.notifications) }

  /// The next notification; blocks the thread for it. Nil when the channel has ended in order.
  @inlinable public func nextNotificationSync(timeout: Duration? = nil) throws(ChannelError) -> Message<Root>? {
    try nextNotificationSync(from: core.notifications, timeout: timeout)
  }

  @inlinable func nextNotificationSync(
    from queue: Mailbox<MessageContent, ChannelError>, timeout: Duration?
  ) throws(ChannelError) -> Message<Root>? {
    guard let content = try core.nextContentSync(from: queue, timeout) else { return nil }
    return Message(content: content)
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
  /// - Throws: ``ChannelError``; ``ChannelError/failed(code:text:details:)`` when the other end answered with a failure.
  public func request(
    _ message: borrowing MessageBuilder<Root>, handles: [Handle] = [], timeout: Duration? = nil
  ) async throws(ChannelError) -> Message<Root> {
    // Sound here and below: the message is borrowed until the call returns.
    Message(content: unsafe try await core.request(message.built, handles, timeout))
  }

  /// As ``request(_:handles:timeout:)``, but blocks the thread.
  @inlinable public func requestSync(
    _ message: borrowing MessageBuilder<Root>, handles: [Handle] = [], timeout: Duration? = nil
  ) throws(ChannelError) -> Message<Root> {
    Message(content: unsafe try core.requestSync(message.built, handles, timeout))
  }

  /// The requests that the other end sends. Several tasks may iterate; each request goes to one of them.
  ///
  /// Ends with the channel: in order, or by throwing ``ChannelError/sessionEnded(_:)``.
  public var requests: Requests<Root> { Requests(channel: self, queue: core.requests) }

  /// The next request; blocks the thread for it. Nil when the channel has ended in order.
  @inlinable public func nextRequestSync(timeout: Duration? = nil) throws(ChannelError) -> Request<Root>? {
    try nextRequestSync(from: core.requests, timeout: timeout)
  }

  @inlinable func nextRequestSync(
    from queue: Mailbox<IncomingCall, ChannelError>, timeout: Duration?
  ) throws(ChannelError) -> Request<Root>? {
    guard let call = try core.nextCallSync(from: queue, timeout) else { return nil }
    return Request(call, on: self)
  }

  // MARK: The rest

  /// What carries the channel.
  public var linkKind: TransportKind { core.link.kind }
  /// Whether that is a link of its own, and not the one that all channels share.
  public var hasOwnLink: Bool { core.link !== core.carrier.link }

  /// Sends no more notifications and requests: after what was sent before, the other end's sequences of them end. Answers
  /// still go, both ways. Doing so twice does nothing.
  public func finishSending() {
    core.finishSending()
  }

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
}
