import SluiceSystem
import Synchronization
import SystemPackage

/// The receiving half of a queue transport: owns the queue that it receives from. Thread-safe, never blocks but in `receive`
/// and `wait`.
///
/// A thread that waits for a frame without a deadline sleeps in `mq_receive(3)`, one at a time: ``ReceiveTurn``. The kernel
/// then hands a message over straight from its sender. What ends such a wait is a message, too: `close` sends one itself.
///
/// Private memory is bounded by one blob of the largest size and one message; what it touched for a large one is given
/// back when the queue is empty.
public final class QueueReceiver: Sendable {
  /// How many bytes a blob may have.
  public let maxBlobSize: Int
  private let queue: MessageQueue
  /// The other end of the same queue.
  private let sending: MessageQueue
  private let own: OwnQueueStatus
  private let peer: PeerQueueStatus
  /// The peer's, to unblock when there is room again.
  private let peerRoom: RemoteDoorbell
  /// Readable from the end, an error or `close` on: what the queue alone would not show.
  private let attention: EventCounter
  /// Both of them, for whoever polls.
  private let readiness: Epoll
  private let isClosed = Atomic<Bool>(false)
  /// For tasks that wait.
  let watch: ReactorWatch
  // Whether the queue was made to block. Only who has the turn touches it.
  private let isBlocking = Atomic<Bool>(false)
  /// Whether a thread may be asleep in the kernel, so that `close` has to wake it.
  private let isAsleep = Atomic<Bool>(false)
  private let state: Mutex<State>

  private struct State: ~Copyable {
    let buffer: GuardedBuffer
    var assembler: FragmentAssembler
    var turn = ReceiveTurn()
    var largest = 0
    /// The generation of the peer's arming that was served.
    var served: UInt64 = 0
    var hasSignalled = false
    var hasEnded = false
    var failure: TransportError?
  }

  /// Above this, memory that frames have touched is given back when the queue is empty.
  private static let keptByteCount = 1 << 16

  init(
    from inbox: QueueInbox, own: OwnQueueStatus, peer: PeerQueueStatus, peerRoom: RemoteDoorbell, maxBlobSize: Int
  ) throws(SystemError) {
    queue = inbox.receiving
    sending = inbox.sending
    watch = ReactorWatch(queue.handle)
    self.own = own
    self.peer = peer
    self.peerRoom = peerRoom
    self.maxBlobSize = maxBlobSize
    attention = try EventCounter()
    readiness = try Epoll()
    try readiness.add(queue.handle.descriptor, .readable, token: 0)
    try readiness.add(attention.descriptor, .readable, token: 1)
    // The kernel takes no less than a message's size, wherever in the blob it belongs.
    let byteCount = FragmentHeader.byteCount + maxBlobSize + queue.maxMessageByteCount
    state = Mutex(
      State(
        buffer: try GuardedBuffer(byteCount: byteCount),
        assembler: FragmentAssembler(
          maxBlobSize: maxBlobSize, payloadByteCount: QueueSender.payloadByteCount(queue))))
  }

  deinit {
    close()
  }

  /// Takes the next frame. See `Transport.tryReceive`; there are no handles.
  public func tryReceive(_ body: (_ blob: RawSpan) -> Void) throws(TransportError) -> ReceiveOutcome {
    try withState { (state) throws(TransportError) in
      if state.hasEnded { return .endOfStream }
      guard !state.turn.isTaken else {
        // Told when the turn is given back, of which this is no news.
        watch.look()
        state.turn.turnAway()
        return .wouldBlock
      }
      // Each turn takes a message, and a frame has a bounded number of them.
      while true {
        // Looked at before the queue: what was sent before the end is found there.
        let hasPeerEnded = peer.isSet(.sendingEnded)
        watch.look()
        // Looked at after that: who closes notifies once it is marked.
        if isClosed.load(ordering: .sequentiallyConsistent) { throw .closed }
        let target = unsafe nextTarget(state)
        guard let byteCount = try unsafe tryReceive(into: target) else {
          if hasPeerEnded { return try end(&state) }
          trim(&state)
          return .wouldBlock
        }
        if let outcome = unsafe try note(byteCount, target, &state, body) { return outcome }
      }
    }
  }

