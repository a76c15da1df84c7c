import SluiceSystem
import Synchronization
import SystemPackage

/// Adds pings and an idle timeout to a transport of any kind. Both ends must be wrapped; each sets its own limits.
///
/// A frame's last byte says what it is: 0, a blob; 1, a ping, which is received and dropped. Pings go out on the reactor's
/// timer, so they show that the peer's process runs, not that it makes progress; frames that wait to be received show
/// that too, so a slow receiver does not take its peer for idle. When the peer is idle, the connection ends with
/// `peerIdle`, and whoever waits for it wakes.
///
/// Costs a byte for each frame, a look at the clock for each call, and a timer of the reactor's for each transport.
public final class KeepAliveTransport: Transport {
  private let inner: any Transport
  private let reactor: Reactor
  private let state: Mutex<State>

  private struct State {
    var keepAlive: KeepAlive
    var timer: ScheduledAction?
    var isClosed = false
    var failure: TransportError?
  }

  private static let blobTag: UInt8 = 0
  private static let pingTag: UInt8 = 1
  /// So many pings in a row are taken by one try; a peer that floods does not keep it for ever.
  private static let pingsPerTry = 256

  /// Wraps a transport, which must be used for nothing else.
  ///
  /// - Parameters:
  ///   - transport: Its `maxBlobSize` is at least 2.
  ///   - limits: Off unless set.
  ///   - reactor: Whose timer it is.
  public init(_ transport: any Transport, limits: KeepAlive.Limits, reactor: Reactor = .shared) {
    inner = transport
    self.reactor = reactor
    state = Mutex(State(keepAlive: KeepAlive(limits, now: .now)))
    schedule()
  }

  deinit {
    close()
  }

  /// That of the wrapped transport.
  public var kind: TransportKind { inner.kind }
  /// A byte less than the wrapped transport's.
  public var maxBlobSize: Int { max(inner.maxBlobSize - 1, 0) }
  /// Whether the wrapped transport does.
  public var carriesHandles: Bool { inner.carriesHandles }
  /// That of the wrapped transport.
  public var readDescriptor: FileDescriptor { inner.readDescriptor }
  /// That of the wrapped transport.
  public var readWatch: ReactorWatch? { inner.readWatch }
  /// That of the wrapped transport.
  public var writeDescriptor: FileDescriptor { inner.writeDescriptor }
  /// Whether the wrapped transport has some.
  public var hasUnsentBytes: Bool { inner.hasUnsentBytes }

  /// Whether the wrapped transport is.
  public var isDrained: Bool { inner.isDrained }

  /// Hands a frame over for sending. See `Transport.trySend`.
  public func trySend(_ blob: RawSpan, handles: [Handle]) throws(TransportError) -> SendOutcome {
    try trySend(joining: blob, RawSpan(), RawSpan(), handles: handles)
  }

  /// Hands a frame of several parts over for sending; the second and third are copied together with the tag.
  public func trySend(
    joining first: RawSpan, _ second: RawSpan, _ third: RawSpan, handles: [Handle]
  ) throws(TransportError) -> SendOutcome {
    let byteCount = first.byteCount + second.byteCount + third.byteCount
    guard byteCount <= maxBlobSize else { throw .blobTooLarge(byteCount: byteCount, limit: maxBlobSize) }
    return try mapping { () throws(TransportError) in
      let outcome: SendOutcome
      let tag: InlineArray<1, UInt8> = [Self.blobTag]
      if third.byteCount == 0 {
        outcome = unsafe try inner.trySend(joining: first, second, tag.span.bytes, handles: handles)
      } else {
        let tail = third.copied() + [Self.blobTag]
        outcome = unsafe try inner.trySend(joining: first, second, tail.span.bytes, handles: handles)
      }
      let now = ContinuousClock.now
      state.withLock { $0.keepAlive.sent(at: now) }
      return outcome
    }
  }

  /// Takes the next frame that is no ping. See `Transport.tryReceive`. After 256 pings in a row it answers `wouldBlock`
  /// although there may be more; the descriptor still shows it.
  public func tryReceive(
    _ body: (_ blob: RawSpan, _ handles: [Handle]) -> Void
  ) throws(TransportError) -> ReceiveOutcome {
    try receive(isWaiting: false, deadline: nil, body).outcome
  }

  /// Takes the next frame that is no ping, waiting as the wrapped transport does. See `Transport.receiveNext`.
  public func receiveNext(
    deadline: ContinuousClock.Instant?, _ body: (_ blob: RawSpan, _ handles: [Handle]) -> Void
  ) throws(TransportError) -> ReceiveOutcome {
    while true {
      let (outcome, isFinal) = try receive(isWaiting: true, deadline: deadline, body)
      if isFinal { return outcome }
    }
  }

