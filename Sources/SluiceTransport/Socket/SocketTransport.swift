import SluiceSystem
import Synchronization
import SystemPackage

/// Frames over a Unix domain stream socket: blobs and handles.
///
/// Sending is one `sendmsg(2)` per frame, straight from the caller's bytes. When the kernel takes only a part of a frame,
/// the rest is copied, and goes out before anything else: at most one frame is ever held. Receiving takes as many bytes as
/// there are in one `recvmsg(2)`, so that a burst of small frames costs one call; the receive buffer is guarded memory for
/// one frame of the largest size (64 KiB at least). A thread that waits for a frame sleeps in that same call. Sending and
/// receiving do not wait for each other.
public final class SocketTransport: Transport {
  /// The size of blobs that suits envelopes and small messages: 64 KiB.
  public static let defaultMaxBlobSize = 1 << 16

  private let socket: Handle
  private let options: SocketOptions
  private let reactor: Reactor?
  private let encoder: FrameEncoder
  private let sending: Mutex<Sending>
  private let receiver: SocketReceiver
  private let isClosed = Atomic<Bool>(false)

  private struct Sending: ~Copyable {
    var outbound = OutboundBuffer()
    var isFinishing = false
    var isFinished = false
    /// Runs while there is no room, under a policy that ends that.
    var stall: (deadline: ContinuousClock.Instant, timer: ScheduledAction)?
    var failure: TransportError?
  }

  /// Carries frames over a connected socket, which must be used for nothing else.
  ///
  /// - Parameters:
  ///   - socket: Whether it blocks does not matter, and is changed by the first blocking receive.
  ///   - maxBlobSize: 1 byte to 1 GiB; both ends must agree (``Handshake``). The buffers follow it.
  ///   - options: What happens when the peer does not receive.
  ///   - reactor: Whose timer ends a stall, under a policy that does; `nil` for the shared one.
  /// - Throws: `failed` when there is no memory for the receive buffer, or the kernel does not take an option.
  public init(
    socket: Handle, maxBlobSize: Int = SocketTransport.defaultMaxBlobSize,
    options: SocketOptions = SocketOptions(), reactor: Reactor? = nil
  ) throws(TransportError) {
    self.socket = socket
    self.options = options
    self.reactor = reactor
    encoder = FrameEncoder(maxBlobSize: maxBlobSize)
    sending = Mutex(Sending())
    do {
      if let byteCount = options.sendBufferByteCount {
        try UnixSocket.setSendBufferByteCount(byteCount, of: socket)
      }
      receiver = try SocketReceiver(socket, maxBlobSize: encoder.maxBlobSize)
    } catch {
      throw .failed(error)
    }
  }

  /// Two transports connected to each other.
  public static func pair(
    maxBlobSize: Int = SocketTransport.defaultMaxBlobSize, options: SocketOptions = SocketOptions()
  ) throws(TransportError) -> (SocketTransport, SocketTransport) {
    let sockets: (Handle, Handle)
    do {
      sockets = try UnixSocket.pair()
    } catch {
      throw .failed(error)
    }
    return (
      try SocketTransport(socket: sockets.0, maxBlobSize: maxBlobSize, options: options),
      try SocketTransport(socket: sockets.1, maxBlobSize: maxBlobSize, options: options)
    )
  }

  deinit {
    close()
  }

  /// `TransportKind.socket`.
  public var kind: TransportKind { .socket }
  /// How many bytes a blob may have.
  public var maxBlobSize: Int { encoder.maxBlobSize }
  /// Always true.
  public var carriesHandles: Bool { true }
  /// Readable when there is something to receive. Two descriptors more, from the first time on that it is asked for.
  public var readDescriptor: FileDescriptor { receiver.descriptor }
  /// The socket: for who alone receives, and takes frames until there are no more before it waits again.
  package var socketDescriptor: FileDescriptor { socket.descriptor }
  /// For tasks that wait. See `Transport.readWatch`.
  public var readWatch: ReactorWatch? { receiver.watch }
  /// The socket.
  public var writeDescriptor: FileDescriptor { socket.descriptor }

