import CapnProto
import SluiceSystem
import SluiceWaiting
import Synchronization

/// Sending and taking requests, whatever the type of their messages. Not generic: it is compiled once, as it is.
///
/// Who passes `BuiltSegments` borrows their builder until the call returns.
extension ChannelCore {
  /// A request under way.
  struct Pending: Sendable {
    let correlation: UInt64
    fileprivate(set) var answer: OneShot<Answer>
  }

  /// Answers that are kept at most for later requests.
  private static let spareAnswerLimit = 16

  // MARK: Whole exchanges

  /// Sends a request and suspends for its response.
  func request(
    _ message: BuiltSegments, _ handles: [Handle], _ timeout: Duration?
  ) async throws(ChannelError) -> MessageContent {
    let deadline = Self.deadline(timeout)
    var pending = try begin()
    defer { giveUp(&pending) }
    let outgoing = try prepare(message, for: pending, handles, timeout)
    do {
      try await send(outgoing, deadline: deadline)
    } catch {
      withdraw(pending)
      throw error
    }
    return try await awaitAnswer(pending, deadline: deadline)
  }

  /// As ``request(_:_:_:)``, but blocks the thread.
  @usableFromInline func requestSync(
    _ message: BuiltSegments, _ handles: [Handle], _ timeout: Duration?
  ) throws(ChannelError) -> MessageContent {
    let deadline = Self.deadline(timeout)
    var pending = try begin()
    defer { giveUp(&pending) }
    let outgoing = try prepare(message, for: pending, handles, timeout)
    do {
      try sendSync(outgoing, deadline: deadline)
    } catch {
      withdraw(pending)
      throw error
    }
    return try awaitAnswerSync(pending, deadline: deadline)
  }

  private func prepare(
    _ message: BuiltSegments, for pending: Pending, _ handles: [Handle], _ timeout: Duration?
  ) throws(ChannelError) -> Carrier.Outgoing {
    do {
      var outgoing = try carrier.prepare(
        message, kind: .request, correlation: pending.correlation, handles: handles)
      if timeout != nil { outgoing.envelope.timeout = Self.wireTimeout(timeout) }
      return outgoing
    } catch {
      withdraw(pending)
      throw error
    }
  }

  /// Blocks the thread for the next request of the other end; nil when the channel has ended in order.
  @usableFromInline func nextCallSync(
    from queue: Mailbox<IncomingCall, ChannelError>, _ timeout: Duration?
  ) throws(ChannelError) -> IncomingCall? {
    let deadline = Self.deadline(timeout)
    while true {
      let item = queue.nextBlocking(deadline: deadline, draining: link)
      guard let call = try item.taken(from: self, gaveUp: .timedOut) else { return nil }
      if isWanted(call) { return call }
    }
  }

  /// Blocks the thread for the next notification; nil when the channel has ended in order.
  @usableFromInline func nextContentSync(
    from queue: Mailbox<MessageContent, ChannelError>, _ timeout: Duration?
  ) throws(ChannelError) -> MessageContent? {
    try queue.nextBlocking(deadline: Self.deadline(timeout), draining: link).taken(from: self, gaveUp: .timedOut)
  }

  /// Sends a notification; blocks the thread while credit or room lack.
  @usableFromInline func notifySync(
    _ message: BuiltSegments, _ handles: [Handle], _ timeout: Duration?
  ) throws(ChannelError) {
    let outgoing = try carrier.prepare(message, kind: .notification, correlation: 0, handles: handles)
    try sendSync(outgoing, deadline: Self.deadline(timeout))
  }

  /// Whether its requester still waits for the answer; if not, the call is over.
  func isWanted(_ call: IncomingCall) -> Bool {
    guard call.isCancelled else { return true }
    callEnded(call)
    return false
  }

  // MARK: Answers

  /// Answers a request; blocks the thread while room lacks.
  @usableFromInline func replySync(
    to call: IncomingCall, _ response: BuiltSegments, _ handles: [Handle]
  ) throws(ChannelError) {
    let outgoing = try prepareReply(to: call, response, handles)
    try sendSync(outgoing, answering: call)
  }

  /// Sends the answer to a request; suspends while room lacks. Then the call is over.
  func send(_ outgoing: consuming Carrier.Outgoing, answering call: IncomingCall) async throws(ChannelError) {
    do {
      try await send(outgoing, deadline: nil)
    } catch {
      answerUnsent(call)
      throw error
    }
    callEnded(call)
  }

  /// As ``send(_:answering:)``, but blocks the thread.
  func sendSync(_ outgoing: consuming Carrier.Outgoing, answering call: IncomingCall) throws(ChannelError) {
    do {
      try sendSync(outgoing, deadline: nil)
    } catch {
      answerUnsent(call)
      throw error
    }
    callEnded(call)
  }

