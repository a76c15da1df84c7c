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
@usableFromInline package final class ChannelCore: LaneReceiver, Sendable {
  /// How a request ends.
  typealias Answer = Result<MessageContent, ChannelError>

  /// Who waits for the answer to a request.
  enum Waiter: Sendable {
    /// For one response.
    case single(OneShot<Answer>)
    /// For a stream of them.
    case stream(IncomingStream)

    func end(_ error: ChannelError) {
      switch self {
      case .single(let answer): answer.fulfill(.failure(error))
      case .stream(let stream): stream.end(error)
      }
    }
  }

  /// Most requests that may wait for their response on one channel.
  static let pendingRequestLimit = 65_536

  package let lane: Lane
  let carrier: Carrier
  /// What carries the channel: the session's link, or one of its own.
  package let link: Link
  /// Keeps the session as long as somebody uses the channel.
  let owner: any Sendable & AnyObject
  @usableFromInline let requests: Mailbox<IncomingCall, ChannelError>
  @usableFromInline let notifications: Mailbox<MessageContent, ChannelError>

  struct State {
    var correlation = Correlation<Waiter>(limit: pendingRequestLimit)
    /// What waited for earlier answers, for later ones.
    var spareAnswers: [OneShot<Answer>] = []
    /// Requests of the other end that are not answered yet.
    var calls = CallTable()
    /// Who sorts what arrives by its kind, if anybody does.
    var sorter: (any ContentSorter)?
    /// Called when a channel that takes nothing new has nothing left to do.
    var whenIdle: (@Sendable () -> Void)?
    /// Answers that the other end did not want any more.
    var unwantedAnswerCount: UInt64 = 0
    var end: ChannelError?

    /// What to call if the channel takes nothing new and has nothing left to do.
    var idleHandler: (@Sendable () -> Void)? {
      guard let whenIdle, calls.count == 0, correlation.pendingCount == 0, end == nil else { return nil }
      return whenIdle
    }
  }

  let state = Mutex(State())
  let counters = ChannelCounters()
  /// How many items of a stream may be under way.
  let window: UInt32
  /// Whether the other end sends no more notifications and requests.
  private let peerHasFinished = Atomic<Bool>(false)
  /// Whether this end does.
  private let hasFinished = Atomic<Bool>(false)
  /// Whether there is a sorter.
  private let isSorted = Atomic<Bool>(false)

  /// - Parameter link: Nil for the session's.
  package init(lane: UInt32, carrier: Carrier, link: Link? = nil, window: UInt32, owner: any Sendable & AnyObject) {
    let link = link ?? carrier.link
    self.link = link
    self.lane = link.makeLane(lane)
    self.carrier = carrier
    self.owner = owner
    self.window = window
    requests = Mailbox(capacity: Int(window))
    notifications = Mailbox(capacity: Int(window))
  }

  /// What went through the channel.
  package var traffic: Traffic { counters.traffic }

  /// Why nothing can be sent any more.
  var endError: ChannelError { endedWith ?? .closed }
  /// Why the channel has ended, if it has.
  var endedWith: ChannelError? { state.withLock { $0.end } }

  // MARK: Sending

  /// Sends without a response to wait for. Suspends while credit or room lack.
  func send(_ outgoing: consuming Carrier.Outgoing, deadline: ContinuousClock.Instant?) async throws(ChannelError) {
    var outgoing = outgoing
    while let signal = try attempt(&outgoing) {
      try waitUnlessItFails(for: signal, outgoing)
      let timer = deadline.map { carrier.reactor.schedule(at: $0) { signal.fulfill(false) } }
      let isWorthwhile = await suspended { await signal.wait(onCancel: false) }
      timer?.cancel()
      try goOn(isWorthwhile, signal, outgoing, deadline: deadline)
    }
  }

  /// As ``send(_:deadline:)``, but blocks the thread.
  func sendSync(_ outgoing: consuming Carrier.Outgoing, deadline: ContinuousClock.Instant?) throws(ChannelError) {
    var outgoing = outgoing
    while let signal = try attempt(&outgoing) {
      try waitUnlessItFails(for: signal, outgoing)
      let isWorthwhile = signal.waitBlocking(deadline: deadline, onTimeout: false, draining: link)
      try goOn(isWorthwhile, signal, outgoing, deadline: deadline)
    }
  }

  /// Nil when it was sent, else the signal to wait for. What cannot be sent is undone before the error is thrown.
  func attempt(_ outgoing: inout Carrier.Outgoing) throws(ChannelError) -> OneShot<Bool>? {
    do throws(ChannelError) {
      if outgoing.isCharged, hasFinished.load(ordering: .relaxed) { throw ChannelError.closed }
      switch try carrier.trySend(&outgoing, on: lane, of: link) {
      case .sent:
        if outgoing.envelope.kind.hasContent { counters.sent(byteCount: outgoing.byteCount) }
        return nil
      case .blocked(let signal): return signal
      case .ended: throw endError
      }
    } catch {
      carrier.abandon(outgoing, on: lane, of: link)
      throw error
    }
  }

  /// There is neither credit nor room: an error, if that is what the caller has chosen.
  private func waitUnlessItFails(
    for signal: OneShot<Bool>, _ outgoing: borrowing Carrier.Outgoing
  ) throws(ChannelError) {
    guard link.failsWithoutRoom else { return }
    giveUpSending(signal, outgoing)
    throw endedWith ?? .transport(.noRoom)
  }

  private func giveUpSending(_ signal: OneShot<Bool>, _ outgoing: borrowing Carrier.Outgoing) {
    link.forget(signal, on: lane)
    // Whoever else keeps it lets go of it by this.
    signal.fulfill(false)
    carrier.abandon(outgoing, on: lane, of: link)
  }

  private func goOn(
    _ isWorthwhile: Bool, _ signal: OneShot<Bool>, _ outgoing: borrowing Carrier.Outgoing,
    deadline: ContinuousClock.Instant?
  ) throws(ChannelError) {
    guard !isWorthwhile else { return }
    giveUpSending(signal, outgoing)
    if let end = state.withLock({ $0.end }) { throw end }
    if let deadline, deadline <= .now { throw .timedOut }
    throw Task.isCancelled ? .cancelled : .closed
  }

  /// The next element of a mailbox; suspends for it.
  func next<Element>(
    from mailbox: Mailbox<Element, ChannelError>
  ) async -> MailboxItem<Element, ChannelError> {
    if let item = mailbox.nextIfAny() { return item }
    return await suspended { await mailbox.next() }
  }

  /// Has the link looked after while a task is suspended for something from it.
  nonisolated(nonsending) func suspended<Result>(
    _ wait: nonisolated(nonsending) () async -> Result
  ) async -> Result {
    link.beginSuspension()
    defer { link.endSuspension() }
    return await wait()
  }

  /// Answers a request with a failure; goes as soon as there is room, and nobody waits for that. Then the call is over.
  func answer(_ call: IncomingCall, failure: Envelope.Failure) {
    var envelope = Envelope(kind: .failure, correlation: call.number)
    envelope.failure = failure
    sendSoon(envelope) { [self] in callEnded(call) }
  }

  /// Sends a frame without content.
  func signal(_ kind: Envelope.Kind, _ correlation: UInt64 = 0) {
    sendSoon(Envelope(kind: kind, correlation: correlation))
  }

  /// Has the other end send more items of a stream, and more again when it was told.
  func grant(_ count: UInt32, to stream: IncomingStream, _ correlation: UInt64) {
    guard count > 0 else { return }
    var envelope = Envelope(kind: .more, correlation: correlation)
    envelope.itemCount = count
    sendSoon(envelope) { [self] in grant(stream.grantSent(), to: stream, correlation) }
  }

  /// Sends as soon as there is room; nobody waits for that. Calls `completion` when it was sent, or never will be.
  private func sendSoon(_ envelope: Envelope, then completion: (@Sendable () -> Void)? = nil) {
    guard let signal = attempt(envelope) else { return completion?() ?? () }
    Task {
      var next = Optional(signal)
      while let signal = next, await suspended({ await signal.wait(onCancel: false) }) { next = attempt(envelope) }
      completion?()
    }
  }

  /// The signal to wait for; nil when it was sent, or the channel is gone.
  private func attempt(_ envelope: Envelope) -> OneShot<Bool>? {
    var outgoing = Carrier.Outgoing(envelope: envelope)
    return try? attempt(&outgoing)
  }

  // MARK: Receiving

  package func receive(_ frame: RawSpan) -> LaneDelivery {
    let envelope: Envelope
    do {
      envelope = try Envelope(decoding: frame)
    } catch {
      return .violation("\(error)")
    }
    guard (LaneHeader(frame)?.kind == .charged) == envelope.kind.isCharged else {
      return .violation("a \(envelope.kind) with the wrong charge on lane \(lane.number)")
    }
    guard envelope.kind.hasContent else { return receiveSignal(envelope) }
    if envelope.kind.isCharged, peerHasFinished.load(ordering: .relaxed) {
      return .violation("a \(envelope.kind) on lane \(lane.number), whose sender had finished")
    }
    switch carrier.admit(envelope, in: frame) {
    case .needsControl: return .needsControl
    case .violation(let what): return .violation(what)
    case .ended: return .done
    case .admitted(let content):
      counters.received(byteCount: content.byteCount)
      return deliver(content, envelope)
    }
  }

  private func receiveSignal(_ envelope: Envelope) -> LaneDelivery {
    let number = envelope.correlation
    switch envelope.kind {
    case .finish:
      peerHasFinished.store(true, ordering: .relaxed)
      finishQueues(nil)
    case .failure:
      let failure = envelope.failure ?? Envelope.Failure(code: 0, text: "")
      let error = ChannelError.failed(code: failure.code, text: failure.text, details: failure.details)
      if let waiter = resolve(number) { waiter.end(error) }
    case .end:
      switch resolve(number) {
      case .stream(let stream): stream.end(nil)
      case .single(let answer): answer.fulfill(.failure(.streamedAnswer))
      case nil: break
      }
    case .cancel:
      state.withLock { $0.calls.call(number) }?.cancel()
    case .more:
      if let call = state.withLock({ $0.calls.call(number) }), !call.granted(envelope.itemCount) {
        return .violation("\(envelope.itemCount) more items asked for that were not owed on lane \(lane.number)")
      }
    case .late:
      state.withLock { $0.unwantedAnswerCount += 1 }
    case .notification, .request, .response, .item: break  // these have content
    }
    return .done
  }

  /// Who waits for the answer to a request; if nobody does, the other end is told.
  private func resolve(_ number: UInt64) -> Waiter? {
    if let waiter = state.withLock({ $0.correlation.resolve(number) }) {
      // Nobody else says so: a stream may be kept for long after its end.
      if case .stream = waiter { becameIdle() }
      return waiter
    }
    counters.dropped()
    // If there is no room for it, the other end will not know; nobody waits for that.
    var outgoing = Carrier.Outgoing(envelope: Envelope(kind: .late, correlation: number))
    _ = try? attempt(&outgoing)
    return nil
  }

  private func deliver(_ content: MessageContent, _ envelope: Envelope) -> LaneDelivery {
    let number = envelope.correlation
    switch envelope.kind {
    case .notification:
      if !(sorter?.sort(content) ?? notifications.deliver(content)) { taken() }
    case .request:
      let call = IncomingCall(content: content, number: number, timeout: envelope.timeout)
      let isEnding = state.withLock { state in
        let isEnding = state.whenIdle != nil
        if !isEnding { state.calls.insert(call) }
        return isEnding
      }
      if isEnding {
        taken()
        refuse(call, ChannelFailureCode.ending, "the session takes nothing new")
      } else if !(sorter?.sort(call) ?? requests.deliver(call)) {
        taken()
        refuse(call, ChannelFailureCode.notTaken, "the channel takes no more requests")
      }
    case .response:
      switch resolve(number) {
      case .single(let answer): answer.fulfill(.success(content))
      case .stream(let stream): stream.ended(with: content)
      case nil: break
      }
    case .item:
      switch state.withLock({ $0.correlation.waiter(number) }) {
      case .stream(let stream): if !stream.arrived(content) { return tooManyItems }
      case .single(let answer):
        answer.fulfill(.failure(.streamedAnswer))
        giveUp(number)
      // Those that were under way when the requester gave up; it has said so.
      case nil: counters.dropped()
      }
    case .failure, .finish, .cancel, .more, .end, .late: break  // these have no content
    }
    return .done
  }

  private var sorter: (any ContentSorter)? {
    isSorted.load(ordering: .acquiring) ? state.withLock { $0.sorter } : nil
  }

  /// Has what arrives sorted, and what waits already.
  func sort(by sorter: any ContentSorter) {
    let before = state.withLock { state in
      defer { state.sorter = sorter }
      return state.sorter
    }
    isSorted.store(true, ordering: .releasing)
    before?.finish(.closed)
    // One that arrives right now may be sorted before these.
    for call in requests.removeAll() where !(sorter.sort(call) ?? requests.deliver(call)) {
      taken()
      refuse(call, ChannelFailureCode.notTaken, "the channel takes no more requests")
    }
    for content in notifications.removeAll() where !(sorter.sort(content) ?? notifications.deliver(content)) { taken() }
    if let end = state.withLock({ $0.end }) { sorter.finish(end.isOrderly ? nil : end) }
  }

  private var tooManyItems: LaneDelivery {
    .violation("more items of a stream than were asked for on lane \(lane.number)")
  }

  private func refuse(_ call: IncomingCall, _ code: UInt32, _ text: String) {
    answer(call, failure: Envelope.Failure(code: code, text: text))
  }

  /// A queued message was taken: the other end may send another.
  func taken() {
    link.frameTaken(on: lane)
  }

  /// A request of the other end was answered, or will not be.
  func callEnded(_ call: IncomingCall) {
    let whenIdle = state.withLock { state in
      state.calls.remove(call)
      return state.idleHandler
    }
    whenIdle?()
  }

  // MARK: The end

  /// Sends no more notifications and requests; answers still go, both ways.
  func finishSending() {
    if !hasFinished.exchange(true, ordering: .relaxed) { signal(.finish) }
  }

  /// Takes no requests any more, and closes the channel when all that are under way, in both directions, are answered.
  package func drain() {
    state.withLock { state in
      if state.whenIdle == nil { state.whenIdle = { [weak self] in self?.close() } }
    }
    becameIdle()
  }

  /// If the channel takes nothing new and has nothing left to do, says so.
  func becameIdle() {
    state.withLock { $0.idleHandler }?()
  }

  /// Closes the channel at this end, and says so to the other.
  package func close() {
    guard end(.closed) else { return }
    link.close(lane)
    carrier.laneClosed(lane.number)
    // Nobody will take these: their leases go back.
    _ = requests.removeAll()
    _ = notifications.removeAll()
    sorter?.removeAll()
  }

  /// The other end closed the channel. What it sent before can still be taken.
  package func closedByPeer() {
    guard end(.closed) else { return }
    carrier.laneClosed(lane.number)
  }

  /// The session ended. What was received before can still be taken.
  package func sessionEnded(_ reason: SessionEnd) {
    end(.sessionEnded(reason))
  }

  /// Fails what is pending, once; false when the channel had ended before.
  @discardableResult private func end(_ error: ChannelError) -> Bool {
    let ended = state.withLock { state -> ([Waiter], [IncomingCall])? in
      guard state.end == nil else { return nil }
      state.end = error
      state.whenIdle = nil
      return (state.correlation.end(), state.calls.removeAll())
    }
    guard let (waiters, calls) = ended else { return false }
    for waiter in waiters { waiter.end(error) }
    for call in calls { call.cancel() }
    finishQueues(error.isOrderly ? nil : error)
    return true
  }

  private func finishQueues(_ error: ChannelError?) {
    requests.finish(error)
    notifications.finish(error)
    sorter?.finish(error)
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
