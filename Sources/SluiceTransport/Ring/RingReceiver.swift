import SluiceSystem
import Synchronization
import SystemPackage

/// What a drain of a ring has led to.
public struct RingDrain: Sendable, Hashable {
  /// How many frames the body has seen.
  public var count: Int
  /// `received`: there may be more. `wouldBlock`: there was no more. `endOfStream`: there will be no more.
  public var outcome: ReceiveOutcome

  /// What a drain has led to.
  public init(count: Int, outcome: ReceiveOutcome) {
    self.count = count
    self.outcome = outcome
  }
}

/// The receiving direction of one side: the only reader of the peer's ring. Thread-safe.
final class RingReceiver: Sendable {
  private let own: OwnRingMemory
  private let peer: PeerRingMemory
  /// Ours: the peer rings it when it is armed.
  private let bell: Doorbell
  /// The peer's, to unblock when there is room again.
  private let peerBell: RemoteDoorbell
  /// For tasks that wait: the bell, whose each ring is an event.
  let watch: ReactorWatch
  private let maxBlobSize: Int
  private let capacity: Int
  private let waiting: RingWaiting
  /// How much was consumed, for who waits without the lock: it looks where a frame would stand.
  private let consumed = Atomic<UInt64>(0)
  private let hasFailed = Atomic<Bool>(false)
  private let state: Mutex<State>

  private struct State: ~Copyable {
    var cursor: ConsumerCursor
    /// Private memory for one frame.
    let buffer: GuardedBuffer
    var largest = 0
    var served = RingServed()
    /// Somebody polls the descriptor, so it must show whether there are frames.
    var isPolled = false
    var arming: UInt64 = 0
    var hasEnded = false
    var failure: TransportError?
  }

  /// Each arming brings one ring at most, and the bell holds many times as many.
  private static let ringsBetweenResets: UInt64 = 64
  /// Above this, memory that frames have touched is given back when the ring is empty.
  private static let keptByteCount = 1 << 16

  init(
    own: OwnRingMemory, peer: PeerRingMemory, bell: Doorbell, peerBell: RemoteDoorbell, capacity: Int,
    maxBlobSize: Int, spinner: consuming RingSpinner
  ) throws(SystemError) {
    self.own = own
    self.peer = peer
    self.bell = bell
    self.peerBell = peerBell
    watch = ReactorWatch(bell.innerHandle)
    self.maxBlobSize = maxBlobSize
    self.capacity = capacity
    waiting = RingWaiting(own, peer, .frames, spinner)
    state = Mutex(
      State(cursor: ConsumerCursor(capacity: capacity), buffer: try GuardedBuffer(byteCount: maxBlobSize)))
  }

  /// Hands up to `limit` frames to `body`, and at most about as many as the ring holds, until `body` says false.
  func drain(limit: Int, arming: Bool, _ body: (RawSpan) -> Bool) throws(TransportError) -> RingDrain {
    var wakes: RingWakes = []
    // Taken out of the lock, with or without an error: nothing that was consumed may go unsaid.
    defer { if !wakes.isEmpty { wake(wakes) } }
    return try state.withLock { (state) throws(TransportError) in
      if waiting.isClosed { throw .closed }
      if let failure = state.failure { throw failure }
      do throws(RingViolation) {
        if state.hasEnded { return noFrame(&state) }
        var header = peer.frameHeader(at: state.cursor.offset)
        if header == 0 {
          guard try lookAgain(&state, arming: arming && state.isPolled) else { return noFrame(&state) }
          header = peer.frameHeader(at: state.cursor.offset)
        }
        let first = state.cursor.consumed
        var count = 0
        while header != 0 && count < limit && state.cursor.consumed &- first < state.cursor.capacity {
          let goOn = try deliver(header, &state, &wakes, body)
          count += 1
          if !goOn { break }
          header = peer.frameHeader(at: state.cursor.offset)
        }
        return RingDrain(count: count, outcome: .received)
      } catch {
        let failure = TransportError.protocolViolation(error)
        state.failure = failure
        hasFailed.store(true, ordering: .relaxed)
        if state.isPolled { bell.ring() }
        throw failure
      }
    }
  }

  private func noFrame(_ state: inout State) -> RingDrain {
    if state.largest > RingReceiver.keptByteCount {
      state.buffer.discard(from: RingReceiver.keptByteCount)
      state.largest = 0
    }
    return RingDrain(count: 0, outcome: state.hasEnded ? .endOfStream : .wouldBlock)
  }

