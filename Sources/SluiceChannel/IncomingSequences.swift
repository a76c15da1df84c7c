import CapnProto

/// The requests that arrive on a channel.
public struct Requests<Root: StructSchema>: AsyncSequence, Sendable {
  /// Kept, so that the channel is not closed under the loop.
  let channel: Channel<Root>

  /// Takes one request after the other.
  public struct AsyncIterator: AsyncIteratorProtocol {
    let channel: Channel<Root>

    /// The next request; nil when the channel has ended in order, or the task was cancelled.
    public mutating func next() async throws(ChannelError) -> Request<Root>? {
      let item = await channel.core.next(from: channel.core.requests)
      if case .gaveUp = item { return nil }
      return try item.taken(from: channel.core, gaveUp: .cancelled).map { Request($0, on: channel) }
    }
  }

  /// Another iterator: each request goes to one of them.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(channel: channel) }
}

/// The notifications that arrive on a channel.
public struct Notifications<Root: StructSchema>: AsyncSequence, Sendable {
  /// Kept, so that the channel is not closed under the loop.
  let channel: Channel<Root>

  /// Takes one notification after the other.
  public struct AsyncIterator: AsyncIteratorProtocol {
    let channel: Channel<Root>

    /// The next notification; nil when the channel has ended in order, or the task was cancelled.
    public mutating func next() async throws(ChannelError) -> Message<Root>? {
      let item = await channel.core.next(from: channel.core.notifications)
      if case .gaveUp = item { return nil }
      return try item.taken(from: channel.core, gaveUp: .cancelled).map { Message(content: $0) }
    }
  }

  /// Another iterator: each notification goes to one of them.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(channel: channel) }
}