  /// Who is at the other end, as the kernel says.
  public func peerCredentials() throws(TransportError) -> PeerCredentials {
    do { return try UnixSocket.peerCredentials(of: socket) } catch { throw .failed(error) }
  }

  /// The process at the other end.
  public func peerProcess() throws(TransportError) -> ProcessHandle {
    do { return try UnixSocket.peerProcess(of: socket) } catch { throw .failed(error) }
  }

  // MARK: Sending

  /// Sends a frame, or says that there is no room. See `Transport.trySend`.
  public func trySend(_ blob: RawSpan, handles: [Handle]) throws(TransportError) -> SendOutcome {
    try trySend(joining: blob, RawSpan(), RawSpan(), handles: handles)
  }

  /// Sends three parts as one frame, without copying them together. See `Transport.trySend(joining:)`.
  public func trySend(
    joining first: RawSpan, _ second: RawSpan, _ third: RawSpan, handles: [Handle]
  ) throws(TransportError) -> SendOutcome {
    let byteCount = first.byteCount + second.byteCount + third.byteCount
    let header = try encoder.header(blobByteCount: byteCount, handleCount: handles.count)
    return try sending.withLock { (state) throws(TransportError) in
      try check(state)
      if state.isFinishing { throw .sendingFinished }
      guard try flush(&state) else { return try refused(&state) }
      // The spans' bytes are those of integers, which have no padding: all of them are initialised.
      let head: InlineArray<1, UInt64> = [header.word]
      let zeros: InlineArray<1, UInt64> = [0]
      let padding = unsafe zeros.span.bytes.extracting(first: header.paddingByteCount)
      let sent: Int?
      do throws(SystemError) {
        sent = unsafe try UnixSocket.send(on: socket, head.span.bytes, first, second, third, padding, handles: handles)
      } catch {
        // This one leaves the connection as it was.
        guard error.errno != .tooManyReferences else {
          throw .tooManyHandlesInFlight(limit: ResourceLimit.openDescriptors)
        }
        throw failSending(&state, error)
      }
      guard let sent else { return try refused(&state) }
      progressed(&state)
      if sent < header.frameByteCount {
        var skipped = unsafe state.outbound.keep(head.span.bytes, skipping: sent)
        skipped = state.outbound.keep(first, skipping: skipped)
        skipped = state.outbound.keep(second, skipping: skipped)
        skipped = state.outbound.keep(third, skipping: skipped)
        _ = state.outbound.keep(padding, skipping: skipped)
        stalled(&state)
      }
      return .sent
    }
  }

  /// There was no room: what the stall policy makes of it.
  private func refused(_ state: inout Sending) throws(TransportError) -> SendOutcome {
    stalled(&state)
    if options.stallPolicy == .fail { throw .noRoom }
    return .wouldBlock
  }

  /// Starts the clock of a policy that has one, unless it runs.
  private func stalled(_ state: inout Sending) {
    guard case .disconnect(let patience) = options.stallPolicy, state.stall == nil else { return }
    let deadline = ContinuousClock.now + patience
    let timer = (reactor ?? .shared).schedule(at: deadline) { [weak self] in self?.disconnect(after: patience) }
    state.stall = (deadline, timer)
  }

  /// Some bytes went: the peer receives.
  private func progressed(_ state: inout Sending) {
    state.stall.take()?.timer.cancel()
  }

  private func disconnect(after patience: Duration) {
    let isStalled = sending.withLock { state in
      // Cancelled too late: there was progress meanwhile.
      guard let stall = state.stall, stall.deadline <= .now, state.failure == nil else { return false }
      // There may be room, and whoever sends has not tried again.
      guard (try? flush(&state)) != nil, state.stall != nil else { return false }
      if state.outbound.isEmpty, (try? Poll.isReady(socket.descriptor, .writable)) ?? true {
        state.stall = nil
        return false
      }
      state.failure = .peerStalled(after: patience)
      state.stall = nil
      state.outbound.removeAll()
      return true
    }
    guard isStalled else { return }
    receiver.willEnd(.peerStalled(after: patience))
    // Wakes whoever waits for the socket.
    try? UnixSocket.finish(socket)
  }

