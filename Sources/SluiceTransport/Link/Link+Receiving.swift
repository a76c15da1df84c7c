import SluiceSystem
import SluiceWaiting
import Synchronization

// How a link takes what arrives: `DrainTurn` says who does it, this does it.
extension Link {
  /// Whose turn it is, and what the holder keeps.
  struct Draining {
    var turn = DrainTurn<Parker>()
    /// A frame that waits for the control socket.
    var parked: Parked?
    /// The blocked thread that drains.
    var drainer: Parker?
    /// What is to be called when all that has arrived was delivered.
    var afterRest: (@Sendable () -> Void)?
  }

  struct Parked {
    let frame: [UInt8]
    /// Ends the link when the control socket does not bring what the frame needs.
    let timer: ScheduledAction
  }

  /// How many frames are delivered before the reactor's other work gets its turn.
  private static let burst = 64

  /// Begins to deliver frames.
  package func start(owner: any LinkOwner) throws(SystemError) {
    self.owner.withLock { $0.owner = owner }
    if receiver == nil {
      let source = try PolledSource(transport)
      polled.withLock { $0 = source }
    }
    let descriptor = receiver?.bellDescriptor ?? transport.drainDescriptor
    let registration = try reactor.register(
      descriptor, for: receiver == nil ? .readable : IOEvents([.readable, .edgeTriggered])
    ) { [self] _ in told() }
    let isLate = state.withLock { state in
      if !state.isFinished && !state.hasEnded { state.reading = registration }
      return state.isFinished || state.hasEnded
    }
    // It has ended meanwhile, and nobody would cancel it any more.
    if isLate { return registration.cancel() }
    // What came before anybody was told.
    reactor.perform { [self] in told() }
  }

  // MARK: The reactor's turn

  /// Something may have arrived. On the reactor's thread.
  private func told() {
    guard draining.withLock({ $0.turn.takeForReactor() }) else { return }
    drainOnReactor()
  }

  /// With the turn.
  private func drainOnReactor() {
    switch drainOnce(atMost: Self.burst, until: { false }) {
    case .empty, .done: passOn()
    case .more:
      // Others get their turn first. Nobody else is told of what is left.
      passOn()
      if receiver == nil { reactor.perform { [self] in told() } }
    case .paused, .finished: break
    }
  }

  /// Leaves the turn to a blocked thread, else to the reactor, which goes on looking for a while.
  func passOn() {
    isThreadDraining.store(false, ordering: .relaxed)
    let (next, afterRest) = draining.withLock { state in
      state.drainer = nil
      let afterRest = state.afterRest.take()
      // Who waits for the rest goes first.
      return (afterRest == nil ? state.turn.leave() : state.turn.leaveToReactor(), afterRest)
    }
    if let afterRest {
      isRestWanted.store(false, ordering: .sequentiallyConsistent)
      return reactor.perform { [self] in drainRest(then: afterRest) }
    }
    if let next { next.unpark() } else { rest() }
  }

  /// Nobody drains, and nobody is about to: has the reactor look after the link.
  ///
  /// A thread that left will often be back for more in no time. So its peer is asked to ring only when there is somebody
  /// else to tell: a task that waits for something from this link. Otherwise the reactor looks from time to time.
  func rest() {
    if reactor.isCurrentThread {
      if receiver == nil { arm() } else { reactor.stayAwake(for: self) }
    } else if suspendedCount.load(ordering: .sequentiallyConsistent) > 0 {
      armAfterThread()
    } else {
      watch.threadLeft(self)
    }
  }

  /// Has the reactor told of what arrives, after a thread that may have left something.
  private func armAfterThread() {
    arm()
    // What the transport has taken from the kernel is not told of.
    if receiver == nil, !transport.isDrained { reactor.perform { [self] in told() } }
  }

  /// A task is about to suspend for something from this link, until ``endSuspension()``.
  package func beginSuspension() {
    suspendedCount.add(1, ordering: .sequentiallyConsistent)
    guard draining.withLock({ $0.turn.holder == .reactor(isArmed: false) }) else { return }
    if receiver == nil { armAfterThread() } else { rest() }
  }

  /// The task goes on.
  package func endSuspension() { suspendedCount.subtract(1, ordering: .sequentiallyConsistent) }

  /// No thread was here for a while. On the reactor's thread.
  func unattended() { told() }

