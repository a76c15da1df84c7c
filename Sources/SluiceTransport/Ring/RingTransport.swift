import SluiceSystem
import SystemPackage

/// Frames through two single-producer, single-consumer rings in shared memory: blobs, no handles.
///
/// Each side makes one sealed segment: the ring that it sends through, and a control page (``RingLayout``). It alone can
/// write it; the peer maps it read-only. What a side knows of its own cursors is private; what it reads of the peer's is
/// loaded once and checked, so that a broken or hostile peer leads to `protocolViolation`, whatever it writes.
///
/// - **Cost.** A frame takes whole cache lines, with 8 bytes of them for itself: up to 56 bytes one, up to 120 two. While both
///   sides are busy, sending a frame is one copy and receiving it another, without a system call. A
///   side that sleeps is woken once, by a futex if it blocks, or by its event counter if it polls. A received frame is
///   copied to private memory since its checker must not see it change; a large one costs a `memcpy`, and touched memory
///   of its size until the ring is empty. Large payloads belong in an arena, not in a frame.
/// - **Room** is given back in eighths of the ring, so a sender may find up to an eighth less than is free. A blob that
///   finds no room does not keep a smaller one from finding some.
/// - **Descriptors** cost nothing until they are first asked for. `readDescriptor` stays readable until `tryReceive` has
///   answered `wouldBlock`; each such answer then costs a system call, which arms it. A failed `trySend` costs two.
/// - **Death** of the peer's process does not show here: who watches it closes the transport, which wakes all that wait.
///   `endOfStream` is what the peer has said itself.
public final class RingTransport: Transport {
  /// The size of the peer's segment, in bytes.
  public let peerSegmentByteCount: Int
  /// How many bytes a blob may have, in both directions.
  public let maxBlobSize: Int
  /// Whether looking for frames for a while makes sense.
  let maySpin: Bool
  let sender: RingSender
  let receiver: RingReceiver

  /// Completes a ring with what the peer has announced and sent.
  ///
  /// - Parameters:
  ///   - endpoint: This side's half.
  ///   - peer: What the peer says of its half.
  ///   - handles: The peer's handles, in the order of its `Endpoint.handles`.
  ///   - spinning: How blocking calls wait.
  ///   - processorCount: On how many processors both ends may run. Nobody spins with one: the peer could not run meanwhile.
  /// - Throws: When the peer's announcement is out of bounds, or its segment is no sealed memfd of that size.
  public init(
    _ endpoint: consuming Endpoint, peer announcement: Announcement, handles: [Handle],
    spinning: RingSpinning = .default, processorCount: Int = Processors.allowedCount
  ) throws(RingSetupError) {
    try announcement.check()
    guard handles.count == Endpoint.handleCount else {
      throw .wrongHandleCount(handles.count, expected: Endpoint.handleCount)
    }
    let segment: BorrowedSegment
    do {
      segment = try BorrowedSegment(
        handles[0], name: "the peer's ring",
        byteCount: RingLayout.segmentByteCount(capacity: announcement.capacity),
        mirroredFrom: RingLayout.framesOffset)
    } catch {
      throw .segment(error)
    }
    let own = OwnRingMemory(endpoint.segment)
    let peer = PeerRingMemory(segment)
    let peerBell = RemoteDoorbell(handles[1])
    maxBlobSize = min(endpoint.announcement.maxBlobSize, announcement.maxBlobSize)
    peerSegmentByteCount = segment.byteCount
    maySpin = spinning != .off && processorCount > 1
    sender = RingSender(
      own: own, peer: peer, bell: endpoint.bell, peerBell: peerBell, capacity: endpoint.announcement.capacity,
      maxBlobSize: maxBlobSize, spinner: RingSpinner(spinning, processorCount: processorCount))
    do {
      receiver = try RingReceiver(
        own: own, peer: peer, bell: endpoint.bell, peerBell: peerBell, capacity: announcement.capacity,
        maxBlobSize: maxBlobSize, spinner: RingSpinner(spinning, processorCount: processorCount))
    } catch {
      throw .failed(error)
    }
  }

  deinit {
    close()
  }

  /// `TransportKind.ring`.
  public var kind: TransportKind { .ring }
  /// Always false.
  public var carriesHandles: Bool { false }
  /// Readable when there are frames, or the end; see above.
  public var readDescriptor: FileDescriptor { receiver.descriptor }
  /// For tasks that wait. See `Transport.readWatch`.
  public var readWatch: ReactorWatch? {
    // The bell rings only if somebody has asked for it.
    _ = receiver.descriptor
    return receiver.watch
  }
  /// Readable when the peer has rung for this side: for who arms the bell itself, and polls it edge-triggered.
  var bellDescriptor: FileDescriptor { receiver.bellDescriptor }
  /// Writable unless the last try found no room, and there still is none.
  public var writeDescriptor: FileDescriptor { sender.descriptor }
  /// Always false: a frame is in the ring or it is not.
  public var hasUnsentBytes: Bool { false }