  /// Whether there is a frame. If not, the descriptor is made to show the next one, when anybody looks at it.
  private func lookAgain(_ state: inout State, arming: Bool) throws(RingViolation) -> Bool {
    if arming {
      watch.look()
      bell.reset()
      state.arming += 1
      own.store(.frameEvent, state.arming)
      // Looked at after the reset: who closes rings the bell once it is marked.
      if waiting.isClosed { bell.ring() }
    }
    // In this order: what was published before the end is seen after it.
    let hasEnded = peer.load(.sendingEnded) != 0
    if isFrameThere(state) {
      if arming { bell.ring() }
      return true
    }
    if hasEnded {
      state.hasEnded = true
      if state.isPolled { bell.ring() }
    }
    return false
  }

  @inline(__always)
  private func isFrameThere(_ state: borrowing State) -> Bool { peer.frameHeader(at: state.cursor.offset) != 0 }

  @inline(__always)
  private func deliver(
    _ header: UInt64, _ state: inout State, _ wakes: inout RingWakes, _ body: (RawSpan) -> Bool
  ) throws(RingViolation) -> Bool {
    let offset = state.cursor.offset
    let byteCount = try state.cursor.blobByteCount(header, limit: maxBlobSize)
    let buffer = unsafe state.buffer.bytes
    if let target = buffer.baseAddress { unsafe peer.copyFrame(at: offset, byteCount, to: target) }
    state.largest = max(state.largest, byteCount)
    state.cursor.consume(RingLayout.frameByteCount(byteCount))
    consumed.store(state.cursor.consumed, ordering: .relaxed)
    if state.cursor.isDue {
      own.store(.received, try state.cursor.giveBack(published: peer.load(.sent)))
      wakes.formUnion(state.served.wakes(sleep: peer.load(.roomSleep), event: peer.load(.roomEvent)))
    }
    // Sound: the buffer has room for the largest blob, is ours, and is not written while the body sees it.
    return body(unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: buffer.baseAddress, count: byteCount)))
  }

  private func wake(_ wakes: RingWakes) {
    if wakes.contains(.futex) { own.wake(.roomWake) }
    if wakes.contains(.event) { peerBell.unblock() }
  }

  /// The bell's, which only shows that it was rung.
  var bellDescriptor: FileDescriptor { bell.descriptor }

  /// Readable when there are frames, at the end, and after an error; and until a try has found nothing.
  var descriptor: FileDescriptor {
    state.withLock { state in
      guard !state.isPolled else { return }
      state.isPolled = true
      guard state.failure == nil, !state.hasEnded, !isFrameThere(state) else { return bell.ring() }
      // What goes wrong here goes wrong again at the next try, which says so.
      do throws(RingViolation) { _ = try lookAgain(&state, arming: true) } catch { bell.ring() }
    }
    return bell.descriptor
  }

  /// Asks the peer to ring for the next frame; false if there is something to receive already. For who polls the bell
  /// edge-triggered, and looks only when it was rung.
  func arm() -> Bool {
    state.withLock { state in
      guard state.failure == nil, !state.hasEnded, !isFrameThere(state) else { return false }
      state.arming += 1
      if state.arming % RingReceiver.ringsBetweenResets == 0 { bell.reset() }
      own.store(.frameEvent, state.arming)
      // Looked at after the store, as with `RingWaiting`.
      return !isFrameThere(state) && peer.load(.sendingEnded) == 0 && !waiting.isClosed
    }
  }

  /// Asks the peer not to ring any more. It may have begun to.
  func disarm() { own.store(.frameEvent, 0) }

  /// Whether a drain may find something. Some loads.
  var mayHaveFrames: Bool {
    let offset = cursorOffset(consumed.load(ordering: .relaxed))
    return peer.frameHeader(at: offset) != 0 || peer.load(.sendingEnded) != 0 || waiting.isClosed
  }

  /// Wakes who blocks in `wait`, so that it looks at what interrupts it.
  func wakeSleepers() { waiting.wakeSleepers() }

  /// Blocks until there is a frame, the end or an error, or the wait is interrupted; false when the deadline passed first.
  func wait(
    deadline: ContinuousClock.Instant?, unless isInterrupted: () -> Bool = { false }
  ) throws(TransportError) -> Bool {
    let seen = consumed.load(ordering: .relaxed)
    let offset = cursorOffset(seen)
    if hasFailed.load(ordering: .relaxed) { return true }
    // Where others have consumed meanwhile, the place says nothing any more.
    return try waiting.wait(deadline: deadline, unless: isInterrupted) {
      peer.frameHeader(at: offset) != 0 || consumed.load(ordering: .relaxed) != seen
    }
  }

  /// Looks for a while, without sleeping, whether there is something to receive.
  func spin() -> Bool { waiting.spin { mayHaveFrames } }

  @inline(__always)
  private func cursorOffset(_ consumed: UInt64) -> Int { Int(consumed & UInt64(capacity - 1)) }

  /// Not under the lock: whoever holds it may be the one who closes.
  func close() {
    guard waiting.close() else { return }
    own.store(.receivingEnded, 1)
    wake([.futex, .event])
    bell.ring()
  }
}
