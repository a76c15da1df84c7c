import CapnProto
import SluiceChannel
import SluiceTransport
import Synchronization

/// The channels of one type that the other end of a session opens.
public struct Channels<Root: StructSchema>: AsyncSequence, Sendable {
  /// Kept, so that the session is not closed under the loop.
  let session: Session
  let queue: WaitingChannels.Queue

  /// Takes and accepts one channel after the other.
  public struct AsyncIterator: AsyncIteratorProtocol {
    let session: Session
    let queue: WaitingChannels.Queue

    /// The next channel; nil when the session has ended in order, or the task was cancelled.
    public mutating func next() async throws(SessionError) -> Channel<Root>? {
      while true {
        let item = await queue.next()
        if case .gaveUp = item { return nil }
        switch try session.accept(Root.self, item, gaveUp: .cancelled) {
        case .accepted(let channel): return channel
        case .finished: return nil
        case .refused: continue
        }
      }
    }
  }

  /// Another iterator: each channel goes to one of them.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(session: session, queue: queue) }
}

/// The channels of one type that the other end of a session opens, to be accepted or refused.
public struct IncomingChannels<Root: StructSchema>: AsyncSequence, Sendable {
  /// Kept, so that the session is not closed under the loop.
  let session: Session
  let queue: WaitingChannels.Queue

  /// Takes one after the other.
  public struct AsyncIterator: AsyncIteratorProtocol {
    let session: Session
    let queue: WaitingChannels.Queue

    /// The next one; nil when the session has ended in order, or the task was cancelled.
    public mutating func next() async throws(SessionError) -> IncomingChannel<Root>? {
      let item = await queue.next()
      if case .gaveUp = item { return nil }
      return try session.offer(item, gaveUp: .cancelled).map { IncomingChannel($0, session) }
    }
  }

  /// Another iterator: each channel goes to one of them.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(session: session, queue: queue) }
}

/// A channel that the other end wants to open. It is answered once; released without an answer, it is refused.
///
/// Thread-safe.
public final class IncomingChannel<Root: StructSchema>: Sendable {
  /// What the opener says about it.
  public var metadata: Metadata { offer.opening.metadata }
  /// Whether it is to have a link of its own, which costs descriptors.
  public var wantsOwnLink: Bool { offer.opening.dedicated != nil }
  private let offer: ChannelOffer
  private let session: Session
  private let isAnswered = Atomic(false)

  init(_ offer: ChannelOffer, _ session: Session) {
    self.offer = offer
    self.session = session
  }

  deinit {
    if takeAnswer() { session.core.refuse(offer.opening.lane, .declined, "it was released without an answer") }
  }

  /// Opens the channel.
  ///
  /// - Throws: ``SessionError/sessionEnded(_:)``, ``SessionError/alreadyAnswered``; what is missing for a link of the
  ///   channel's own: the opener is told, too.
  public func accept() throws(SessionError) -> Channel<Root> {
    guard takeAnswer() else { throw .alreadyAnswered }
    guard let core = try session.core.accept(offer) else {
      throw .sessionEnded(session.core.state.withLock { $0.end } ?? .closed)
    }
    return Channel(core, metadata: metadata)
  }

  /// Refuses the channel.
  ///
  /// - Parameter reason: For the opener; cut off after 1,024 bytes.
  /// - Throws: ``SessionError/alreadyAnswered``.
  public func refuse(_ reason: String) throws(SessionError) {
    guard takeAnswer() else { throw .alreadyAnswered }
    session.core.refuse(offer.opening.lane, .declined, reason)
  }

  private func takeAnswer() -> Bool {
    !isAnswered.exchange(true, ordering: .relaxed)
  }
}