  /// Not final: there were pings only, and may be more.
  private func receive(
    isWaiting: Bool, deadline: ContinuousClock.Instant?, _ body: (RawSpan, [Handle]) -> Void
  ) throws(TransportError) -> (outcome: ReceiveOutcome, isFinal: Bool) {
    for _ in 0..<Self.pingsPerTry {
      var tag: UInt8?
      let outcome = try mapping { () throws(TransportError) in
        func take(_ frame: RawSpan, _ handles: [Handle]) {
          guard frame.byteCount > 0 else { return }
          // Sound: any byte is a number, and it is within the span.
          tag = unsafe frame.unsafeLoad(fromByteOffset: frame.byteCount - 1, as: UInt8.self)
          if tag == Self.blobTag { body(frame.extracting(first: frame.byteCount - 1), handles) }
        }
        return try isWaiting ? inner.receiveNext(deadline: deadline, take) : inner.tryReceive(take)
      }
      guard outcome == .received else {
        if outcome == .endOfStream { state.withLock { $0.keepAlive.reachedEnd() } }
        return (outcome, true)
      }
      let now = ContinuousClock.now
      state.withLock { $0.keepAlive.received(at: now) }
      switch tag {
      case Self.blobTag: return (.received, true)
      case Self.pingTag: continue
      case let tag: throw fail(.malformedFrame(tag.map { .unknownKind($0) } ?? .fragmentTooShort(byteCount: 0)))
      }
    }
    return (.wouldBlock, false)
  }

  /// Pushes on what is left. See `Transport.flush`.
  @discardableResult
  public func flush() throws(TransportError) -> Bool {
    try mapping { () throws(TransportError) in try inner.flush() }
  }

  /// Says that no more frames follow, and no more pings. See `Transport.finishSending`.
  public func finishSending() throws(TransportError) {
    state.withLock { $0.keepAlive.finishedSending() }
    try mapping { () throws(TransportError) in try inner.finishSending() }
  }

  /// Waits as the wrapped transport does. See `Transport.waitToReceive`.
  public func waitToReceive(deadline: ContinuousClock.Instant?) throws(TransportError) -> Bool {
    try mapping { () throws(TransportError) in try inner.waitToReceive(deadline: deadline) }
  }

  /// Waits as the wrapped transport does. See `Transport.waitToSend`.
  public func waitToSend(byteCount: Int, deadline: ContinuousClock.Instant?) throws(TransportError) -> Bool {
    try mapping { () throws(TransportError) in
      try inner.waitToSend(byteCount: byteCount + 1, deadline: deadline)
    }
  }

  /// Ends the connection, and the timer. See `Transport.close`.
  public func close() {
    let timer = state.withLock { state in
      state.isClosed = true
      return state.timer.take()
    }
    timer?.cancel()
    inner.close()
  }

  /// Says why the connection ended: once the wrapped transport was closed for it, that itself says only `closed`.
  private func mapping<Value>(_ body: () throws(TransportError) -> Value) throws(TransportError) -> Value {
    if let failure = state.withLock({ $0.failure }) { throw failure }
    do throws(TransportError) {
      return try body()
    } catch {
      throw state.withLock { $0.failure } ?? error
    }
  }

  @discardableResult
  private func fail(_ failure: TransportError) -> TransportError {
    let first = state.withLock { state in
      state.failure = state.failure ?? failure
      return state.failure ?? failure
    }
    close()
    return first
  }

  // MARK: The timer

  private func schedule() {
    state.withLock { state in
      guard !state.isClosed, let time = state.keepAlive.nextTime else { return state.timer = nil }
      state.timer = reactor.schedule(at: time) { [weak self] in self?.tick() }
    }
  }

  private func tick() {
    let now = ContinuousClock.now
    switch state.withLock({ $0.keepAlive.due(at: now) }) {
    case .peerIdle(let timeout)?:
      // What waits to be received has come, however long ago; that nobody receives it is not the peer's fault.
      guard (try? Poll.isReady(inner.readDescriptor, .readable)) == true else {
        fail(.peerIdle(after: timeout))
        return
      }
      state.withLock { $0.keepAlive.received(at: now) }
    case .ping?:
      let tag: InlineArray<1, UInt8> = [Self.pingTag]
      // Without room, something else is under way. What fails here fails at the next call, which says so.
      _ = try? unsafe inner.trySend(tag.span.bytes, handles: [])
      _ = try? inner.flush()
      state.withLock { $0.keepAlive.sent(at: now) }
    case nil: break
    }
    schedule()
  }
}
