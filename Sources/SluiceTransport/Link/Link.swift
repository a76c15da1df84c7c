import DequeModule
import SluiceSystem
import Synchronization
import SystemPackage

/// What became of a frame that a link delivered.
package enum LaneDelivery: Sendable {
  /// It was taken over, or dropped for a good reason.
  case done
  /// It names something that the control socket is about to bring; deliver it again after ``Link/resumeDelivery()``.
  case needsControl
  /// It breaks the protocol.
  case violation(String)
}

/// The end of a lane that takes what arrives on it.
package protocol LaneReceiver: AnyObject, Sendable {
  /// Takes a frame, lane header included. Called on the draining thread, one frame at a time, in order; the frame is
  /// private memory and gone after the call.
  func receive(_ frame: RawSpan) -> LaneDelivery
  /// The other end closed the lane, after all that it sent before. The lane is closed here, too.
  func closedByPeer()
}

/// Whoever owns a link.
package protocol LinkOwner: AnyObject, Sendable {
  /// A frame arrived for a lane that is not open (any more).
  func receiveStray(_ frame: RawSpan, on lane: UInt32) -> LaneDelivery
  /// The link is of no use any more. Said once.
  func linkEnded(_ end: LinkEnd)
}

/// Why a link is of no use any more.
package enum LinkEnd: Sendable {
  /// The other end closed it.
  case endOfStream
  /// The transport failed.
  case failed(TransportError)
  /// The other end broke the protocol.
  case violation(String)
}

