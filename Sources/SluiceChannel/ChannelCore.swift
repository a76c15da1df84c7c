import CapnProto
import SluiceMemory
import SluiceSystem
import SluiceTransport
import SluiceWaiting
import Synchronization

/// A channel without the type of its messages: the driver around ``Correlation`` and the two mailboxes.
///
/// Thread-safe. Every request that begins ends exactly once: by its response, its deadline, its cancellation, or the end
/// of the channel, whichever comes first.
package final class ChannelCore: LaneReceiver, Sendable {
  /// How a request ends.
  typealias Answer = Result<MessageContent, ChannelError>

  /// A request that arrived.
  struct IncomingRequest: Sendable {
    let content: MessageContent
    let correlation: UInt64
  }

  /// Most requests that may wait for their response on one channel.
  static let pendingRequestLimit = 65_536

  package let lane: UInt32
  let carrier: Carrier
  /// Keeps the session as long as somebody uses the channel.
  let owner: any Sendable & AnyObject
  let requests: Mailbox<IncomingRequest, ChannelError>
  let notifications: Mailbox<MessageContent, ChannelError>

  private struct State {
    var correlation = Correlation<OneShot<Answer>>(limit: pendingRequestLimit)
    var end: ChannelError?
  }

  private let state = Mutex(State())

  package init(lane: UInt32, carrier: Carrier, window: UInt32, owner: any Sendable & AnyObject) {
    self.lane = lane
    self.carrier = carrier
    self.owner = owner
    requests = Mailbox(capacity: Int(window))
    notifications = Mailbox(capacity: Int(window))
  }

  var pendingRequestCount: Int { state.withLock { $0.correlation.pendingCount } }
  var lateResponseCount: UInt64 { state.withLock { $0.correlation.lateResponseCount } }

  /// Why nothing can be sent any more.
  private var endError: ChannelError { state.withLock { $0.end } ?? .closed }

  // MARK: Sending

  /// Sends without a response to wait for. Suspends while credit or room lack.
  func send(_ outgoing: consuming Carrier.Outgoing, deadline: ContinuousClock.Instant?) async throws(ChannelError) {
    var outgoing = outgoing
    while let signal = try attempt(&outgoing) {
      let timer = deadline.map { carrier.reactor.schedule(at: $0) { signal.fulfill(false) } }
      let isWorthwhile = await suspended { await signal.wait(onCancel: false) }
      timer?.cancel()
      try goOn(isWorthwhile, outgoing, deadline: deadline)
    }
  }

  /// As ``send(_:deadline:)``, but blocks the thread.
  func sendSync(_ outgoing: consuming Carrier.Outgoing, deadline: ContinuousClock.Instant?) throws(ChannelError) {
    var outgoing = outgoing
    while let signal = try attempt(&outgoing) {
      let isWorthwhile = signal.waitBlocking(deadline: deadline, onTimeout: false, draining: carrier.link)
      try goOn(isWorthwhile, outgoing, deadline: deadline)
    }
  }

  /// Nil when it was sent, else the signal to wait for. What cannot be sent is undone before the error is thrown.
  private func attempt(_ outgoing: inout Carrier.Outgoing) throws(ChannelError) -> OneShot<Bool>? {
    do throws(ChannelError) {
      switch try carrier.trySend(&outgoing, on: lane) {
      case .sent: return nil
      case .blocked(let signal): return signal
      case .ended: throw endError
      }
    } catch {
      carrier.abandon(outgoing)
      throw error
    }
  }

  private func goOn(
    _ isWorthwhile: Bool, _ outgoing: Carrier.Outgoing, deadline: ContinuousClock.Instant?
  ) throws(ChannelError) {
    guard !isWorthwhile else { return }
    carrier.abandon(outgoing)
    if let end = state.withLock({ $0.end }) { throw end }
    if let deadline, deadline <= .now { throw .timedOut }
    throw Task.isCancelled ? .cancelled : .closed
  }

  /// A request under way.
  struct Pending: Sendable {
    let correlation: UInt64
    let answer: OneShot<Answer>
  }

  /// Books a request, so that its response finds it however early it comes.
  func begin() throws(ChannelError) -> Pending {
    let answer = OneShot<Answer>()
    switch state.withLock({ $0.correlation.begin(answer) }) {
    case .began(let correlation): return Pending(correlation: correlation, answer: answer)
    case .full: throw .tooManyRequests(limit: Self.pendingRequestLimit)
    case .ended: throw endError
    }
  }

  func withdraw(_ pending: Pending) {
    _ = state.withLock { $0.correlation.withdraw(pending.correlation) }
  }

  /// Suspends for the response.
  func awaitAnswer(_ pending: Pending, deadline: ContinuousClock.Instant?) async throws(ChannelError) -> MessageContent
  {
    defer { withdraw(pending) }
    let timer = deadline.map { carrier.reactor.schedule(at: $0) { pending.answer.fulfill(.failure(.timedOut)) } }
    defer { timer?.cancel() }
    return try await suspended { await pending.answer.wait(onCancel: .failure(.cancelled)) }.get()
  }

  /// Blocks the thread for the response.
  func awaitAnswerSync(_ pending: Pending, deadline: ContinuousClock.Instant?) throws(ChannelError) -> MessageContent {
    defer { withdraw(pending) }
    return try pending.answer.waitBlocking(
      deadline: deadline, onTimeout: .failure(.timedOut), draining: carrier.link
    ).get()
  }

  /// The next element of a mailbox; suspends for it.
  func next<Element>(
    from mailbox: Mailbox<Element, ChannelError>
  ) async -> MailboxItem<Element, ChannelError> {
    if let item = mailbox.nextIfAny() { return item }
    return await suspended { await mailbox.next() }
  }

  /// Has the link looked after while a task is suspended for something from it.
  nonisolated(nonsending) private func suspended<Result>(
    _ wait: nonisolated(nonsending) () async -> Result
  ) async -> Result {
    carrier.link.beginSuspension()
    defer { carrier.link.endSuspension() }
    return await wait()
  }

  /// Answers a request with a failure; goes as soon as there is room, and nobody waits for that.
  func answer(_ correlation: UInt64, failure: Envelope.Failure) {
    var envelope = Envelope(kind: .failure, correlation: correlation)
    envelope.failure = failure
    var outgoing = Carrier.Outgoing(envelope: envelope, handles: [])
    guard let signal = try? attempt(&outgoing) else { return }  // sent, or the channel is gone
    Task { [outgoing] in
      guard await suspended({ await signal.wait(onCancel: false) }) else { return }
      try? await send(outgoing, deadline: nil)
    }
  }

  // MARK: Receiving

  package func receive(_ frame: RawSpan) -> LaneDelivery {
    let envelope: Envelope
    do {
      envelope = try Envelope(decoding: frame)
    } catch {
      return .violation("\(error)")
    }
    let isCharged = LaneHeader(frame)?.kind == .charged
    guard isCharged == (envelope.kind == .notification || envelope.kind == .request) else {
      return .violation("a \(envelope.kind) with the wrong charge on lane \(lane)")
    }
    if let failure = envelope.failure {
      let answer = state.withLock { $0.correlation.resolve(envelope.correlation) }
      answer?.fulfill(.failure(.failed(code: failure.code, text: failure.text)))
      return .done
    }
    switch carrier.admit(envelope) {
    case .needsControl: return .needsControl
    case .violation(let what): return .violation(what)
    case .ended: break
    case .admitted(let content): deliver(content, envelope)
    }
    return .done
  }

  private func deliver(_ content: MessageContent, _ envelope: Envelope) {
    switch envelope.kind {
    case .notification:
      if !notifications.deliver(content) { taken() }
    case .request:
      let request = IncomingRequest(content: content, correlation: envelope.correlation)
      if !requests.deliver(request) {
        taken()
        let failure = Envelope.Failure(code: ChannelFailureCode.notTaken, text: "the channel takes no more requests")
        answer(envelope.correlation, failure: failure)
      }
    case .response:
      state.withLock { $0.correlation.resolve(envelope.correlation) }?.fulfill(.success(content))
    case .failure:
      break  // has no content, and was handled before
    }
  }

  /// A queued message was taken: the other end may send another.
  func taken() {
    carrier.link.frameTaken(on: lane)
  }

  // MARK: The end

  /// Closes the channel at this end, and says so to the other.
  package func close() {
    guard end(.closed) else { return }
    carrier.link.close(lane)
    carrier.laneClosed(lane)
    // Nobody will take these: their leases go back.
    _ = requests.removeAll()
    _ = notifications.removeAll()
  }

  /// The other end closed the channel. What it sent before can still be taken.
  package func closedByPeer() {
    guard end(.closed) else { return }
    carrier.laneClosed(lane)
  }

  /// The session ended. What was received before can still be taken.
  package func sessionEnded(_ reason: SessionEnd) {
    end(.sessionEnded(reason))
  }

  /// Fails what is pending, once; false when the channel had ended before.
  @discardableResult private func end(_ error: ChannelError) -> Bool {
    let pending = state.withLock { state -> [OneShot<Answer>]? in
      guard state.end == nil else { return nil }
      state.end = error
      return state.correlation.end()
    }
    guard let pending else { return false }
    for answer in pending { answer.fulfill(.failure(error)) }
    requests.finish(error.isOrderly ? nil : error)
    notifications.finish(error.isOrderly ? nil : error)
    return true
  }
}

extension ChannelError {
  /// Whether a sequence of messages just ends with this, instead of throwing it.
  fileprivate var isOrderly: Bool {
    switch self {
    case .closed, .sessionEnded(.closed), .sessionEnded(.closedByPeer): true
    default: false
    }
  }
}