  /// Takes the next frame, waiting until there is one. See `Transport.receiveNext`. One system call for each message.
  public func receive(
    deadline: ContinuousClock.Instant?, _ body: (_ blob: RawSpan) -> Void
  ) throws(TransportError) -> ReceiveOutcome {
    guard deadline == nil else {
      // The clock that limits `mq_timedreceive(3)` can be set; only `ppoll(2)` is sure to keep a deadline.
      while true {
        guard try wait(deadline: deadline) else { return .wouldBlock }
        let outcome = try tryReceive(body)
        guard outcome == .wouldBlock else { return outcome }
      }
    }
    return try receiveBlocking(body)
  }

  private func receiveBlocking(_ body: (RawSpan) -> Void) throws(TransportError) -> ReceiveOutcome {
    // What the kernel has brought while we had the turn, and where.
    var arrived: (result: Result<Int?, SystemError>, target: Target)?
    while true {
      let step = try withState(asWaiter: true, givingBack: arrived != nil) { (state) throws(TransportError) -> Step in
        if let arrival = arrived.take() {
          switch arrival.result {
          case .success(let byteCount?):
            if let outcome = unsafe try note(byteCount, arrival.target, &state, body) { return .done(outcome) }
          case .success(nil): break
          case .failure(let error): throw .failed(error)
          }
        }
        if state.hasEnded { return .done(.endOfStream) }
        if state.turn.isTaken {
          state.turn.wait(.current)
          return .park
        }
        // The end may have found no room for its message.
        if peer.isSet(.sendingEnded) { return .look }
        trim(&state)
        state.turn.take()
        watch.look()
        return unsafe .enter(nextTarget(state))
      }
      switch step {
      case .done(let outcome): return outcome
      case .park: _ = Parker.current.park(deadline: nil)
      case .look:
        let outcome = try tryReceive(body)
        guard outcome == .wouldBlock else { return outcome }
      case .enter(let target): arrived = (unsafe sleep(in: target), target)
      }
    }
  }

  /// What a waiting thread does next.
  private enum Step {
    case done(ReceiveOutcome)
    /// It has the turn, and this place for a message.
    case enter(Target)
    /// Another one has the turn.
    case park
    /// There may be no message to wait for.
    case look
  }

  @unsafe
  private func tryReceive(into target: Target) throws(TransportError) -> Int? {
    do { return unsafe try queue.tryReceive(into: target.buffer)?.byteCount } catch { throw .failed(error) }
  }

  /// With the turn: sleeps until there is a message, or possibly one.
  @unsafe
  private func sleep(in target: Target) -> Result<Int?, SystemError> {
    do throws(SystemError) {
      if !isBlocking.exchange(true, ordering: .relaxed) { try queue.setBlocking() }
      // Said before looking: who closes looks after it has said so.
      isAsleep.store(true, ordering: .sequentiallyConsistent)
      defer { isAsleep.store(false, ordering: .sequentiallyConsistent) }
      if isClosed.load(ordering: .sequentiallyConsistent) { return .success(nil) }
      if let message = unsafe try queue.receiveBlocking(into: target.buffer) { return .success(message.byteCount) }
      // A signal came; or the queue does not block any more, and then this sleeps instead.
      _ = try Poll.wait(for: queue.handle.descriptor, .readable)
      return .success(unsafe try queue.tryReceive(into: target.buffer)?.byteCount)
    } catch {
      return .failure(error)
    }
  }

  /// Runs `body` under the lock, then wakes whose turn it is.
  private func withState<Value>(
    asWaiter isWaiter: Bool = false, givingBack hasTurn: Bool = false,
    _ body: (inout State) throws(TransportError) -> Value
  ) throws(TransportError) -> Value {
    var next: Parker?
    var isNews = false
    defer {
      if isNews { watch.notify() }
      next?.unpark()
    }
    return try state.withLock { (state) throws(TransportError) in
      if isWaiter { state.turn.withdraw(.current) }
      if hasTurn { isNews = state.turn.giveBack() }
      defer { next = state.turn.next() }
      if isClosed.load(ordering: .acquiring) { throw .closed }
      if let failure = state.failure { throw failure }
      do throws(TransportError) {
        return try body(&state)
      } catch {
        // Who closed has emptied the queue, perhaps in the middle of a frame.
        if isClosed.load(ordering: .acquiring) { throw .closed }
        state.failure = error
        attention.signal()
        isNews = true
        throw error
      }
    }
  }