/// The one transport that carries all of a session's channels, each on a lane of its own with its own credits.
///
/// Thread-safe. Frames are delivered on the reactor's thread.
package final class Link: Sendable {
  /// What became of an attempt to send.
  package enum SendOutcome: Sendable {
    case sent
    /// Not sent; worth another attempt when the signal is fulfilled with true. False: the link or lane has ended.
    case blocked(OneShot<Bool>)
    /// Not sent: the link or the lane has ended.
    case ended
  }

  private struct Lane {
    var receiver: any LaneReceiver
    var credits: LaneCredits
    var creditWaiters: [OneShot<Bool>] = []
  }

  /// A small frame of the link itself.
  private struct Notice {
    let lane: UInt32
    /// Credits granted; nil closes the lane.
    let grant: UInt32?
  }

  private struct State {
    var lanes: [UInt32: Lane] = [:]
    var roomWaiters: [OneShot<Bool>] = []
    /// Grants and closings that the transport had no room for yet.
    var unsentNotices: Deque<Notice> = []
    var reading: Registration?
    var writing: Registration?
    /// The transport takes nothing any more. What the other end sent before can still be received, and then its end.
    var isMute = false
    /// Nothing comes any more: the owner was told, and will end the link.
    var isFinished = false
    var hasEnded = false
  }

  private let transport: any Transport
  private let reactor: Reactor
  private let window: UInt32
  private let state = Mutex(State())
  /// A frame that waits for the control socket. Touched by the reactor's thread only, under this lock for the compiler.
  private let parked = Mutex<Parked?>(nil)
  private let parkingPatience: Duration
  private let owner = Mutex(WeakOwner())

  private struct Parked {
    let frame: [UInt8]
    /// Ends the link when the control socket does not bring what the frame needs.
    let timer: ScheduledAction
  }

  private struct WeakOwner {
    weak var owner: (any LinkOwner)?
  }

  /// A link over `transport`; each lane may have `window` charged frames under way in each direction.
  ///
  /// - Parameter parkingPatience: How long a frame waits for what it needs from the control socket. That was sent before
  ///   the frame; it is late only when the other end is stopped, or its control socket full.
  package init(
    over transport: any Transport, reactor: Reactor, window: UInt32, parkingPatience: Duration = .seconds(10)
  ) {
    self.transport = transport
    self.reactor = reactor
    self.window = window
    self.parkingPatience = parkingPatience
  }

  /// Begins to deliver frames.
  package func start(owner: any LinkOwner) throws(SystemError) {
    self.owner.withLock { $0.owner = owner }
    let registration = try reactor.register(transport.readDescriptor, for: .readable) { [weak self] _ in
      self?.drain()
    }
    state.withLock { $0.reading = registration }
  }

  // MARK: Lanes

  /// Opens a lane, whose frames `receiver` takes.
  package func open(_ lane: UInt32, receiver: any LaneReceiver) {
    state.withLock { state in
      guard !state.hasEnded else { return }
      state.lanes[lane] = Lane(receiver: receiver, credits: LaneCredits(window: window))
    }
  }

  /// Closes a lane and says so to the other end: later frames for it are strays, and who waits to send on it is told.
  package func close(_ lane: UInt32) {
    guard let closed = state.withLock({ $0.lanes.removeValue(forKey: lane) }) else { return }
    for waiter in closed.creditWaiters { waiter.fulfill(false) }
    send(Notice(lane: lane, grant: nil))
  }

  /// Says to the other end that a lane is closed which is not open here (any more).
  package func refuse(_ lane: UInt32) {
    send(Notice(lane: lane, grant: nil))
  }

  /// Ends the link; everybody who waits to send is told. For the owner.
  package func end() {
    let ended = state.withLock { state in
      state.hasEnded = true
      defer { state = State(hasEnded: true) }
      return state
    }
    ended.reading?.cancel()
    ended.writing?.cancel()
    parked.withLock { $0 }?.timer.cancel()
    for waiter in ended.roomWaiters { waiter.fulfill(false) }
    for lane in ended.lanes.values {
      for waiter in lane.creditWaiters { waiter.fulfill(false) }
    }
    if !ended.hasEnded { Linger.close(transport, reactor: reactor) }
  }

  // MARK: Sending

  /// Sends a frame whose first ``LaneHeader/byteCount`` bytes are room for the header, if credit and room allow it.
  package func trySend(_ frame: inout MutableRawSpan, on lane: UInt32, charged: Bool) throws(TransportError)
    -> SendOutcome
  {
    LaneHeader(lane: lane, kind: charged ? .charged : .free).encode(into: &frame)
    let refusal = state.withLock { state -> SendOutcome? in
      guard !state.hasEnded, state.lanes[lane] != nil else { return .ended }
      guard charged, state.lanes[lane]?.credits.takeForSending() == false else { return nil }
      let waiter = OneShot<Bool>()
      state.lanes[lane]?.creditWaiters.append(waiter)
      return .blocked(waiter)
    }
    if let refusal { return refusal }
    do {
      if try transport.trySend(frame.bytes, handles: []) == .sent {
        flushIfNeeded()
        return .sent
      }
    } catch {
      guard error.endsConnection else {
        if charged { putBackCredit(on: lane) }
        throw error
      }
      becomeMute()
    }
    if charged { putBackCredit(on: lane) }
    return waitForRoom()
  }

  /// Books that a charged frame was taken from a queue, and grants credit back when it is time.
  package func frameTaken(on lane: UInt32) {
    let grant = state.withLock { $0.lanes[lane]?.credits.frameTaken() ?? 0 }
    if grant > 0 { send(Notice(lane: lane, grant: grant)) }
  }

  private func putBackCredit(on lane: UInt32) {
    let waiters = state.withLock { state -> [OneShot<Bool>] in
      state.lanes[lane]?.credits.putBack()
      defer { state.lanes[lane]?.creditWaiters = [] }
      return state.lanes[lane]?.creditWaiters ?? []
    }
    for waiter in waiters { waiter.fulfill(true) }
  }

  /// Waits for room; after a failure, for the end, which says why.
  private func waitForRoom() -> SendOutcome {
    let waiter = OneShot<Bool>()
    let hasEnded = state.withLock { state in
      if !state.hasEnded { state.roomWaiters.append(waiter) }
      return state.hasEnded
    }
    guard !hasEnded else { return .ended }
    watchForRoom()
    return .blocked(waiter)
  }

  private func flushIfNeeded() {
    if transport.hasUnsentBytes { watchForRoom() }
  }

  /// Asks the reactor to say when the transport takes more. Level-triggered, so no wake-up is lost.
  private func watchForRoom() {
    state.withLock { state in
      guard !state.hasEnded, !state.isMute, state.writing == nil else { return }
      // Without a registration nobody could be woken: the link fails below.
      state.writing = try? reactor.register(transport.writeDescriptor, for: .writable) { [weak self] _ in
        self?.roomAppeared()
      }
    }
    if state.withLock({ $0.writing == nil && !$0.hasEnded && !$0.isMute }) {
      finish(.failed(.failed(SystemError(operation: "epoll_ctl", errno: .noMemory))))
    }
  }

  private func roomAppeared() {
    do {
      guard try transport.flush() else { return }
    } catch {
      return becomeMute()
    }
    while let notice = state.withLock({ $0.unsentNotices.popFirst() }) {
      guard trySend(notice) else {
        return state.withLock { $0.unsentNotices.prepend(notice) }
      }
    }
    let (waiters, registration) = state.withLock { state -> ([OneShot<Bool>], Registration?) in
      let isIdle = state.unsentNotices.isEmpty && !transport.hasUnsentBytes
      defer {
        state.roomWaiters = []
        if isIdle { state.writing = nil }
      }
      return (state.roomWaiters, isIdle ? state.writing : nil)
    }
    registration?.cancel()
    for waiter in waiters { waiter.fulfill(true) }
  }

  /// Sends a notice, or keeps it until there is room.
  private func send(_ notice: Notice) {
    let mustQueue = state.withLock { state in
      guard !state.unsentNotices.isEmpty else { return false }
      state.unsentNotices.append(notice)
      return true
    }
    guard !mustQueue, !trySend(notice) else { return }
    state.withLock { state in
      if !state.hasEnded { state.unsentNotices.append(notice) }
    }
    watchForRoom()
  }

  /// False when there is no room for it.
  private func trySend(_ notice: Notice) -> Bool {
    var bytes = InlineArray<12, UInt8>(repeating: 0)
    var span = bytes.mutableSpan
    // Sound: integers have no padding.
    var frame = unsafe span.mutableBytes
    LaneHeader(lane: notice.lane, kind: notice.grant == nil ? .close : .grant).encode(into: &frame)
    if let grant = notice.grant { frame.storeLittleEndian(grant, at: LaneHeader.byteCount) }
    let byteCount = notice.grant == nil ? LaneHeader.byteCount : LaneHeader.grantByteCount
    do {
      guard try transport.trySend(frame.bytes.extracting(first: byteCount), handles: []) == .sent else { return false }
      flushIfNeeded()
    } catch {
      becomeMute()
    }
    return true
  }

  // MARK: Receiving

  /// How many frames are delivered before the reactor's other work gets its turn.
  private static let burst = 64

  private func drain() {
    drain(atMost: Self.burst)
  }

  /// Delivers all that a peer sent before it died. On the reactor's thread.
  package func drainRest() {
    drain(atMost: .max)
  }

  private func drain(atMost limit: Int) {
    guard parked.withLock({ $0 == nil }), state.withLock({ !$0.hasEnded && !$0.isFinished }) else { return }
    for _ in 0..<limit {
      var delivery = LaneDelivery.done
      do {
        let outcome = try transport.tryReceive { frame, handles in
          delivery = handles.isEmpty ? deliver(frame) : .violation("a frame on the link carries handles")
          if case .needsControl = delivery { park(frame) }
        }
        switch outcome {
        case .received: break
        case .wouldBlock: return
        case .endOfStream: return finish(.endOfStream)
        }
      } catch {
        return finish(.failed(error))
      }
      switch delivery {
      case .done: continue
      case .needsControl: return
      case .violation(let what): return finish(.violation(what))
      }
    }
    // More may stand in the transport's own buffer, of which the descriptor says nothing.
    reactor.perform { [weak self] in self?.drain() }
  }

  private func park(_ frame: RawSpan) {
    let copy = frame.copied()
    let timer = reactor.schedule(at: .now.advanced(by: parkingPatience)) { [weak self] in
      self?.finish(.violation("a message that names a segment or handles that never came"))
    }
    parked.withLock { $0 = Parked(frame: copy, timer: timer) }
    watchForFrames([])
  }

  /// The control socket brought something: delivers the parked frame, if there is one, and goes on.
  package func resumeDelivery() {
    guard let waiting = parked.withLock({ $0 }) else { return }
    // Sound: bytes have no padding.
    let delivery = deliver(unsafe waiting.frame.span.bytes)
    if case .needsControl = delivery { return }
    waiting.timer.cancel()
    parked.withLock { $0 = nil }
    if case .violation(let what) = delivery { return finish(.violation(what)) }
    watchForFrames(.readable)
    drain()
  }

  private func watchForFrames(_ events: IOEvents) {
    do {
      try state.withLock { $0.reading }?.update(events)
    } catch {
      finish(.failed(.failed(error)))
    }
  }

  private func deliver(_ frame: RawSpan) -> LaneDelivery {
    guard let header = LaneHeader(frame) else { return .violation("a frame on the link without a lane header") }
    switch header.kind {
    case .grant: return grantArrived(frame, on: header.lane)
    case .close: return closeArrived(on: header.lane)
    case .charged, .free: break
    }
    let isParked = parked.withLock { $0 != nil }
    let receiver = state.withLock { state -> (any LaneReceiver)?? in
      guard let receiver = state.lanes[header.lane]?.receiver else { return .some(nil) }
      // A parked frame was booked when it came first.
      guard isParked || header.kind == .free || state.lanes[header.lane]?.credits.frameArrived() == true else {
        return nil
      }
      return receiver
    }
    guard let receiver else { return .violation("a frame without credit on lane \(header.lane)") }
    if let receiver { return receiver.receive(frame) }
    return owner.withLock { $0.owner }?.receiveStray(frame, on: header.lane) ?? .done
  }

  private func grantArrived(_ frame: RawSpan, on lane: UInt32) -> LaneDelivery {
    guard frame.byteCount == LaneHeader.grantByteCount else { return .violation("a grant of the wrong size") }
    let count: UInt32 = frame.littleEndian(at: LaneHeader.byteCount)
    let waiters = state.withLock { state -> [OneShot<Bool>]? in
      guard state.lanes[lane] != nil else { return [] }
      guard state.lanes[lane]?.credits.granted(count) == true else { return nil }
      defer { state.lanes[lane]?.creditWaiters = [] }
      return state.lanes[lane]?.creditWaiters ?? []
    }
    guard let waiters else { return .violation("a grant of \(count) credits that were not owed on lane \(lane)") }
    for waiter in waiters { waiter.fulfill(true) }
    return .done
  }

  private func closeArrived(on lane: UInt32) -> LaneDelivery {
    let closed = state.withLock { $0.lanes.removeValue(forKey: lane) }
    for waiter in closed?.creditWaiters ?? [] { waiter.fulfill(false) }
    closed?.receiver.closedByPeer()
    return .done
  }

  /// Nothing can be sent any more. Who waits for room goes on waiting, for the end, which says why.
  private func becomeMute() {
    state.withLock { state in
      state.isMute = true
      defer { state.writing = nil }
      return state.writing
    }?.cancel()
  }

  /// Nothing will be received any more: tells the owner, who ends the link.
  private func finish(_ end: LinkEnd) {
    let (isFirst, registration) = state.withLock { state in
      defer {
        state.isFinished = true
        state.reading = nil
      }
      return (!state.isFinished && !state.hasEnded, state.reading)
    }
    registration?.cancel()
    if isFirst { owner.withLock { $0.owner }?.linkEnded(end) }
  }
}
