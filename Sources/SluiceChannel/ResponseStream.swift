import CapnProto
import SluiceSystem
import SluiceWaiting
import Synchronization

/// The responses to one request, one after the other, as they come. The sender is held back while nobody takes them.
///
/// Thread-safe; each response goes to one taker. Ends in order, or by throwing: a failure of the other end
/// (``ChannelError/failed(code:text:details:)``), the deadline, or the end of the channel. When it is released, or
/// cancelled, before that, the other end is told, so that it can stop.
public final class ResponseStream<Root: StructSchema>: AsyncSequence, Sendable {
  private let core: ChannelCore
  private let number: UInt64
  private let stream: IncomingStream
  private let deadline: ContinuousClock.Instant?
  /// Kept, so that the channel is not closed under the stream.
  private let channel: Channel<Root>

  init(_ number: UInt64, _ stream: IncomingStream, on channel: Channel<Root>, deadline: ContinuousClock.Instant?) {
    core = channel.core
    self.number = number
    self.stream = stream
    self.channel = channel
    self.deadline = deadline
  }

  deinit {
    cancel()
  }

  /// The request itself.
  fileprivate func prepare(
    _ message: BuiltSegments, _ handles: [Handle], _ timeout: Duration?
  ) throws(ChannelError) -> Carrier.Outgoing {
    var outgoing = try core.carrier.prepare(message, kind: .request, correlation: number, handles: handles)
    outgoing.envelope.timeout = ChannelCore.wireTimeout(timeout)
    return outgoing
  }

  /// The request could not be sent.
  fileprivate func withdraw() { core.withdraw(number) }

  /// Wants no more responses: the other end is told, and what waits to be taken is released. Once.
  public func cancel() {
    core.giveUp(number)
    stream.end(.cancelled)
    _ = stream.items.removeAll()
  }

  /// The next response; nil after the last. Suspends for it. When the task is cancelled, so is the stream.
  ///
  /// - Throws: ``ChannelError``; ``ChannelError/timedOut`` at the deadline of the whole.
  public func next() async throws(ChannelError) -> Message<Root>? {
    let timer = deadline.map { deadline in
      core.carrier.reactor.schedule(at: deadline) { [core, number, stream] in
        core.giveUp(number)
        stream.end(.timedOut)
      }
    }
    defer { timer?.cancel() }
    return try taken(await core.next(from: stream.items), gaveUp: .cancelled)
  }

  /// As ``next()``, but blocks the thread.
  public func nextSync() throws(ChannelError) -> Message<Root>? {
    try taken(stream.items.nextBlocking(deadline: deadline, draining: core.link), gaveUp: .timedOut)
  }

  private func taken(
    _ item: MailboxItem<MessageContent, ChannelError>, gaveUp: ChannelError
  ) throws(ChannelError) -> Message<Root>? {
    switch item {
    case .element(let content):
      core.grant(stream.taken(), to: stream, number)
      return Message(content: content)
    case .finished: return nil
    case .failed(let error): throw error
    case .gaveUp:
      cancel()
      throw gaveUp
    }
  }

  /// Takes the responses for a `for await` loop.
  public struct AsyncIterator: AsyncIteratorProtocol {
    let stream: ResponseStream

    /// The next response; nil after the last.
    public mutating func next() async throws(ChannelError) -> Message<Root>? { try await stream.next() }

    /// As ``next()``, without leaving the caller's actor.
    public mutating func next(
      isolation actor: isolated (any Actor)?
    ) async throws(ChannelError) -> Message<Root>? { try await stream.next() }
  }

  /// Another iterator: each response goes to one of them.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: self) }
}

extension Channel {
  /// Sends a message and takes a stream of responses.
  ///
  /// - Parameters:
  ///   - message: Stays the caller's: it can be sent again.
  ///   - handles: Descriptors that go with it; at most ``Envelope/handleCountLimit``.
  ///   - timeout: How long to wait, from now until the last response is here; nil for ever.
  /// - Throws: As ``request(_:handles:timeout:)``.
  public func requestStream(
    _ message: borrowing MessageBuilder<Root>, handles: [Handle] = [], timeout: Duration? = nil
  ) async throws(ChannelError) -> ResponseStream<Root> {
    let deadline = ChannelCore.deadline(timeout)
    let begun = try beginStream(deadline)
    do {
      // Sound: the message is borrowed until it is sent.
      let outgoing = try unsafe begun.prepare(message.built, handles, timeout)
      try await core.send(outgoing, deadline: deadline)
    } catch {
      begun.withdraw()
      throw error
    }
    return begun
  }

  /// As ``requestStream(_:handles:timeout:)``, but blocks the thread.
  public func requestStreamSync(
    _ message: borrowing MessageBuilder<Root>, handles: [Handle] = [], timeout: Duration? = nil
  ) throws(ChannelError) -> ResponseStream<Root> {
    let deadline = ChannelCore.deadline(timeout)
    let begun = try beginStream(deadline)
    do {
      // Sound: the message is borrowed until it is sent.
      let outgoing = try unsafe begun.prepare(message.built, handles, timeout)
      try core.sendSync(outgoing, deadline: deadline)
    } catch {
      begun.withdraw()
      throw error
    }
    return begun
  }

  /// Books the request; the release of what is returned withdraws it.
  private func beginStream(_ deadline: ContinuousClock.Instant?) throws(ChannelError) -> ResponseStream<Root> {
    let stream = IncomingStream(window: core.window)
    return ResponseStream(try core.begin(.stream(stream)), stream, on: self, deadline: deadline)
  }
}