  /// Where a message goes so that its part of the blob lies behind those before it: its header covers their last eight bytes
  /// for a moment.
  @safe private struct Target {
    let buffer: UnsafeMutableRawBufferPointer
    let covered: UInt64
  }

  @unsafe
  private func nextTarget(_ state: borrowing State) -> Target {
    // Sound: the offset is less than the largest blob, and behind that a message finds room. Full messages carry multiples
    // of 8 bytes, so the word is aligned.
    let buffer = unsafe UnsafeMutableRawBufferPointer(
      rebasing: state.buffer.bytes[state.assembler.receivedByteCount...])
    return unsafe Target(buffer: buffer, covered: buffer.load(as: UInt64.self))
  }

  /// Takes in a message; an outcome, if that completes a frame or ends them.
  @unsafe
  private func note(
    _ byteCount: Int, _ target: Target, _ state: inout State, _ body: (RawSpan) -> Void
  ) throws(TransportError) -> ReceiveOutcome? {
    let word = unsafe target.buffer.load(as: UInt64.self)
    if state.assembler.receivedByteCount > 0 { unsafe target.buffer.storeBytes(of: target.covered, as: UInt64.self) }
    serve(&state)
    let step: FragmentAssembler.Step
    do { step = try state.assembler.accept(word: word, messageByteCount: byteCount) } catch {
      throw .malformedFrame(error)
    }
    switch step {
    case .incomplete: return nil
    case .end: return try end(&state)
    case .frame(let byteCount):
      state.largest = max(state.largest, byteCount)
      // Sound: so many bytes were received behind the first header; nobody else writes the buffer under the lock.
      let blob = unsafe UnsafeRawBufferPointer(
        rebasing: state.buffer.bytes[FragmentHeader.byteCount..<(FragmentHeader.byteCount + byteCount)])
      body(unsafe RawSpan(_unsafeBytes: blob))
      // A peer that found the queue full could not send an end: the queue alone would not show it.
      if peer.isSet(.sendingEnded) { signalOnce(&state) }
      return .received
    }
  }

  /// There is room again: shows it, if the peer has asked for that.
  private func serve(_ state: inout State) {
    let armed = peer.load(.roomEvent)
    guard armed != state.served else { return }
    state.served = armed
    peerRoom.unblock()
  }

  private func end(_ state: inout State) throws(TransportError) -> ReceiveOutcome {
    guard state.assembler.blobByteCount == nil else {
      throw .truncatedFrame(receivedByteCount: state.assembler.receivedByteCount)
    }
    state.hasEnded = true
    signalOnce(&state)
    return .endOfStream
  }

  private func signalOnce(_ state: inout State) {
    guard !state.hasSignalled else { return }
    state.hasSignalled = true
    attention.signal()
    watch.notify()
  }

  private func trim(_ state: inout State) {
    guard state.largest > Self.keptByteCount, state.assembler.blobByteCount == nil else { return }
    state.buffer.discard(from: Self.keptByteCount)
    state.largest = 0
  }

  /// Readable when there is a message, and from the end, an error or `close` on.
  public var descriptor: FileDescriptor { readiness.descriptor }

  /// Blocks until there may be something to receive; false when the deadline passed first.
  public func wait(deadline: ContinuousClock.Instant?) throws(TransportError) -> Bool {
    do {
      let ready = try Poll.wait(
        for: queue.handle.descriptor, .readable, or: attention.descriptor, .readable, deadline: deadline)
      return !ready.first.isEmpty || !ready.second.isEmpty
    } catch {
      throw .failed(error)
    }
  }

  /// Ends this half: the sender learns of it at its next try, and wakes if it waits for room.
  public func close() {
    guard !isClosed.exchange(true, ordering: .sequentiallyConsistent) else { return }
    own.store(.receivingEnded, 1)
    // Not under the lock: whoever holds it may be the one who closes. The peer could go on sending; as many messages as
    // there can be are enough to make room.
    for _ in 0..<queue.capacity {
      guard (try? queue.tryReceive { _, _ in }) == true else { break }
    }
    if isAsleep.load(ordering: .sequentiallyConsistent) {
      // Wakes who sleeps on the queue, if what the peer has sent again does not.
      let nudge: InlineArray<1, UInt64> = [FragmentHeader(.end, 0).word]
      _ = try? unsafe sending.trySend(nudge.span.bytes)
    }
    peerRoom.unblock()
    attention.signal()
    watch.notify()
  }
}
