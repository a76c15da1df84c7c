import SluiceSystem
import Synchronization
import SystemPackage

/// The receiving direction of a socket transport. Thread-safe.
///
/// A thread that waits for a frame sleeps in `recvmsg(2)`, straight into the buffer, with ``ReceiveTurn``; the buffer is then
/// its own, and whoever else looks is turned away. What was read beyond the frame that somebody took is in the buffer, and
/// not in the socket: so those who wait for the socket are told of it, tasks by the watch, pollers by a counter.
final class SocketReceiver: Sendable {
  private let socket: Handle
  private let decoder: FrameDecoder
  private let state: Mutex<State>
  private let isClosed = Atomic<Bool>(false)
  private let drained = Atomic<Bool>(false)
  /// Why this end has shut the socket down, so that its end is not the peer's.
  private let cause = Mutex<TransportError?>(nil)
  /// For tasks that wait.
  let watch: ReactorWatch
  // Whether the socket was made to block, and to do so for a limited time. Only who has the turn touches them.
  private let isBlocking = Atomic<Bool>(false)
  private let hasTimeout = Atomic<Bool>(false)

  private struct State: ~Copyable {
    var buffer: ReceiveBuffer
    var handles = HandleQueue()
    var turn = ReceiveTurn()
    /// Made when the descriptor is first asked for.
    var polled: Polled?
    var hasEnded = false
    /// The last look has brought all that was there.
    var isEmptied = false
    var largestFrame = 0
    var failure: TransportError?
  }

  /// What to poll: the socket, and a counter that is signalled while whole frames are in the buffer.
  private struct Polled {
    let set: Epoll
    let counter: EventCounter
    var isSignalled = false

    init(_ socket: Handle) throws(SystemError) {
      set = try Epoll()
      counter = try EventCounter()
      try set.add(socket.descriptor, .readable, token: 0)
      try set.add(counter.descriptor, .readable, token: 1)
    }
  }

  /// How long the kernel lets a receiver with a deadline wait by itself. It keeps that time only roughly, so the rest is
  /// waited for by `ppoll(2)`; and it is one setting for all, so that it need not be made again for each deadline.
  private static let timeout = Duration.milliseconds(32)
  /// With less left until the deadline, only `ppoll(2)` is exact enough.
  private static let leastNanoseconds: Int64 = 100_000_000

  init(_ socket: Handle, maxBlobSize: Int) throws(SystemError) {
    self.socket = socket
    decoder = FrameDecoder(maxBlobSize: maxBlobSize)
    watch = ReactorWatch(socket)
    state = Mutex(State(buffer: try ReceiveBuffer(maxFrameByteCount: decoder.maxFrameByteCount)))
  }

  // MARK: Without waiting

  /// Takes the next frame. Asks the kernel before it answers `wouldBlock`.
  func tryReceive(_ body: (RawSpan, [Handle]) -> Void) throws(TransportError) -> ReceiveOutcome {
    try withState { (state) throws(TransportError) in
      guard !state.turn.isTaken else {
        // Told when the turn is given back, of which this is no news.
        watch.look()
        state.turn.turnAway()
        return .wouldBlock
      }
      while true {
        if let outcome = try take(&state, body) { return outcome }
        guard try receiveMore(&state) else {
          rest(&state)
          return .wouldBlock
        }
      }
    }
  }

  /// Takes many frames. When the kernel gave fewer bytes than there was room for, there were no more: it is not asked again.
  func receiveAll(
    limit: Int, _ body: (RawSpan, [Handle]) -> Bool
  ) throws(TransportError) -> (count: Int, outcome: ReceiveOutcome) {
    try withState { (state) throws(TransportError) in
      guard !state.turn.isTaken else {
        // Told when the turn is given back, of which this is no news.
        watch.look()
        state.turn.turnAway()
        return (0, .wouldBlock)
      }
      var (count, goesOn) = (0, true)
      var hasRead = false
      while true {
        if let outcome = try take(&state, { goesOn = body($0, $1) }) {
          guard outcome == .received else { return (count, outcome) }
          count += 1
          if !goesOn || count >= limit { return (count, .received) }
          continue
        }
        let isAtRest = hasRead && state.isEmptied
        let hasMore = isAtRest ? false : try receiveMore(&state)
        guard hasMore else {
          rest(&state)
          return (count, .wouldBlock)
        }
        hasRead = true
      }
    }
  }

  /// Whether all was received that was there at the last look. See `Transport.isDrained`.
  var isDrained: Bool { drained.load(ordering: .relaxed) }

