import SluiceSystem
import SystemPackage

/// A duplex connection that carries framed blobs in order, and with some kinds handles.
///
/// This is the contract that everything above relies on, and that a transport of a user's own fulfils:
/// - **Frames.** One `trySend` is one `tryReceive` at the other end: the same bytes, the same handles, in the order sent.
/// - **Never blocking.** The core answers `wouldBlock`; a descriptor becomes ready when it is worth another try. A ready
///   descriptor promises nothing: the try may block again.
/// - **Threads.** All members may be called from any thread at any time.
/// - **Ends.** The peer's `finishSending` or orderly `close` shows as `endOfStream`, after its last frame; anything else is
///   an error. Errors that end the connection repeat at each further call. A transport that is released is closed.
/// - **Hostile peers.** Whatever arrives leads to frames or to an error, with memory bounded by `maxBlobSize`.
///
/// `Transport+Blocking.swift` and `Transport+Async.swift` add the blocking and the `async` faces to any transport.
public protocol Transport: AnyObject, Sendable {
  /// What kind this is.
  var kind: TransportKind { get }

  /// How many bytes a blob may have, sent or received.
  var maxBlobSize: Int { get }

  /// Whether frames can carry handles.
  var carriesHandles: Bool { get }

  /// Hands a frame over for sending, whole or not at all.
  ///
  /// Bytes for which the kernel has no room yet may be kept, at most those of one frame: see `flush`.
  /// - Parameters:
  ///   - blob: At most `maxBlobSize` bytes; may be empty. Not used after the call.
  ///   - handles: Duplicates of them travel; they stay the caller's.
  func trySend(_ blob: RawSpan, handles: [Handle]) throws(TransportError) -> SendOutcome

  /// Hands three parts over for sending as one frame, whole or not at all: what a frame's header and trailer are for.
  ///
  /// - Parameters:
  ///   - first: As the others, not used after the call; together they have at most `maxBlobSize` bytes. May be empty.
  ///   - handles: As in `trySend`.
  func trySend(
    joining first: RawSpan, _ second: RawSpan, _ third: RawSpan, handles: [Handle]
  ) throws(TransportError) -> SendOutcome

  /// Takes the next frame, if there is one, and calls `body` with it, once.
  ///
  /// - Parameter body: Sees the frame's bytes in this process's private memory, 8-byte aligned, and owns its handles; what
  ///   it does not keep is closed. It must not receive from the same transport.
  func tryReceive(_ body: (_ blob: RawSpan, _ handles: [Handle]) -> Void) throws(TransportError) -> ReceiveOutcome

  /// Takes frames as long as there are some, `body` says true and `limit` is not reached: for who drains a transport, and
  /// then waits for it level-triggered. (Edge-triggered waiting needs `tryReceive` until that answers `wouldBlock`: only
  /// then has the kernel been asked last.)
  ///
  /// - Parameters:
  ///   - limit: How many frames; at least 1.
  ///   - body: As with `tryReceive`; false to take no more.
  /// - Returns: How many frames `body` has seen; `received` when there may be more, else what there is instead.
  /// - Throws: What `tryReceive` throws. Frames that the body has seen are received.
  func receiveAll(
    limit: Int, _ body: (_ blob: RawSpan, _ handles: [Handle]) -> Bool
  ) throws(TransportError) -> (count: Int, outcome: ReceiveOutcome)

  /// Takes the next frame, waiting until there is one, and calls `body` with it, once. What the blocking face is made of;
  /// unless the transport knows better, tries and waits.
  ///
  /// - Parameters:
  ///   - deadline: `nil` waits for ever; one in the past tries once.
  ///   - body: As with `tryReceive`.
  /// - Returns: `wouldBlock` when the deadline passed first.
  func receiveNext(
    deadline: ContinuousClock.Instant?, _ body: (_ blob: RawSpan, _ handles: [Handle]) -> Void
  ) throws(TransportError) -> ReceiveOutcome

  /// What spares the `async` face its system calls, if the transport has it: says how `readDescriptor` is watched.
  var readWatch: ReactorWatch? { get }

  /// Looks for something to receive for as long as that costs less than a wait, without sleeping: what the `async` face does
  /// before a task suspends. Nothing, unless the transport has memory to look at.
  func lookAround()

