import CapnProto
import SluiceWaiting

/// The requests that arrive on a channel.
public struct Requests<Root: StructSchema>: AsyncSequence, Sendable {
  /// Kept, so that the channel is not closed under the loop.
  let channel: Channel<Root>
  let queue: Mailbox<IncomingCall, ChannelError>

  /// Takes one request after the other.
  public struct AsyncIterator: AsyncIteratorProtocol {
    let channel: Channel<Root>
    let queue: Mailbox<IncomingCall, ChannelError>

    /// The next request; nil when the channel has ended in order, or the task was cancelled.
    public mutating func next() async throws(ChannelError) -> Request<Root>? { try await next(isolation: #isolation) }

    /// As ``next()``, without leaving the caller's actor.
    public mutating func next(
      isolation actor: isolated (any Actor)?
    ) async throws(ChannelError) -> Request<Root>? {
      while true {
        let item = await channel.core.next(from: queue)
        if case .gaveUp = item { return nil }
        guard let call = try item.taken(from: channel.core, gaveUp: .cancelled) else { return nil }
        if channel.core.isWanted(call) { return Request(call, on: channel) }
      }
    }
  }

  /// Another iterator: each request goes to one of them.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(channel: channel, queue: queue) }
}

/// The notifications that arrive on a channel.
public struct Notifications<Root: StructSchema>: AsyncSequence, Sendable {
  /// Kept, so that the channel is not closed under the loop.
  let channel: Channel<Root>
  let queue: Mailbox<MessageContent, ChannelError>

  /// Takes one notification after the other.
  public struct AsyncIterator: AsyncIteratorProtocol {
    let channel: Channel<Root>
    let queue: Mailbox<MessageContent, ChannelError>

    /// The next notification; nil when the channel has ended in order, or the task was cancelled.
    public mutating func next() async throws(ChannelError) -> Message<Root>? { try await next(isolation: #isolation) }

    /// As ``next()``, without leaving the caller's actor.
    public mutating func next(
      isolation actor: isolated (any Actor)?
    ) async throws(ChannelError) -> Message<Root>? {
      let item = await channel.core.next(from: queue)
      if case .gaveUp = item { return nil }
      guard let content = try item.taken(from: channel.core, gaveUp: .cancelled) else { return nil }
      return Message(content: content)
    }
  }

  /// Another iterator: each notification goes to one of them.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(channel: channel, queue: queue) }
}