  // MARK: Waiting

  /// What a waiting thread does next.
  @safe private enum Step {
    case done(ReceiveOutcome)
    /// It has the turn, and this room for bytes.
    case enter(UnsafeMutableRawBufferPointer)
    /// Another one has the turn.
    case park
  }

  /// Takes the next frame, waiting until there is one; `wouldBlock` when the deadline passed first.
  func receive(
    deadline: ContinuousClock.Instant?, _ body: (RawSpan, [Handle]) -> Void
  ) throws(TransportError) -> ReceiveOutcome {
    // What the kernel has brought while we had the turn.
    var arrived: Result<ReceivedBytes?, SystemError>?
    var isLate = false
    while true {
      let step = try withState(asWaiter: true, givingBack: arrived != nil) { (state) throws(TransportError) -> Step in
        if let result = arrived.take() { _ = try note(result, &state) }
        if !state.turn.isTaken, let outcome = try take(&state, body) { return .done(outcome) }
        if isLate { return .done(.wouldBlock) }
        if state.turn.isTaken {
          state.turn.wait(.current)
          return .park
        }
        rest(&state)
        state.turn.take()
        watch.look()
        return unsafe .enter(state.buffer.makeRoom())
      }
      switch step {
      case .done(let outcome): return outcome
      case .park: isLate = !Parker.current.park(deadline: deadline)
      case .enter(let room):
        arrived = unsafe sleep(in: room, until: deadline)
        isLate = Deadline.nanosecondsLeft(until: deadline) == 0
      }
    }
  }

  /// With the turn: sleeps until there are bytes. Brings `nil` at the deadline, at the latest.
  @unsafe
  private func sleep(
    in room: UnsafeMutableRawBufferPointer, until deadline: ContinuousClock.Instant?
  ) -> Result<ReceivedBytes?, SystemError> {
    do throws(SystemError) {
      let left = Deadline.nanosecondsLeft(until: deadline)
      if left < 0 || left >= Self.leastNanoseconds {
        if !isBlocking.exchange(true, ordering: .relaxed) { try UnixSocket.setBlocking(true, of: socket) }
        if left >= 0, !hasTimeout.exchange(true, ordering: .relaxed) {
          try UnixSocket.setReceiveTimeout(Self.timeout, of: socket)
        }
        if let received = unsafe try UnixSocket.receiveBlocking(on: socket, into: room) { return .success(received) }
      }
      guard try !Poll.wait(for: socket.descriptor, .readable, deadline: deadline).isEmpty else { return .success(nil) }
      return .success(unsafe try UnixSocket.receive(on: socket, into: room))
    } catch {
      return .failure(error)
    }
  }

  // MARK: Under the lock