  /// Nobody may answer a second time: its requester is not to wait in vain.
  private func answerUnsent(_ call: IncomingCall) {
    answer(call, failure: Envelope.Failure(code: ChannelFailureCode.unanswered, text: "the answer could not be sent"))
  }

  /// Prepares the answer to a request, and takes the right to give it.
  func prepareReply(
    to call: IncomingCall, _ response: BuiltSegments, _ handles: [Handle]
  ) throws(ChannelError) -> Carrier.Outgoing {
    guard !call.isAnswered else { throw .alreadyAnswered }
    // Fails before the answer is taken, so that a message that cannot go leaves room for another answer.
    let outgoing = try carrier.prepare(response, kind: .response, correlation: call.number, handles: handles)
    try claim(call, for: outgoing)
    return outgoing
  }

  /// Takes the right to answer, with a message that is ready to go.
  func claim(_ call: IncomingCall, for outgoing: borrowing Carrier.Outgoing) throws(ChannelError) {
    guard call.takeAnswer() else {
      carrier.abandon(outgoing, on: lane, of: link)
      throw .alreadyAnswered
    }
    guard !call.isCancelled else {
      carrier.abandon(outgoing, on: lane, of: link)
      callEnded(call)
      throw .withdrawn
    }
  }

  /// Nobody will answer a request any more: its requester is not to wait in vain.
  func releasedUnanswered(_ call: IncomingCall) {
    guard !call.isCancelled else { return callEnded(call) }
    answer(
      call,
      failure: Envelope.Failure(code: ChannelFailureCode.unanswered, text: "the request was released unanswered"))
  }

  // MARK: Their steps

  /// Books a request, so that its response finds it however early it comes.
  func begin() throws(ChannelError) -> Pending {
    let (beginning, answer) = state.withLock { state in
      let answer = state.spareAnswers.popLast() ?? OneShot<Answer>()
      return (state.correlation.begin(.single(answer)), answer)
    }
    return Pending(correlation: try number(of: beginning), answer: answer)
  }

  /// Books a request; its number.
  func begin(_ waiter: Waiter) throws(ChannelError) -> UInt64 {
    try number(of: state.withLock { $0.correlation.begin(waiter) })
  }

  private func number(of beginning: Correlation<Waiter>.Beginning) throws(ChannelError) -> UInt64 {
    switch beginning {
    case .began(let correlation): return correlation
    case .full: throw .tooManyRequests(limit: Self.pendingRequestLimit)
    case .ended: throw endError
    }
  }

  /// Forgets a request that was not sent.
  func withdraw(_ pending: Pending) { withdraw(pending.correlation) }

  /// Forgets a request that was not sent.
  func withdraw(_ correlation: UInt64) {
    _ = state.withLock { $0.correlation.withdraw(correlation) }
    becameIdle()
  }

  /// As ``giveUp(_:)-(UInt64)``, for one whose waiter is needed no more.
  func giveUp(_ pending: inout Pending) {
    // While a request is not answered, or its answer just being delivered, somebody else holds that, too.
    guard isKnownUniquelyReferenced(&pending.answer) else { return giveUp(pending.correlation) }
    pending.answer.reset()
    let spare = pending.answer
    let whenIdle = state.withLock { state in
      if state.spareAnswers.count < Self.spareAnswerLimit { state.spareAnswers.append(spare) }
      return state.idleHandler
    }
    whenIdle?()
  }

  /// Forgets a request that was sent, and tells the other end, if it has not been answered.
  func giveUp(_ correlation: UInt64) {
    if state.withLock({ $0.correlation.withdraw(correlation) }) != nil { signal(.cancel, correlation) }
    becameIdle()
  }

  /// Suspends for the response.
  func awaitAnswer(_ pending: Pending, deadline: ContinuousClock.Instant?) async throws(ChannelError) -> MessageContent
  {
    let answer = pending.answer
    let timer = deadline.map { carrier.reactor.schedule(at: $0) { answer.fulfill(.failure(.timedOut)) } }
    defer { timer?.cancel() }
    return try await suspended { await answer.wait(onCancel: .failure(.cancelled)) }.get()
  }

  /// Blocks the thread for the response.
  func awaitAnswerSync(_ pending: Pending, deadline: ContinuousClock.Instant?) throws(ChannelError) -> MessageContent {
    try pending.answer.waitBlocking(deadline: deadline, onTimeout: .failure(.timedOut), draining: link).get()
  }

  /// The instant at which a timeout from now on ends.
  static func deadline(_ timeout: Duration?) -> ContinuousClock.Instant? {
    timeout.map { .now.advanced(by: $0) }
  }

  /// What the other end is told of a timeout, in whole milliseconds; 0 if it is too long to be told.
  static func wireTimeout(_ timeout: Duration?) -> UInt32 {
    guard let timeout, timeout < .milliseconds(Int64(Envelope.longestTimeout)) else { return 0 }
    return UInt32(clamping: max(1, Int64((timeout / .milliseconds(1)).rounded(.up))))
  }
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