  /// Puts a frame into the ring, or says that there is no room. See `Transport.trySend`.
  public func trySend(_ blob: RawSpan, handles: [Handle]) throws(TransportError) -> SendOutcome {
    guard handles.isEmpty else { throw .handlesNotCarried(.ring) }
    return try sender.trySend(blob)
  }

  /// Puts a frame into the ring, waiting for ever until there is room: the quickest way to send one. As
  /// `send(_:handles:deadline:)`.
  public func send(_ blob: RawSpan) throws(TransportError) {
    while try sender.trySend(blob) == .wouldBlock { _ = try sender.wait(roomFor: blob.byteCount, deadline: nil) }
  }

  /// Takes the next frame from the ring, waiting for ever until there is one: the quickest way to receive one. As
  /// `receive(deadline:_:)`, without handles, which a ring does not carry.
  @inlinable @inline(__always)
  public func receive<Result>(_ body: (_ blob: RawSpan) -> Result) throws(TransportError) -> Result? {
    var result: Result?
    try receiveNext { result = body($0) }
    return result
  }

  /// Calls `body` with the next frame, or returns at the end.
  @usableFromInline
  func receiveNext(_ body: (_ blob: RawSpan) -> Void) throws(TransportError) {
    _ = try takeNext(deadline: nil, body)
  }

  /// Calls `body` with the next frame; `wouldBlock` when the deadline passed first.
  @inline(__always)
  private func takeNext(
    deadline: ContinuousClock.Instant?, _ body: (_ blob: RawSpan) -> Void
  ) throws(TransportError) -> ReceiveOutcome {
    while true {
      let drain = try receiver.drain(limit: 1, arming: false) { blob in
        body(blob)
        return true
      }
      guard drain.outcome == .wouldBlock else { return drain.outcome }
      guard try receiver.wait(deadline: deadline) else { return .wouldBlock }
    }
  }

  /// Puts many frames into the ring under one lock, and makes them visible to the receiver at once, with one wake-up at
  /// most.
  ///
  /// - Parameter body: Adds the frames. It must not use this transport. What it has added when it throws is sent.
  /// - Returns: How many frames were sent. When that is fewer than wanted, `waitToSend` waits for room.
  /// - Throws: As `trySend`, and what `body` throws.
  public func trySend(
    batch body: (_ batch: inout RingBatch) throws(TransportError) -> Void
  ) throws(TransportError) -> Int {
    try sender.trySend(batch: body)
  }

  /// Takes the next frame from the ring. See `Transport.tryReceive`.
  public func tryReceive(
    _ body: (_ blob: RawSpan, _ handles: [Handle]) -> Void
  ) throws(TransportError) -> ReceiveOutcome {
    try receiver.drain(limit: 1, arming: true) { blob in
      body(blob, [])
      return true
    }.outcome
  }

  /// Takes the next frame, waiting until there is one. See `Transport.receiveNext`. Who polls is told nothing by it.
  public func receiveNext(
    deadline: ContinuousClock.Instant?, _ body: (_ blob: RawSpan, _ handles: [Handle]) -> Void
  ) throws(TransportError) -> ReceiveOutcome {
    try takeNext(deadline: deadline) { body($0, []) }
  }

  /// Takes many frames under one lock: at most about as many as the ring holds.
  ///
  /// - Parameters:
  ///   - limit: How many; at least 1.
  ///   - arming: Whether an answer of `wouldBlock` makes `readDescriptor` show the next frame. Not needed by who then calls
  ///     `waitToReceive`, or looks again by itself; somebody must have looked with it before the descriptor is polled again.
  ///   - body: Sees one frame at a time, as with `tryReceive`; false to take no more.
  /// - Throws: As `tryReceive`. Frames that the body has seen are received.
  public func receiveAll(
    limit: Int = .max, arming: Bool = true, _ body: (_ blob: RawSpan) -> Bool
  ) throws(TransportError) -> RingDrain {
    try receiver.drain(limit: max(1, limit), arming: arming, body)
  }

  /// Looks for frames as a blocking call does before it sleeps. See `Transport.lookAround`.
  public func lookAround() { _ = maySpin && receiver.spin() }

  /// Blocks until there may be something to receive: spins, then sleeps on a futex. See `Transport.waitToReceive`.
  public func waitToReceive(deadline: ContinuousClock.Instant?) throws(TransportError) -> Bool {
    try receiver.wait(deadline: deadline)
  }

  /// Blocks until there may be room: spins, then sleeps on a futex. See `Transport.waitToSend`.
  public func waitToSend(byteCount: Int, deadline: ContinuousClock.Instant?) throws(TransportError) -> Bool {
    try sender.wait(roomFor: byteCount, deadline: deadline)
  }

  /// Nothing to do.
  @discardableResult
  public func flush() throws(TransportError) -> Bool {
    try sender.flush()
    return true
  }

  /// The peer sees the end after the last frame. See `Transport.finishSending`.
  public func finishSending() throws(TransportError) {
    try sender.finish()
  }

  /// Ends both directions, and wakes who waits, at both ends. See `Transport.close`.
  public func close() {
    sender.close()
    receiver.close()
  }
}
