import SluiceSystem
import Synchronization
import SystemPackage

/// The sending half of a queue transport. Its receiving half is a ``QueueReceiver`` in another process, or in this one.
///
/// It sends through the receiver's queue. A full queue shows by `descriptor`: while a try has found no room, that is a
/// counter filled to the brim, which the receiver empties once it has taken a message. The page of this side tells it
/// that it is asked to, by a generation, of which the receiver keeps privately whether it has served it.
///
/// Thread-safe, never blocks but in `wait`. The peer shares the sending end of the queue and the counter: whatever it does
/// to them, calls end, at worst with `wouldBlock` as long as it lives.
public final class QueueSender: Sendable {
  /// How many bytes a blob may have.
  public let maxBlobSize: Int
  private let queue: MessageQueue
  private let own: OwnQueueStatus
  private let peer: PeerQueueStatus
  /// Ours: blocked while we wait for room. The peer unblocks it.
  private let room: Doorbell
  /// Readable once this half is closed: wakes threads that wait for the queue.
  private let closing: EventCounter
  private let isClosed = Atomic<Bool>(false)
  private let state: Mutex<State>

  private struct State: ~Copyable {
    /// Where a message is put together: private memory.
    let message: GuardedBuffer
    /// What a message carries at most.
    let payloadByteCount: Int
    /// What is left of a frame, and where in its blob that begins.
    var outbound = OutboundBuffer()
    var offset = 0
    /// Somebody polls the descriptor, so it must show whether there is room.
    var isPolled = false
    var hasFoundNoRoom = false
    var arming: UInt64 = 0
    var isFinishing = false
    var isFinished = false
    var failure: TransportError?
  }

  init(
    to queue: MessageQueue, own: OwnQueueStatus, peer: PeerQueueStatus, room: Doorbell, maxBlobSize: Int
  ) throws(SystemError) {
    self.queue = queue
    self.own = own
    self.peer = peer
    self.room = room
    self.maxBlobSize = maxBlobSize
    closing = try EventCounter()
    let payload = QueueSender.payloadByteCount(queue)
    let message = FragmentHeader.byteCount + min(payload, maxBlobSize)
    state = Mutex(State(message: try GuardedBuffer(byteCount: message), payloadByteCount: payload))
  }

  /// What a full message carries: a multiple of 8, so that a blob stays aligned where it is joined.
  static func payloadByteCount(_ queue: MessageQueue) -> Int {
    (queue.maxMessageByteCount - FragmentHeader.byteCount) / 8 * 8
  }

  deinit {
    close()
  }

  /// Hands a frame over, or says that there is no room. See `Transport.trySend`.
  public func trySend(_ blob: RawSpan) throws(TransportError) -> SendOutcome {
    guard blob.byteCount <= maxBlobSize else { throw .blobTooLarge(byteCount: blob.byteCount, limit: maxBlobSize) }
    return try state.withLock { (state) throws(TransportError) in
      try check(state)
      if state.isFinishing { throw .sendingFinished }
      guard try flush(&state) else { return .wouldBlock }
      let payload = state.payloadByteCount
      guard try push(FragmentHeader(.first, blob.byteCount), blob.extracting(first: payload), &state) else {
        return .wouldBlock
      }
      var offset = min(payload, blob.byteCount)
      while offset < blob.byteCount {
        let part = blob.extracting(droppingFirst: offset).extracting(first: payload)
        guard try push(FragmentHeader(.continuation, offset), part, &state) else {
          _ = state.outbound.keep(blob, skipping: offset)
          state.offset = offset
          break
        }
        offset += part.byteCount
      }
      return .sent
    }
  }

  /// Sends what is left of a frame. See `Transport.flush`.
  public func flush() throws(TransportError) -> Bool {
    try state.withLock { (state) throws(TransportError) in
      try check(state)
      return try flush(&state)
    }
  }

  /// Whether something is left to `flush`.
  public var hasUnsentBytes: Bool {
    state.withLock { !$0.outbound.isEmpty }
  }

  /// The receiver sees the end after the last frame. See `Transport.finishSending`.
  public func finishSending() throws(TransportError) {
    try state.withLock { (state) throws(TransportError) in
      try check(state)
      state.isFinishing = true
      _ = try flush(&state)
    }
  }

  private func check(_ state: borrowing State) throws(TransportError) {
    if isClosed.load(ordering: .acquiring) { throw .closed }
    if let failure = state.failure { throw failure }
  }

  private func flush(_ state: inout State) throws(TransportError) -> Bool {
    while !state.outbound.isEmpty {
      let byteCount = min(state.outbound.unsent.byteCount, state.payloadByteCount)
      guard try pushUnsent(byteCount, &state) else { return false }
      state.outbound.sent(byteCount)
      state.offset += byteCount
    }
    if state.isFinishing && !state.isFinished {
      state.isFinished = true
      tellEnd(state)
    }
    return true
  }

