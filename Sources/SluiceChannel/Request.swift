import CapnProto
import SluiceSystem
import Synchronization

/// A request that the other end waits to have answered: once, with a message or a failure.
///
/// Thread-safe. One that is released without an answer is answered with ``ChannelFailureCode/unanswered``, so that its
/// requester does not wait in vain.
public final class Request<Root: StructSchema>: Sendable {
  /// What was asked.
  public var message: Message<Root> { Message(content: content) }
  private let content: MessageContent
  /// Kept, so that the channel is not closed before the answer.
  private let channel: Channel<Root>
  private let correlation: UInt64
  private let isAnswered = Atomic(false)

  init(_ incoming: ChannelCore.IncomingRequest, on channel: Channel<Root>) {
    content = incoming.content
    correlation = incoming.correlation
    self.channel = channel
  }

  deinit {
    if takeAnswer() {
      channel.core.answer(
        correlation,
        failure: Envelope.Failure(code: ChannelFailureCode.unanswered, text: "the request was released unanswered"))
    }
  }

  /// Answers with a message, which stays the caller's: it can be sent again, also as the answer to other requests.
  ///
  /// - Throws: ``ChannelError/alreadyAnswered``, and what ``Channel/notify(_:handles:timeout:)`` throws.
  public func reply(
    _ response: borrowing MessageBuilder<Root>, handles: [Handle] = []
  ) async throws(ChannelError) {
    try await channel.core.send(prepare(response, handles), deadline: nil)
  }

  /// As ``reply(_:handles:)``, but blocks the thread.
  public func replySync(_ response: borrowing MessageBuilder<Root>, handles: [Handle] = []) throws(ChannelError) {
    try channel.core.sendSync(prepare(response, handles), deadline: nil)
  }

  /// Answers with a failure; goes as soon as there is room.
  ///
  /// - Parameters:
  ///   - code: The application's own, below ``ChannelFailureCode/firstReserved``.
  ///   - text: For people; cut off after ``Envelope/failureTextLimit`` bytes.
  /// - Throws: ``ChannelError/alreadyAnswered``.
  public func fail(code: UInt32, text: String) throws(ChannelError) {
    guard takeAnswer() else { throw .alreadyAnswered }
    channel.core.answer(
      correlation, failure: Envelope.Failure(code: code, text: text.prefix(utf8: Envelope.failureTextLimit)))
  }

  private func prepare(
    _ response: borrowing MessageBuilder<Root>, _ handles: [Handle]
  ) throws(ChannelError) -> Carrier.Outgoing {
    guard !isAnswered.load(ordering: .relaxed) else { throw .alreadyAnswered }
    // Fails before the answer is taken, so that a message that cannot go leaves room for another answer.
    let outgoing = try channel.core.carrier.prepare(
      response, kind: .response, correlation: correlation, handles: handles)
    guard takeAnswer() else {
      channel.core.carrier.abandon(outgoing)
      throw .alreadyAnswered
    }
    return outgoing
  }

  private func takeAnswer() -> Bool {
    !isAnswered.exchange(true, ordering: .relaxed)
  }
}

extension String {
  /// The longest beginning of whole characters within `limit` bytes.
  package func prefix(utf8 limit: Int) -> String {
    var end = startIndex
    var byteCount = 0
    while end < endIndex {
      byteCount += self[end].utf8.count
      if byteCount > limit { break }
      end = index(after: end)
    }
    return String(self[..<end])
  }
}