  /// Has the reactor told of what arrives, while it is its turn.
  private func arm() {
    do throws(SystemError) {
      // Under the lock, so that no thread takes the turn in between.
      let mustLook = try draining.withLock { (state) throws(SystemError) in
        guard state.turn.holder == .reactor(isArmed: false) else { return false }
        if let receiver {
          if !receiver.arm() { return true }
        } else {
          try watchForFrames(.readable)
        }
        state.turn.armed()
        return false
      }
      if mustLook { reactor.perform { [self] in told() } }
    } catch {
      finish(.failed(.failed(error)))
    }
  }

  /// Delivers all that a peer sent before it died, then calls `completion`. On the reactor's thread, which may be now.
  package func drainRest(then completion: @escaping @Sendable () -> Void) {
    let (isOurs, drainer) = draining.withLock { state -> (Bool, Bool) in
      if state.turn.seize() { return (true, false) }
      guard state.turn.holder == .taken else { return (false, false) }
      if let earlier = state.afterRest {
        state.afterRest = {
          earlier()
          completion()
        }
      } else {
        state.afterRest = completion
      }
      isRestWanted.store(true, ordering: .sequentiallyConsistent)
      return (false, true)
    }
    // The thread that drains hands over; it may sleep.
    if drainer { return interruptDrainer() }
    if isOurs {
      var last = Drained.more
      while case .more = last { last = drainOnce(atMost: .max, until: { false }) }
      if case .empty = last { passOn() }
    }
    completion()
  }

  // MARK: Delivering

  enum Drained {
    /// Nothing more has arrived.
    case empty
    /// There may be more.
    case more
    /// What the drainer waited for has come.
    case done
    /// A frame waits for the control socket; the turn is nobody's.
    case paused
    /// Nothing will arrive any more; the turn is nobody's.
    case finished
  }

  /// With the turn.
  func drainOnce(atMost limit: Int, until isDone: () -> Bool) -> Drained {
    // No function of its own that captures this: it would be made on the heap.
    var stopped = Drained?.none
    let outcome: ReceiveOutcome
    do throws(TransportError) {
      switch receiver {
      case let receiver?:
        outcome = try receiver.drain(limit: limit, arming: false) { frame in
          stopped = handle(deliver(frame, isParked: false), frame)
          return stopped == nil && !isDone()
        }.outcome
      case nil:
        outcome = try transport.receiveAll(limit: limit) { frame, handles in
          stopped =
            handles.isEmpty
            ? handle(deliver(frame, isParked: false), frame)
            : finish(.violation("a frame on the link carries handles"))
          return stopped == nil && !isDone()
        }.outcome
      }
    } catch {
      return finish(.failed(error))
    }
    if let stopped { return stopped }
    switch outcome {
    case .received: return isDone() ? .done : .more
    case .wouldBlock: return isDone() ? .done : .empty
    case .endOfStream: return finish(.endOfStream)
    }
  }

  /// Nil to go on.
  @inline(__always)
  private func handle(_ delivery: LaneDelivery, _ frame: RawSpan) -> Drained? {
    if case .done = delivery { return nil }
    return handleRest(delivery, frame)
  }

  private func handleRest(_ delivery: LaneDelivery, _ frame: RawSpan) -> Drained? {
    var delivery = delivery
    while true {
      switch delivery {
      case .done: return nil
      case .violation(let what): return finish(.violation(what))
      case .needsControl:
        if let parked = park(frame) { return parked }
        delivery = deliver(frame, isParked: true)
      }
    }
  }

  /// Keeps a frame until the control socket has brought what it needs; nil when it may have by now.
  private func park(_ frame: RawSpan) -> Drained? {
    let parked = Parked(
      frame: frame.copied(),
      timer: reactor.schedule(at: .now.advanced(by: parkingPatience)) { [self] in
        finish(.violation("a message that names a segment or handles that never came"))
      })
    let (outcome, afterRest) = draining.withLock { state -> (Drained?, (@Sendable () -> Void)?) in
      // Ended meanwhile, by another thread: nobody would take the frame, or cancel its timer, any more.
      guard state.turn.holder != .finished else { return (.finished, nil) }
      guard state.turn.pause() else { return (nil, nil) }
      state.parked = parked
      state.drainer = nil
      isRestWanted.store(false, ordering: .sequentiallyConsistent)
      return (.paused, state.afterRest.take())
    }
    // Who waits for the rest is not kept by a frame that may wait for long.
    if let afterRest { reactor.perform(afterRest) }
    if case .paused = outcome {
      // A thread that drains has done that already, and its turn may be somebody else's by now.
      if receiver == nil, reactor.isCurrentThread { stopWatching() }
    } else {
      parked.timer.cancel()
    }
    return outcome
  }