  /// The receiver sees the end after what is in the queue. In this order: one that finds the queue empty, and the word not
  /// set yet, sleeps until the end message comes; if that finds no room, the receiver has something to receive, and looks
  /// at the word after it.
  private func tellEnd(_ state: borrowing State) {
    own.store(.sendingEnded, 1)
    compose(FragmentHeader(.end, 0), RawSpan(), state)
    let end = unsafe UnsafeRawBufferPointer(rebasing: state.message.bytes[..<FragmentHeader.byteCount])
    // Fails only when the peer's handle is broken, and then there is nobody to tell. Sound: the buffer outlives the call.
    _ = try? queue.trySend(unsafe RawSpan(_unsafeBytes: end))
  }

  private func pushUnsent(_ byteCount: Int, _ state: inout State) throws(TransportError) -> Bool {
    compose(FragmentHeader(.continuation, state.offset), state.outbound.unsent.extracting(first: byteCount), state)
    return try pushComposed(byteCount, &state)
  }

  private func push(_ header: FragmentHeader, _ part: RawSpan, _ state: inout State) throws(TransportError) -> Bool {
    compose(header, part, state)
    return try pushComposed(part.byteCount, &state)
  }

  private func compose(_ header: FragmentHeader, _ part: RawSpan, _ state: borrowing State) {
    let bytes = unsafe state.message.bytes
    unsafe bytes.storeBytes(of: header.word, as: UInt64.self)
    guard part.byteCount > 0 else { return }
    // Sound: the buffer has room for a header and the largest part, is ours, and under the lock nobody else writes it.
    unsafe part.withUnsafeBytes { part in
      unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[FragmentHeader.byteCount...]).copyMemory(from: part)
    }
  }

  /// Sends the message that was put together; if there is no room, the descriptor is made to show when there is.
  private func pushComposed(_ partByteCount: Int, _ state: inout State) throws(TransportError) -> Bool {
    // Looked at before each message: after a close there is at most one that nobody takes.
    if peer.isSet(.receivingEnded) { throw fail(&state, .peerClosed) }
    let message = unsafe UnsafeRawBufferPointer(
      rebasing: state.message.bytes[..<(FragmentHeader.byteCount + partByteCount)])
    do {
      // Sound: the buffer lives as long as the state, and is not written during the calls.
      if try queue.trySend(unsafe RawSpan(_unsafeBytes: message)) { return true }
      state.hasFoundNoRoom = true
      guard state.isPolled else { return false }
      arm(&state)
      guard try queue.trySend(unsafe RawSpan(_unsafeBytes: message)) else {
        // Looked at after filling: who closes empties the counter once it is marked.
        if peer.isSet(.receivingEnded) || isClosed.load(ordering: .acquiring) { room.unblock() }
        return false
      }
      room.unblock()
      return true
    } catch {
      throw fail(&state, .failed(error))
    }
  }

  private func arm(_ state: inout State) {
    room.block()
    state.arming += 1
    own.store(.roomEvent, state.arming)
  }

  private func fail(_ state: inout State, _ failure: TransportError) -> TransportError {
    state.failure = failure
    state.outbound.removeAll()
    room.unblock()
    return failure
  }

  /// Ends this half with an error of the other one's.
  func fail(_ failure: TransportError) {
    state.withLock { state in
      if state.failure == nil { _ = fail(&state, failure) }
    }
    closing.signal()
  }

  /// Writable unless the last try found no room, and there was none since.
  public var descriptor: FileDescriptor {
    state.withLock { state in
      guard !state.isPolled else { return }
      state.isPolled = true
      guard state.hasFoundNoRoom, state.failure == nil else { return }
      arm(&state)
      // Looked at after arming. What goes wrong here goes wrong again at the next try, which says so.
      let hasRoom = (try? Poll.isReady(queue.handle.descriptor, .writable)) ?? true
      if hasRoom || peer.isSet(.receivingEnded) || isClosed.load(ordering: .acquiring) { room.unblock() }
    }
    return room.descriptor
  }

  /// Blocks until there may be room, or an error; false when the deadline passed first.
  public func wait(deadline: ContinuousClock.Instant?) throws(TransportError) -> Bool {
    do {
      let ready = try Poll.wait(
        for: queue.handle.descriptor, .writable, or: closing.descriptor, .readable, deadline: deadline)
      return !ready.first.isEmpty || !ready.second.isEmpty
    } catch {
      throw .failed(error)
    }
  }

  /// Ends this half: the receiver sees the end after the last frame that was sent whole; bytes left over are dropped.
  public func close() {
    guard !isClosed.exchange(true, ordering: .sequentiallyConsistent) else { return }
    state.withLock { state in
      if !state.isFinished { tellEnd(state) }
    }
    closing.signal()
    room.unblock()
  }
}
