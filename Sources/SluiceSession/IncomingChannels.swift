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
      let item = await queue.next()
      if case .gaveUp = item { return nil }
      return try session.accept(item, gaveUp: .cancelled)
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
      return try session.opening(item, gaveUp: .cancelled).map { IncomingChannel($0, session) }
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
  public var metadata: Metadata { opening.metadata }
  private let opening: Control.ChannelOpening
  private let session: Session
  private let isAnswered = Atomic(false)

  init(_ opening: Control.ChannelOpening, _ session: Session) {
    self.opening = opening
    self.session = session
  }

  deinit {
    if takeAnswer() { session.core.refuse(opening.lane, .declined, "it was released without an answer") }
  }

  /// Opens the channel.
  ///
  /// - Throws: ``SessionError/sessionEnded(_:)``, ``SessionError/alreadyAnswered``.
  public func accept() throws(SessionError) -> Channel<Root> {
    guard takeAnswer() else { throw .alreadyAnswered }
    guard let core = session.core.accept(opening) else {
      throw .sessionEnded(session.core.state.withLock { $0.end } ?? .closed)
    }
    return Channel(core, metadata: opening.metadata)
  }

  /// Refuses the channel.
  ///
  /// - Parameter reason: For the opener; cut off after 1,024 bytes.
  /// - Throws: ``SessionError/alreadyAnswered``.
  public func refuse(_ reason: String) throws(SessionError) {
    guard takeAnswer() else { throw .alreadyAnswered }
    session.core.refuse(opening.lane, .declined, reason)
  }

  private func takeAnswer() -> Bool {
    !isAnswered.exchange(true, ordering: .relaxed)
  }
}