  /// Whether a wait should come before the next try, because the last one has told that there was no more. A hint for the
  /// blocking and the `async` face, which spares them a system call; it promises nothing.
  var isDrained: Bool { get }

  /// Pushes on what is left of a frame handed over earlier.
  ///
  /// - Returns: Whether nothing is left.
  @discardableResult
  func flush() throws(TransportError) -> Bool

  /// Whether something of a frame handed over earlier is left to `flush`.
  var hasUnsentBytes: Bool { get }

  /// Readable when `tryReceive` may do something; not any more, once that has answered `wouldBlock`. Valid while the
  /// transport lives.
  var readDescriptor: FileDescriptor { get }

  /// Writable when `trySend` or `flush` may go on. Valid while the transport lives; may be the same as `readDescriptor`.
  var writeDescriptor: FileDescriptor { get }

  /// Blocks until `tryReceive` may do something. Polls `readDescriptor` unless the transport knows better.
  ///
  /// - Parameter deadline: `nil` waits for ever.
  /// - Returns: False when the deadline passed first.
  func waitToReceive(deadline: ContinuousClock.Instant?) throws(TransportError) -> Bool

  /// Blocks until `trySend` of a blob of that size, or `flush`, may go on. Polls `writeDescriptor` unless the transport
  /// knows better.
  ///
  /// - Parameter deadline: `nil` waits for ever.
  /// - Returns: False when the deadline passed first.
  func waitToSend(byteCount: Int, deadline: ContinuousClock.Instant?) throws(TransportError) -> Bool

  /// Says that no more frames follow: the peer sees the end of the stream after the last one. Bytes left over are sent
  /// first, by `flush`. The other direction stays open.
  func finishSending() throws(TransportError)

  /// Ends the connection at once, in both directions; whoever waits for it wakes. Bytes left over are dropped, frames not
  /// received are closed with their handles. Descriptors are released with the transport.
  func close()
}

/// What became of a frame to be sent.
public enum SendOutcome: Sendable, Hashable {
  /// It was taken over, whole.
  case sent
  /// There is no room; nothing of it was taken.
  case wouldBlock
}

/// What was there to receive.
public enum ReceiveOutcome: Sendable, Hashable {
  /// A frame; the body has seen it.
  case received
  /// Nothing at the moment.
  case wouldBlock
  /// Nothing ever: the peer has finished sending, and all of it was received.
  case endOfStream
}

extension Transport {
  /// Copies the parts together. See the requirement; a transport that can do without the copy implements it.
  public func trySend(
    joining first: RawSpan, _ second: RawSpan, _ third: RawSpan, handles: [Handle]
  ) throws(TransportError) -> SendOutcome {
    var joined: [UInt8] = []
    joined.reserveCapacity(first.byteCount + second.byteCount + third.byteCount)
    // Sound: the spans outlive the closures, which only read.
    unsafe first.withUnsafeBytes { unsafe joined.append(contentsOf: $0) }
    unsafe second.withUnsafeBytes { unsafe joined.append(contentsOf: $0) }
    unsafe third.withUnsafeBytes { unsafe joined.append(contentsOf: $0) }
    // The bytes of integers, which have no padding.
    return unsafe try trySend(joined.span.bytes, handles: handles)
  }

  /// Tries again and again. See the requirement; a transport that can tell sooner that there is no more implements it.
  public func receiveAll(
    limit: Int, _ body: (_ blob: RawSpan, _ handles: [Handle]) -> Bool
  ) throws(TransportError) -> (count: Int, outcome: ReceiveOutcome) {
    var count = 0
    while true {
      var goesOn = true
      let outcome = try tryReceive { goesOn = body($0, $1) }
      guard outcome == .received else { return (count, outcome) }
      count += 1
      if !goesOn || count >= limit { return (count, .received) }
    }
  }

  /// None: each wait registers `readDescriptor` anew.
  public var readWatch: ReactorWatch? { nil }

  /// Nothing to look at.
  public func lookAround() {}

  /// Always false: a try comes first.
  public var isDrained: Bool { false }

  /// What to watch for who alone receives, and takes frames until there are no more before it waits again.
  package var drainDescriptor: FileDescriptor { (self as? SocketTransport)?.socketDescriptor ?? readDescriptor }

  /// Hands a frame without handles over for sending, whole or not at all.
  public func trySend(_ blob: RawSpan) throws(TransportError) -> SendOutcome {
    try trySend(blob, handles: [])
  }
}
