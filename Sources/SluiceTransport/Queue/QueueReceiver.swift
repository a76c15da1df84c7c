import SluiceSystem
import Synchronization
import SystemPackage

/// The receiving half of a queue transport: owns the queue that it receives from. Thread-safe, never blocks but in `wait`.
///
/// Private memory is bounded by one blob of the largest size and one message; what it touched for a large one is given
/// back when the queue is empty.
public final class QueueReceiver: Sendable {
  /// How many bytes a blob may have.
  public let maxBlobSize: Int
  private let queue: MessageQueue
  private let own: OwnQueueStatus
  private let peer: PeerQueueStatus
  /// The peer's, to unblock when there is room again.
  private let peerRoom: RemoteDoorbell
  /// Readable from the end, an error or `close` on: what the queue alone would not show.
  private let attention: EventCounter
  /// Both of them, for whoever polls.
  private let readiness: Epoll
  private let isClosed = Atomic<Bool>(false)
  private let state: Mutex<State>

  private struct State: ~Copyable {
    let buffer: GuardedBuffer
    var assembler: FragmentAssembler
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
    from queue: MessageQueue, own: OwnQueueStatus, peer: PeerQueueStatus, peerRoom: RemoteDoorbell, maxBlobSize: Int
  ) throws(SystemError) {
    self.queue = queue
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
    try state.withLock { (state) throws(TransportError) in
      if isClosed.load(ordering: .acquiring) { throw .closed }
      if let failure = state.failure { throw failure }
      if state.hasEnded { return .endOfStream }
      do throws(TransportError) {
        return try receiveFrame(&state, body)
      } catch {
        // Who closed has emptied the queue, perhaps in the middle of a frame.
        if isClosed.load(ordering: .acquiring) { throw .closed }
        state.failure = error
        attention.signal()
        throw error
      }
    }
  }

  private func receiveFrame(
    _ state: inout State, _ body: (RawSpan) -> Void
  ) throws(TransportError) -> ReceiveOutcome {
    // Each turn takes a message, and a frame has a bounded number of them.
    while true {
      // Looked at before the queue: what was sent before the end is found there.
      let hasPeerEnded = peer.isSet(.sendingEnded)
      guard let step = try receiveFragment(&state) else {
        guard hasPeerEnded else {
          trim(&state)
          return .wouldBlock
        }
        return try end(&state)
      }
      switch step {
      case .incomplete: continue
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
  }

  /// Receives a message so that its part of the blob lies behind those before it: its header replaces their last eight
  /// bytes for a moment.
  private func receiveFragment(_ state: inout State) throws(TransportError) -> FragmentAssembler.Step? {
    let offset = state.assembler.receivedByteCount
    // Sound: the offset is less than the largest blob, and behind that a message finds room. Full messages carry multiples
    // of 8 bytes, so the word is aligned.
    let target = unsafe UnsafeMutableRawBufferPointer(rebasing: state.buffer.bytes[offset...])
    let covered = unsafe target.load(as: UInt64.self)
    let byteCount: Int
    do {
      guard let message = unsafe try queue.tryReceive(into: target) else { return nil }
      byteCount = message.byteCount
    } catch {
      throw .failed(error)
    }
    serve(&state)
    let word = unsafe target.load(as: UInt64.self)
    if offset > 0 { unsafe target.storeBytes(of: covered, as: UInt64.self) }
    do {
      return try state.assembler.accept(word: word, messageByteCount: byteCount)
    } catch {
      throw .malformedFrame(error)
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
    peerRoom.unblock()
    attention.signal()
  }
}