  /// Runs `body` under the lock; then wakes whose turn it is, and tells those who wait for the socket what it does not show.
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
      defer {
        next = state.turn.next()
        if hasFrame(state) {
          isNews = true
          signal(&state)
        }
        drained.store(
          state.isEmptied && state.buffer.unreadByteCount == 0 && !state.hasEnded && state.failure == nil
            && !watch.isFinished,
          ordering: .relaxed)
      }
      if isClosed.load(ordering: .acquiring) { throw .closed }
      if let failure = state.failure { throw failure }
      do throws(TransportError) {
        return try body(&state)
      } catch {
        if error.endsConnection { fail(&state, error) }
        throw error
      }
    }
  }

  /// Whether a frame is left in the buffer, or something that is none.
  private func hasFrame(_ state: borrowing State) -> Bool {
    guard state.buffer.unreadByteCount > 0, !state.turn.isTaken, state.failure == nil else { return false }
    if case .incomplete? = try? decoder.next(in: state.buffer.unread) { return false }
    return true
  }

  private func signal(_ state: inout State) {
    guard state.polled?.isSignalled == false else { return }
    state.polled?.isSignalled = true
    state.polled?.counter.signal()
  }

  /// There is nothing now: gives the memory of large frames back, and shows that there is nothing.
  private func rest(_ state: inout State) {
    if state.polled?.isSignalled == true {
      state.polled?.isSignalled = false
      state.polled?.counter.reset()
    }
    guard state.largestFrame > 1 << 16 else { return }
    state.buffer.trim()
    state.largestFrame = 0
  }

  /// Hands the next frame to `body`, or finds the end; `nil` when more bytes are needed.
  private func take(
    _ state: inout State, _ body: (RawSpan, [Handle]) -> Void
  ) throws(TransportError) -> ReceiveOutcome? {
    if case .frame(let header) = try decode(state.buffer) {
      try deliver(header, &state, body)
      return .received
    }
    guard state.hasEnded else { return nil }
    if let cause = cause.withLock({ $0 }) { throw cause }
    guard state.buffer.unreadByteCount == 0 else {
      throw .truncatedFrame(receivedByteCount: state.buffer.unreadByteCount)
    }
    // This end's own closing looks like the peer's to the kernel.
    if isClosed.load(ordering: .acquiring) { throw .closed }
    return .endOfStream
  }

  private func decode(_ buffer: borrowing ReceiveBuffer) throws(TransportError) -> FrameDecoder.Step {
    do { return try decoder.next(in: buffer.unread) } catch { throw .malformedFrame(error) }
  }

  private func deliver(
    _ header: FrameHeader, _ state: inout State, _ body: (RawSpan, [Handle]) -> Void
  ) throws(TransportError) {
    let frame = state.buffer.position..<state.buffer.position + UInt64(header.frameByteCount)
    let claim: HandleQueue.Claim
    do { claim = try state.handles.claim(header.handleCount, for: frame) } catch { throw .malformedFrame(error) }
    switch claim {
    case .handles(let handles):
      do {
        let frame = state.buffer.unread.extracting(first: FrameHeader.byteCount + header.blobByteCount)
        body(frame.extracting(droppingFirst: FrameHeader.byteCount), handles)
      }
      state.buffer.consume(header.frameByteCount)
    case .lost(let received):
      state.buffer.consume(header.frameByteCount)
      throw .descriptorTableFull(
        expected: header.handleCount, received: received, limit: ResourceLimit.openDescriptors)
    }
    state.largestFrame = max(state.largestFrame, header.frameByteCount)
  }

  /// Asks the kernel; false when it has nothing.
  private func receiveMore(_ state: inout State) throws(TransportError) -> Bool {
    watch.look()
    let result: Result<ReceivedBytes?, SystemError>
    do throws(SystemError) {
      // Sound: the room is the buffer's, and we have the lock.
      result = .success(unsafe try UnixSocket.receive(on: socket, into: state.buffer.makeRoom()))
    } catch {
      result = .failure(error)
    }
    return try note(result, &state)
  }

  /// Takes in what the kernel has brought; false when it had nothing.
  private func note(
    _ result: Result<ReceivedBytes?, SystemError>, _ state: inout State
  ) throws(TransportError) -> Bool {
    let received: ReceivedBytes
    switch result {
    case .success(let bytes?): received = bytes
    case .success(nil):
      state.isEmptied = true
      return false
    case .failure(let error) where error.errno == .connectionReset:
      // The peer closed without having received everything; what it sent has come, as with every other end. Whoever sends
      // learns it by `peerClosed`.
      state.hasEnded = true
      return true
    case .failure(let error): throw .failed(error)
    }
    let before = state.buffer.endPosition
    state.buffer.received(received.byteCount)
    // One reading ends behind handles, also when more follows.
    state.isEmptied = !received.filledRoom && received.handles.isEmpty && !received.lostHandles
    if received.byteCount == 0 { state.hasEnded = true }
    guard !received.handles.isEmpty || received.lostHandles else { return true }
    let isComplete = if case .frame = try decode(state.buffer) { true } else { false }
    do {
      try state.handles.arrived(
        received.handles, lost: received.lostHandles, with: before..<state.buffer.endPosition,
        frameStart: state.buffer.position, isComplete: isComplete)
    } catch {
      throw .malformedFrame(error)
    }
    return true
  }

  private func fail(_ state: inout State, _ failure: TransportError) {
    state.failure = failure
    state.handles.removeAll()
    // So that the peer learns of it, and nobody here sends to a peer that is not understood.
    try? UnixSocket.finish(socket)
  }

  // MARK: Descriptors and the end

  /// Readable when there is a frame, the end, or an error.
  var descriptor: FileDescriptor {
    state.withLock { state in
      if state.polled == nil, state.failure == nil {
        do throws(SystemError) {
          state.polled = try Polled(socket)
          if hasFrame(state) { signal(&state) }
        } catch {
          // Told by the next try, which the socket asks for from now on.
          fail(&state, .failed(error))
        }
      }
      return state.polled?.set.descriptor ?? socket.descriptor
    }
  }

  /// The socket is about to be shut down by this end, for that reason.
  func willEnd(_ reason: TransportError) { cause.withLock { $0 = reason } }

  /// Calls end from now on. Whoever sleeps on the socket wakes by its shutdown.
  func close() { isClosed.store(true, ordering: .releasing) }
}