  /// Sends what is left of a frame. See `Transport.flush`.
  @discardableResult
  public func flush() throws(TransportError) -> Bool {
    try sending.withLock { (state) throws(TransportError) in
      try check(state)
      return try flush(&state)
    }
  }

  /// Whether something of a frame is left to `flush`.
  public var hasUnsentBytes: Bool { sending.withLock { !$0.outbound.isEmpty } }

  /// Half-closes the socket, after what is left. See `Transport.finishSending`.
  public func finishSending() throws(TransportError) {
    try sending.withLock { (state) throws(TransportError) in
      try check(state)
      state.isFinishing = true
      _ = try flush(&state)
    }
  }

  private func check(_ state: borrowing Sending) throws(TransportError) {
    if isClosed.load(ordering: .acquiring) { throw .closed }
    if let failure = state.failure { throw failure }
  }

  private func flush(_ state: inout Sending) throws(TransportError) -> Bool {
    while !state.outbound.isEmpty {
      let sent: Int
      do {
        guard let count = try UnixSocket.send(on: socket, state.outbound.unsent) else { return false }
        sent = count
      } catch {
        throw failSending(&state, error)
      }
      progressed(&state)
      state.outbound.sent(sent)
      if !state.outbound.isEmpty { stalled(&state) }
    }
    if state.isFinishing && !state.isFinished {
      do { try UnixSocket.finishSending(socket) } catch { throw failSending(&state, error) }
      state.isFinished = true
    }
    return true
  }

  private func failSending(_ state: inout Sending, _ error: SystemError) -> TransportError {
    let failure: TransportError =
      switch error.errno {
      case .brokenPipe, .connectionReset, .socketNotConnected:
        isClosed.load(ordering: .acquiring) ? .closed : .peerClosed
      default: .failed(error)
      }
    state.failure = failure
    state.outbound.removeAll()
    return failure
  }

  // MARK: Receiving

  /// Takes the next frame. See `Transport.tryReceive`. Asks the kernel before it answers `wouldBlock`.
  public func tryReceive(
    _ body: (_ blob: RawSpan, _ handles: [Handle]) -> Void
  ) throws(TransportError) -> ReceiveOutcome {
    try receiver.tryReceive(body)
  }

  /// Takes many frames. See `Transport.receiveAll`. When the kernel gave fewer bytes than there was room for, there were no
  /// more: it is not asked again.
  public func receiveAll(
    limit: Int, _ body: (_ blob: RawSpan, _ handles: [Handle]) -> Bool
  ) throws(TransportError) -> (count: Int, outcome: ReceiveOutcome) {
    try receiver.receiveAll(limit: limit, body)
  }

  /// Takes the next frame, waiting until there is one. See `Transport.receiveNext`. One `recvmsg(2)` that sleeps; a second
  /// one after a wait of some 30 milliseconds with a deadline.
  public func receiveNext(
    deadline: ContinuousClock.Instant?, _ body: (_ blob: RawSpan, _ handles: [Handle]) -> Void
  ) throws(TransportError) -> ReceiveOutcome {
    try receiver.receive(deadline: deadline, body)
  }

  /// Whether all was received that was there at the last look. See `Transport.isDrained`.
  public var isDrained: Bool { receiver.isDrained }

  // MARK: Ending

  /// Ends the connection at once. See `Transport.close`.
  public func close() {
    guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
    receiver.close()
    // Fails only when the peer has gone already. The descriptor stays, so that nobody who polls it meets another file.
    try? UnixSocket.finish(socket)
  }
}
