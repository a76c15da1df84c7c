import SluiceSystem
import Synchronization
import SystemPackage

/// The sending direction of one side: the only writer of its ring. Thread-safe.
final class RingSender: Sendable {
  private let own: OwnRingMemory
  private let peer: PeerRingMemory
  /// Ours: blocked while we wait for room. The peer unblocks it.
  private let bell: Doorbell
  /// The peer's, to ring when there are frames.
  private let peerBell: RemoteDoorbell
  private let maxBlobSize: Int
  private let waiting: RingWaiting
  private let state: Mutex<State>

  private struct State {
    var cursor: ProducerCursor
    var served = RingServed()
    /// Somebody polls the descriptor, so it must show whether there is room.
    var isPolled = false
    var arming: UInt64 = 0
    /// The room that the last try lacked.
    var lacked: Int?
    var isFinished = false
    var failure: TransportError?
  }

  init(
    own: OwnRingMemory, peer: PeerRingMemory, bell: Doorbell, peerBell: RemoteDoorbell, capacity: Int,
    maxBlobSize: Int, spinner: consuming RingSpinner
  ) {
    self.own = own
    self.peer = peer
    self.bell = bell
    self.peerBell = peerBell
    self.maxBlobSize = maxBlobSize
    waiting = RingWaiting(own, peer, .room, spinner)
    state = Mutex(State(cursor: ProducerCursor(capacity: capacity)))
  }

  func trySend(_ blob: RawSpan) throws(TransportError) -> SendOutcome {
    guard blob.byteCount <= maxBlobSize else {
      throw .blobTooLarge(byteCount: blob.byteCount, limit: maxBlobSize)
    }
    let frameByteCount = RingLayout.frameByteCount(blob.byteCount)
    let wakes = try state.withLock { (state) throws(TransportError) -> RingWakes? in
      try mayWrite(&state)
      if state.cursor.room < frameByteCount {
        guard try findRoom(frameByteCount, &state) else { return nil }
      }
      let offset = state.cursor.offset
      // The bytes last: the peer looks at their first cache line all the time, and would fetch it in between.
      book(frameByteCount, &state)
      own.write(blob, at: offset)
      return publish(RingLayout.header(blob.byteCount), at: offset, &state)
    }
    guard let wakes else { return .wouldBlock }
    if !wakes.isEmpty { wake(wakes) }
    return .sent
  }

  /// Publishes the frames that `body` adds to a batch at once; how many.
  func trySend(batch body: (inout RingBatch) throws(TransportError) -> Void) throws(TransportError) -> Int {
    var wakes: RingWakes = []
    defer { if !wakes.isEmpty { wake(wakes) } }
    return try state.withLock { (state) throws(TransportError) -> Int in
      try mayWrite(&state)
      var batch = RingBatch(own, state.cursor, maxBlobSize: maxBlobSize)
      defer {
        if batch.byteCount > 0 {
          let offset = state.cursor.offset
          book(batch.byteCount, &state)
          wakes = publish(batch.firstHeader, at: offset, &state)
        }
      }
      try body(&batch)
      if let lacked = batch.lacked { _ = try findRoom(lacked + batch.byteCount, &state) }
      return batch.count
    }
  }

  @inline(__always)
  private func mayWrite(_ state: inout State) throws(TransportError) {
    try check(&state)
    if state.isFinished { throw .sendingFinished }
    try confirm(&state)
  }

  /// Takes room for frames, and says that nothing follows them.
  @inline(__always)
  private func book(_ byteCount: Int, _ state: inout State) {
    own.storeEarly(.sent, state.cursor.publish(byteCount))
    own.writeHeader(0, at: state.cursor.offset)
  }

  /// Makes frames visible that were written, but for the header of the first one. Whom to wake.
  @inline(__always)
  private func publish(_ header: UInt64, at offset: Int, _ state: inout State) -> RingWakes {
    own.publish(header, at: offset)
    return state.served.wakes(sleep: peer.load(.frameSleep), event: peer.load(.frameEvent))
  }

  @inline(__always)
  private func check(_ state: inout State) throws(TransportError) {
    if waiting.isClosed { throw .closed }
    if let failure = state.failure { throw failure }
  }

  @inline(__always)
  private func confirm(_ state: inout State) throws(TransportError) {
    guard peer.load(.receivingEnded) == 0 else {
      state.failure = .peerClosed
      throw .peerClosed
    }
    do {
      try state.cursor.confirm(peer.load(.received))
    } catch {
      state.failure = .protocolViolation(error)
      throw .protocolViolation(error)
    }
  }

  /// There was no room: asks to be told when there is, if anybody listens, and looks again.
  private func findRoom(_ frameByteCount: Int, _ state: inout State) throws(TransportError) -> Bool {
    state.lacked = frameByteCount
    guard state.isPolled else { return false }
    bell.block()
    state.arming += 1
    own.store(.roomEvent, state.arming)
    do throws(TransportError) {
      // Looked at after blocking: who closes unblocks the bell once it is marked.
      if waiting.isClosed { throw TransportError.closed }
      try confirm(&state)
    } catch {
      bell.unblock()
      throw error
    }
    guard state.cursor.room >= frameByteCount else { return false }
    bell.unblock()
    return true
  }

  private func wake(_ wakes: RingWakes) {
    if wakes.contains(.futex) { own.wake(.frameWake) }
    if wakes.contains(.event) { peerBell.ring() }
  }

  /// Writable while there was room at the last try, or there is no use in trying.
  var descriptor: FileDescriptor {
    state.withLock { state in
      guard !state.isPolled else { return }
      state.isPolled = true
      // What goes wrong here goes wrong again at the next try, which says so.
      if let lacked = state.lacked, state.failure == nil, !waiting.isClosed { _ = try? findRoom(lacked, &state) }
    }
    return bell.descriptor
  }

  /// Blocks until a blob of that size may find room, or an error; false when the deadline passed first.
  func wait(roomFor byteCount: Int, deadline: ContinuousClock.Instant?) throws(TransportError) -> Bool {
    let needed = RingLayout.frameByteCount(max(0, min(byteCount, maxBlobSize)))
    let seen = state.withLock { state -> UInt64? in
      guard state.failure == nil, !state.isFinished, (try? confirm(&state)) != nil else { return nil }
      return state.cursor.room < needed ? state.cursor.confirmed : nil
    }
    guard let seen else { return true }
    return try waiting.wait(deadline: deadline) { peer.load(.received) != seen }
  }

  func flush() throws(TransportError) {
    try state.withLock { (state) throws(TransportError) in try check(&state) }
  }

  func finish() throws(TransportError) {
    let isFirst = try state.withLock { (state) throws(TransportError) in
      try check(&state)
      defer { state.isFinished = true }
      return !state.isFinished
    }
    if isFirst { tellEnd() }
  }

  /// Not under the lock: whoever holds it may be the one who closes.
  func close() {
    guard waiting.close() else { return }
    tellEnd()
    bell.unblock()
  }

  private func tellEnd() {
    own.store(.sendingEnded, 1)
    wake([.futex, .event])
  }
}
