import CapnProto
import SluiceSystem
import SluiceWaiting

/// A request that the other end waits to have answered: with a message, a stream of them, or a failure.
///
/// Thread-safe. One that is released without an answer is answered with ``ChannelFailureCode/unanswered``, so that its
/// requester does not wait in vain. Its requester may withdraw it: see ``isCancelled`` and ``cancellable(_:)``.
public final class Request<Root: StructSchema>: Sendable {
  /// What was asked.
  @inlinable public var message: Message<Root> { Message(content: call.content) }
  /// When the requester gives up, as it said; nil if it waits as long as it takes.
  public var deadline: ContinuousClock.Instant? { call.deadline }
  /// Whether nobody waits for the answer any more: the requester was cancelled, its deadline has passed, or the channel has
  /// ended. An answer is then dropped.
  public var isCancelled: Bool { call.isCancelled }

  @usableFromInline let call: IncomingCall
  /// Kept, so that the channel is not closed before the answer.
  @usableFromInline let channel: Channel<Root>

  @inlinable init(_ call: IncomingCall, on channel: Channel<Root>) {
    self.call = call
    self.channel = channel
  }

  deinit {
    if call.takeAnswer() { channel.core.releasedUnanswered(call) }
  }

  // MARK: One response

  /// Answers with a message, which stays the caller's: it can be sent again, also as the answer to other requests. After
  /// items of a stream, it is the last of them.
  ///
  /// - Throws: ``ChannelError/alreadyAnswered``; ``ChannelError/withdrawn`` when nobody waits for it; and what
  ///   ``Channel/notify(_:handles:timeout:)`` throws.
  public func reply(
    _ response: borrowing MessageBuilder<Root>, handles: [Handle] = []
  ) async throws(ChannelError) {
    let outgoing = try prepare(response, handles)
    try await channel.core.send(outgoing, answering: call)
  }

  /// As ``reply(_:handles:)``, but blocks the thread.
  @inlinable public func replySync(
    _ response: borrowing MessageBuilder<Root>, handles: [Handle] = []
  ) throws(ChannelError) {
    // Sound: the response is borrowed until it is sent.
    unsafe try channel.core.replySync(to: call, response.built, handles)
  }

  /// Answers with a failure; goes as soon as there is room. After items of a stream, it ends the stream.
  ///
  /// - Parameters:
  ///   - code: The application's own, below ``ChannelFailureCode/firstReserved``.
  ///   - text: For people; cut off after ``Envelope/failureTextLimit`` bytes.
  ///   - details: For programs: the application's own bytes, or a struct.
  /// - Throws: ``ChannelError/alreadyAnswered``, ``ChannelError/detailsTooLong(byteCount:limit:)``,
  ///   ``ChannelError/reservedFailureCode(_:)``.
  public func fail(code: UInt32, text: String, details: Metadata = .none) throws(ChannelError) {
    guard code < ChannelFailureCode.firstReserved else { throw .reservedFailureCode(code) }
    guard details.bytes.count <= Metadata.byteCountLimit else {
      throw .detailsTooLong(byteCount: details.bytes.count, limit: Metadata.byteCountLimit)
    }
    guard call.takeAnswer() else { throw .alreadyAnswered }
    guard !call.isCancelled else { return channel.core.callEnded(call) }
    channel.core.answer(
      call,
      failure: Envelope.Failure(code: code, text: text.prefix(utf8: Envelope.failureTextLimit), details: details))
  }

  // MARK: A stream

  /// Sends one of a stream of responses, which ``finish()``, ``reply(_:handles:)`` or ``fail(code:text:details:)`` ends.
  /// Suspends while the requester lags behind.
  ///
  /// - Throws: As ``reply(_:handles:)``.
  public func send(
    _ item: borrowing MessageBuilder<Root>, handles: [Handle] = []
  ) async throws(ChannelError) {
    while let signal = try takeCredit() {
      let isWorthwhile = await channel.core.suspended { await signal.wait(onCancel: false) }
      guard isWorthwhile else { throw Task.isCancelled ? .cancelled : .withdrawn }
    }
    do {
      try await channel.core.send(prepareItem(item, handles), deadline: nil)
    } catch {
      call.putBackCredit()
      throw error
    }
  }

  /// As ``send(_:handles:)``, but blocks the thread.
  public func sendSync(_ item: borrowing MessageBuilder<Root>, handles: [Handle] = []) throws(ChannelError) {
    while let signal = try takeCredit() {
      guard signal.waitBlocking(deadline: nil, onTimeout: false, draining: channel.core.link) else {
        throw .withdrawn
      }
    }
    do {
      try channel.core.sendSync(prepareItem(item, handles), deadline: nil)
    } catch {
      call.putBackCredit()
      throw error
    }
  }

  /// Ends a stream of responses in order.
  ///
  /// - Throws: ``ChannelError/alreadyAnswered``.
  public func finish() throws(ChannelError) {
    guard call.takeAnswer() else { throw .alreadyAnswered }
    if !call.isCancelled { channel.core.signal(.end, call.number) }
    channel.core.callEnded(call)
  }

  // MARK: Cancellation

  /// Runs `body` in a task that is cancelled when nobody waits for the answer any more (but not at the deadline itself: the
  /// requester says when that has passed), or when the calling task is.
  public func cancellable<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async throws -> R {
    let task = Task { try await body() }
    // Not at once: handlers of the task's own would run in the middle of a delivery, which they might wait for.
    call.onCancel { Task { task.cancel() } }
    return try await withTaskCancellationHandler {
      try await task.value
    } onCancel: {
      task.cancel()
    }
  }

  private func takeCredit() throws(ChannelError) -> OneShot<Bool>? {
    guard !call.isAnswered else { throw .alreadyAnswered }
    guard !call.isCancelled else { throw .withdrawn }
    return call.takeCredit(window: channel.core.window)
  }

  private func prepareItem(
    _ item: borrowing MessageBuilder<Root>, _ handles: [Handle]
  ) throws(ChannelError) -> Carrier.Outgoing {
    // Sound: the item is borrowed until it is sent.
    unsafe try channel.core.carrier.prepare(item.built, kind: .item, correlation: call.number, handles: handles)
  }

  private func prepare(
    _ response: borrowing MessageBuilder<Root>, _ handles: [Handle]
  ) throws(ChannelError) -> Carrier.Outgoing {
    // Sound: the response is borrowed until it is sent.
    unsafe try channel.core.prepareReply(to: call, response.built, handles)
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
