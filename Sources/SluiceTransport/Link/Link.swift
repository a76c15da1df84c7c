import DequeModule
import SluiceSystem
import SluiceWaiting
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
/// Thread-safe. Frames are delivered on the reactor's thread, or on one that blocks for something from this link. A link
/// that was started keeps itself until ``end()``: weak references would make each use of it slower.
package final class Link: Drainer, Sendable {
  /// What became of an attempt to send.
  package enum SendOutcome: Sendable {
    case sent
    /// Not sent; worth another attempt when the signal is fulfilled with true. False: the link or lane has ended.
    case blocked(OneShot<Bool>)
    /// Not sent: the link or the lane has ended.
    case ended
  }

  /// A small frame of the link itself.
  struct Notice {
    let lane: UInt32
    let kind: LaneHeader.Kind
    /// Credits granted.
    var count: UInt32 = 0

    /// The frame, of which the first ``byteCount`` bytes count.
    var bytes: InlineArray<12, UInt8> {
      var bytes = InlineArray<12, UInt8>(repeating: 0)
      var span = bytes.mutableSpan
      // Sound: integers have no padding.
      var frame = unsafe span.mutableBytes
      LaneHeader(lane: lane, kind: kind).encode(into: &frame)
      frame.storeLittleEndian(count, at: LaneHeader.byteCount)
      return bytes
    }

    /// The frame.
    var frame: [UInt8] {
      let bytes = bytes
      return (0..<byteCount).map { bytes[$0] }
    }

    var byteCount: Int { kind == .grant ? LaneHeader.grantByteCount : LaneHeader.byteCount }
  }

  struct State {
    var lanes = LaneTable()
    var roomWaiters: [OneShot<Bool>] = []
    /// Grants, closings and the like that the transport had no room for yet.
    var unsentNotices: Deque<Notice> = []
    /// Whether an answer to a probe is under way, or waits for room.
    var owesAnswer = false
    var stall = StallWatch()
    var reading: Registration?
    var writing: Registration?
    /// The transport takes nothing any more. What the other end sent before can still be received, and then its end.
    var isMute = false
    /// Nothing comes any more: the owner was told, and will end the link.
    var isFinished = false
    var hasEnded = false
  }

  let transport: any Transport
  /// The ends of the transport, if it is a ring: then the reactor may spin.
  let sender: RingSender?
  let receiver: RingReceiver?
  /// Whether looking for frames for a while makes sense.
  package let maySpin: Bool
  let reactor: Reactor
  private let window: UInt32
  let state = Mutex(State())
  /// What blocked threads wait for, if the transport is no ring. From ``start(owner:)`` on.
  let polled = Mutex<PolledSource?>(nil)
  let draining = Mutex(Draining())
  /// Whether who drains is to hand over, as `Draining.afterRest` waits.
  let isRestWanted = Atomic<Bool>(false)
  /// Whether a blocked thread has the turn.
  let isThreadDraining = Atomic<Bool>(false)
  /// How many tasks are suspended for something from this link.
  let suspendedCount = Atomic<Int>(0)
  /// Looks after the link when threads leave it.
  let watch = LinkWatch()
  let parkingPatience: Duration
  let stallPolicy: StallPolicy
  let owner = Mutex(WeakOwner())

  struct WeakOwner {
    weak var owner: (any LinkOwner)?
  }

  /// A link over `transport`; each lane may have `window` charged frames under way in each direction.
  ///
  /// - Parameters:
  ///   - stallPolicy: What happens when the other end does not receive. The link ends with `peerStalled` after the time of
  ///     `disconnect`, or twice that, without a sign that it does.
  ///   - parkingPatience: How long a frame waits for what it needs from the control socket. That was sent before
  ///     the frame; it is late only when the other end is stopped, or its control socket full.
  package init(
    over transport: any Transport, reactor: Reactor, window: UInt32, stallPolicy: StallPolicy = .suspend,
    parkingPatience: Duration = .seconds(10)
  ) {
    self.transport = transport
    let ring = transport as? RingTransport
    sender = ring?.sender
    receiver = ring?.receiver
    maySpin = ring?.maySpin ?? false
    self.reactor = reactor
    self.window = window
    self.parkingPatience = parkingPatience
    self.stallPolicy = stallPolicy
  }

  /// What carries the frames.
  package var kind: TransportKind { transport.kind }

  // MARK: Lanes

  /// This end of a lane, which is not open yet.
  package func makeLane(_ number: UInt32) -> Lane { Lane(number, window: window) }

  /// Opens a lane, whose frames `receiver` takes.
  package func open(_ lane: Lane, receiver: any LaneReceiver) {
    state.withLock { state in
      guard !state.hasEnded else { return }
      lane.opened()
      state.lanes.insert(LaneTable.Entry(lane: lane, receiver: receiver))
    }
  }

  /// Closes a lane and says so to the other end: later frames for it are strays, and who waits to send on it is told.
  package func close(_ lane: Lane) {
    guard state.withLock({ $0.lanes.remove(lane.number) }) != nil else { return }
    lane.close()
    send(Notice(lane: lane.number, kind: .close))
  }

  /// Says to the other end that a lane is closed which is not open here (any more).
  package func refuse(_ lane: UInt32) {
    send(Notice(lane: lane, kind: .close))
  }

  /// Ends the link; everybody who waits to send is told. For the owner.
  ///
  /// - Parameter sendingRest: Whether closings and grants that wait for room still go, if there is some in a moment.
  package func end(sendingRest: Bool = false) {
    let ended = state.withLock { state in
      let before = state
      state = State(hasEnded: true)
      return before
    }
    ended.reading?.cancel()
    ended.writing?.cancel()
    stopDraining()
    for waiter in ended.roomWaiters { waiter.fulfill(false) }
    for entry in ended.lanes.all { entry.lane.close() }
    guard !ended.hasEnded else { return }
    let rest = sendingRest && !ended.isMute ? Array(ended.unsentNotices) : []
    Linger.close(transport, unsent: rest.map { ($0.frame, []) }, reactor: reactor)
  }

  // MARK: Sending

  /// Takes the credit for a charged frame that is sent later; what stands in the way, if there is none.
  package func takeCredit(on lane: Lane) -> SendOutcome? {
    switch lane.takeCredit() {
    case .taken: return nil
    case .blocked(let signal):
      beganToWait()
      return .blocked(signal)
    case .closed: return .ended
    }
  }

  /// The frame is not sent after all.
  package func putBackCredit(on lane: Lane) { lane.putBackCredit() }

  /// Somebody waits to send on a lane, for something else than credit or room: has `signal` told also what becomes of the
  /// lane. False when it has ended.
  package func wait(with signal: OneShot<Bool>, on lane: Lane) -> Bool {
    guard lane.wait(with: signal) else { return false }
    beganToWait()
    return true
  }

  /// Sends a frame whose first ``LaneHeader/byteCount`` bytes are room for the header, if credit and room allow it.
  ///
  /// - Parameter isPaid: Whether the credit was taken before. It is kept, then, for the next try.
  package func trySend(
    _ frame: inout MutableRawSpan, on lane: Lane, charged isCharged: Bool, isPaid: Bool = false
  ) throws(TransportError) -> SendOutcome {
    LaneHeader(lane: lane.number, kind: isCharged ? .charged : .free).encode(into: &frame)
    let charged = isCharged && !isPaid
    if charged {
      if let obstacle = takeCredit(on: lane) { return obstacle }
    } else if !lane.isOpen {
      return .ended
    }
    do {
      if try trySend(frame.bytes) { return .sent }
    } catch {
      guard error.endsConnection else {
        if charged { lane.putBackCredit() }
        throw error
      }
      becomeMute(after: error)
    }
    if charged { lane.putBackCredit() }
    return waitForRoom()
  }

  /// False when there is no room.
  @inline(__always)
  private func trySend(_ frame: RawSpan) throws(TransportError) -> Bool {
    // Not `if let`, here and in what receives: that would count references.
    switch sender {
    case let sender?: return try sender.trySend(frame) == .sent
    case nil:
      guard try transport.trySend(frame, handles: []) == .sent else { return false }
      flushIfNeeded()
      return true
    }
  }

  /// Books that a charged frame was taken from a queue, and grants credit back when it is time.
  package func frameTaken(on lane: Lane) {
    grant(lane.frameTaken(), on: lane)
  }

  /// Grants credits, and what is to be granted once they are sent.
  private func grant(_ count: UInt32, on lane: Lane) {
    var count = count
    while count > 0, send(Notice(lane: lane.number, kind: .grant, count: count)) { count = lane.grantSent() }
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
    beganToWait()
    return .blocked(waiter)
  }

  private func flushIfNeeded() {
    if transport.hasUnsentBytes { watchForRoom() }
  }

  /// Asks the reactor to say when the transport takes more. It also says so when that is the case already, so no wake-up is
  /// lost.
  private func watchForRoom() {
    let isWatched = state.withLock { state in
      guard !state.hasEnded, !state.isMute, state.writing == nil else { return true }
      state.writing = try? reactor.register(transport.writeDescriptor, for: .writable) { [self] _ in roomAppeared() }
      return state.writing != nil
    }
    // Nobody could be woken.
    if !isWatched { finish(.failed(.failed(SystemError(operation: "epoll_ctl", errno: .noMemory)))) }
  }

  private func roomAppeared() {
    do {
      guard try transport.flush() else { return }
    } catch {
      return becomeMute(after: error)
    }
    while let notice = state.withLock({ $0.unsentNotices.popFirst() }) {
      guard trySend(notice) else {
        return state.withLock { $0.unsentNotices.prepend(notice) }
      }
      guard notice.kind == .grant, let lane = state.withLock({ $0.lanes.find(notice.lane)?.lane }) else { continue }
      grant(lane.grantSent(), on: lane)
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

  /// Sends a notice, or keeps it until there is room; whether it was sent.
  @discardableResult func send(_ notice: Notice) -> Bool {
    let mustQueue = state.withLock { state in
      guard !state.unsentNotices.isEmpty else { return false }
      state.unsentNotices.append(notice)
      return true
    }
    if mustQueue { return false }
    if trySend(notice) { return true }
    state.withLock { state in
      if !state.hasEnded { state.unsentNotices.append(notice) }
    }
    watchForRoom()
    return false
  }

  /// False when there is no room for it.
  private func trySend(_ notice: Notice) -> Bool {
    let bytes = notice.bytes
    do {
      // Sound: integers have no padding.
      guard try trySend(unsafe bytes.span.bytes.extracting(first: notice.byteCount)) else { return false }
      if notice.kind == .answer { state.withLock { $0.owesAnswer = false } }
      return true
    } catch {
      becomeMute(after: error)
      return true
    }
  }

  /// Nothing can be sent any more. Who waits for room goes on waiting, for the end, which says why.
  private func becomeMute(after error: TransportError) {
    state.withLock { state in
      state.isMute = true
      defer { state.writing = nil }
      return state.writing
    }?.cancel()
    // What is received need not tell of it.
    if case .protocolViolation = error { finish(.violation("\(error)")) }
  }
}