  /// The control socket brought something: delivers the parked frame, if there is one, and goes on. On the reactor's thread.
  package func resumeDelivery() {
    let parked = draining.withLock { $0.turn.resume() ? $0.parked.take() : nil }
    // What the control socket brings often belongs to a frame that nobody waits for, and is seen now.
    guard let parked else { return told() }
    parked.timer.cancel()
    // Sound: bytes have no padding.
    let frame = unsafe parked.frame.span.bytes
    switch handle(deliver(frame, isParked: true), frame) {
    case nil, .more, .empty, .done: drainOnReactor()
    case .paused, .finished: break
    }
  }

  /// A level-triggered descriptor must not tell what the reactor may not take.
  func stopWatching() {
    do { try watchForFrames([]) } catch { finish(.failed(.failed(error))) }
  }

  private func watchForFrames(_ events: IOEvents) throws(SystemError) {
    try state.withLock { (state) throws(SystemError) in try state.reading?.update(events) }
  }

  private func deliver(_ frame: RawSpan, isParked: Bool) -> LaneDelivery {
    guard let header = LaneHeader(frame) else { return .violation("a frame on the link without a lane header") }
    switch header.kind {
    case .grant: return grantArrived(frame, on: header.lane)
    case .close: return closeArrived(on: header.lane)
    case .probe, .answer: return probeArrived(header, byteCount: frame.byteCount)
    case .charged, .free: break
    }
    guard let entry = state.withLock({ $0.lanes.find(header.lane) }) else {
      return owner.withLock { $0.owner }?.receiveStray(frame, on: header.lane) ?? .done
    }
    // A parked frame was booked when it came first.
    guard isParked || header.kind == .free || entry.lane.frameArrived() else {
      return .violation("a frame without credit on lane \(header.lane)")
    }
    return entry.receiver.receive(frame)
  }

  private func grantArrived(_ frame: RawSpan, on lane: UInt32) -> LaneDelivery {
    guard frame.byteCount == LaneHeader.grantByteCount else { return .violation("a grant of the wrong size") }
    let count: UInt32 = frame.littleEndian(at: LaneHeader.byteCount)
    guard let entry = state.withLock({ $0.lanes.find(lane) }), !entry.lane.granted(count) else { return .done }
    return .violation("a grant of \(count) credits that were not owed on lane \(lane)")
  }

  private func closeArrived(on lane: UInt32) -> LaneDelivery {
    guard let closed = state.withLock({ $0.lanes.remove(lane) }) else { return .done }
    closed.lane.close()
    closed.receiver.closedByPeer()
    return .done
  }

  // MARK: The end

  /// Nothing will be received any more: tells the owner, who ends the link.
  @discardableResult func finish(_ end: LinkEnd) -> Drained {
    let (isFirst, registration) = state.withLock { state in
      defer {
        state.isFinished = true
        state.reading = nil
      }
      return (!state.isFinished && !state.hasEnded, state.reading)
    }
    registration?.cancel()
    stopDraining()
    if isFirst {
      // Never on a thread that blocks for something else, in the middle of a drain.
      reactor.perform { [self] in owner.withLock { $0.owner }?.linkEnded(end) }
    }
    return .finished
  }

  /// Nobody drains any more.
  func stopDraining() {
    let (parked, afterRest) = draining.withLock { state in
      state.turn.finish()
      return (state.parked.take(), state.afterRest.take())
    }
    parked?.timer.cancel()
    if let afterRest { reactor.perform(afterRest) }
  }
}

extension Link: ReactorPoller {
  /// Looks for frames without a system call, and delivers what there is.
  package func poll() -> ReactorPoll {
    if isThreadDraining.load(ordering: .relaxed) { return .attended }
    guard let receiver, receiver.mayHaveFrames else { return .nothing }
    guard draining.withLock({ $0.turn.takeForReactor() }) else { return .nothing }
    drainOnReactor()
    return .found
  }

  /// Has the reactor told of the next frame; false if there is one already.
  package func settle() -> Bool {
    draining.withLock { state in
      guard let receiver, state.turn.holder == .reactor(isArmed: false) else { return true }
      guard receiver.arm() else { return false }
      state.turn.armed()
      return true
    }
  }
}
