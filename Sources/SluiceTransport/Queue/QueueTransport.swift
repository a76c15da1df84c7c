import SluiceSystem
import SystemPackage

/// Frames through two POSIX message queues: blobs, no handles.
///
/// Each side makes the queue that it receives from, removes its name at once, and passes the sending end to the peer,
/// together with a page that says what a full queue cannot (``QueueStatusWord``) and a bell that shows room. A blob is
/// split into as many messages as it needs and joined at the other end.
///
/// - **Cost.** A system call for each message on either side; a copy before sending, besides the kernel's own two.
/// - **Room** is what the receiver's queue holds: ``QueueSize``. Bytes of a frame for which there was none are kept.
/// - **Death** of the peer's process does not show here: who watches it closes the transport, which wakes all that wait.
///   `endOfStream` is what the peer has said itself.
/// - **Names** exist for a moment, while a queue is made. A process that dies in that moment leaves one behind, unless a
///   journal is given to `prepare`: see ``JournaledQueue``.
public final class QueueTransport: Transport {
  private let sender: QueueSender
  private let receiver: QueueReceiver

  /// One side's half, before it knows the other one: made by `prepare`, used once.
  public struct Endpoint: ~Copyable, Sendable {
    /// What to tell the peer.
    public let announcement: QueueAnnouncement
    let inbox: QueueInbox
    let status: OwnQueueStatus
    let room: Doorbell

    /// What to pass to the peer, in this order: the queue's sending end, the page, the bell.
    public var handles: [Handle] { [inbox.sending.handle, status.segment.handle, room.handle] }

    /// How many handles each side passes.
    public static let handleCount = 3
  }

  /// The size of the page that each side makes, in bytes.
  public static var segmentByteCount: Int { OwnQueueStatus.byteCount }

  /// Makes this side's half: a queue, a page and a bell.
  ///
  /// - Parameters:
  ///   - name: The page's, for people.
  ///   - size: Of the queue that this side receives from.
  ///   - maxBlobSize: How many bytes a blob may have, 1 to 1 GiB. Memory for one is reserved, and used when one comes.
  ///   - journal: A directory for the queue's name while it has one; see ``JournaledQueue``.
  /// - Throws: What stands in the way, with the limit that was met.
  public static func prepare(
    name: String = "sluice.queue.status", size: QueueSize = .default,
    maxBlobSize: Int = SocketTransport.defaultMaxBlobSize, journal: FilePath? = nil
  ) throws(QueueSetupError) -> Endpoint {
    let announcement = QueueAnnouncement(maxBlobSize: maxBlobSize)
    try announcement.check()
    let inbox = try QueueInbox(size, journal: journal)
    let status: OwnQueueStatus
    do { status = try OwnQueueStatus(name: name) } catch { throw .segment(error) }
    do {
      return Endpoint(announcement: announcement, inbox: inbox, status: status, room: try Doorbell())
    } catch {
      throw .failed(error)
    }
  }

  /// Completes a transport with what the peer has announced and sent.
  ///
  /// - Parameters:
  ///   - endpoint: This side's half.
  ///   - announcement: What the peer says of its half.
  ///   - handles: The peer's handles, in the order of its `Endpoint.handles`.
  /// - Throws: When the peer's announcement is out of bounds, or a handle is not what it should be.
  public init(
    _ endpoint: consuming Endpoint, peer announcement: QueueAnnouncement, handles: [Handle]
  ) throws(QueueSetupError) {
    try announcement.check()
    guard handles.count == Endpoint.handleCount else {
      throw .wrongHandleCount(handles.count, expected: Endpoint.handleCount)
    }
    let queue = try MessageQueue.sendingEnd(checking: handles[0])
    let status: PeerQueueStatus
    do { status = try PeerQueueStatus(handles[1]) } catch { throw .segment(error) }
    let maxBlobSize = min(endpoint.announcement.maxBlobSize, announcement.maxBlobSize)
    do {
      let peerRoom = RemoteDoorbell(handles[2])
      sender = try QueueSender(
        to: queue, own: endpoint.status, peer: status, room: endpoint.room, maxBlobSize: maxBlobSize)
      receiver = try QueueReceiver(
        from: endpoint.inbox, own: endpoint.status, peer: status, peerRoom: peerRoom,
        maxBlobSize: maxBlobSize)
    } catch {
      throw .failed(error)
    }
  }

  /// Two transports connected to each other, within one process.
  public static func pair(
    size: QueueSize = .default, maxBlobSize: Int = SocketTransport.defaultMaxBlobSize
  ) throws(QueueSetupError) -> (QueueTransport, QueueTransport) {
    let left = try prepare(size: size, maxBlobSize: maxBlobSize)
    let right = try prepare(size: size, maxBlobSize: maxBlobSize)
    let (leftHandles, rightHandles) = (left.handles, right.handles)
    let (leftSays, rightSays) = (left.announcement, right.announcement)
    return (
      try QueueTransport(left, peer: rightSays, handles: rightHandles),
      try QueueTransport(right, peer: leftSays, handles: leftHandles)
    )
  }

  deinit {
    close()
  }

  /// `TransportKind.queue`.
  public var kind: TransportKind { .queue }
  /// How many bytes a blob may have, in both directions.
  public var maxBlobSize: Int { sender.maxBlobSize }
  /// Always false.
  public var carriesHandles: Bool { false }
  /// Readable when there are messages, or the end.
  public var readDescriptor: FileDescriptor { receiver.descriptor }
  /// For tasks that wait. See `Transport.readWatch`.
  public var readWatch: ReactorWatch? { receiver.watch }
  /// Writable unless the last try found no room, and there was none since.
  public var writeDescriptor: FileDescriptor { sender.descriptor }
  /// Whether messages of a frame are left to `flush`.
  public var hasUnsentBytes: Bool { sender.hasUnsentBytes }

  /// Hands a frame over, or says that there is no room. See `Transport.trySend`.
  public func trySend(_ blob: RawSpan, handles: [Handle]) throws(TransportError) -> SendOutcome {
    guard handles.isEmpty else { throw .handlesNotCarried(.queue) }
    return try sender.trySend(blob)
  }

  /// Takes the next frame. See `Transport.tryReceive`.
  public func tryReceive(
    _ body: (_ blob: RawSpan, _ handles: [Handle]) -> Void
  ) throws(TransportError) -> ReceiveOutcome {
    try failing { () throws(TransportError) in try receiver.tryReceive { body($0, []) } }
  }

  /// Takes the next frame, waiting until there is one. See `Transport.receiveNext`. One system call for each message without
  /// a deadline, two with one.
  public func receiveNext(
    deadline: ContinuousClock.Instant?, _ body: (_ blob: RawSpan, _ handles: [Handle]) -> Void
  ) throws(TransportError) -> ReceiveOutcome {
    try failing { () throws(TransportError) in try receiver.receive(deadline: deadline) { body($0, []) } }
  }

  /// Nobody sends to a peer that is not understood.
  private func failing(
    _ receive: () throws(TransportError) -> ReceiveOutcome
  ) throws(TransportError) -> ReceiveOutcome {
    do {
      return try receive()
    } catch {
      if error != .closed { sender.fail(error) }
      throw error
    }
  }

  /// Sends what is left of a frame. See `Transport.flush`.
  @discardableResult
  public func flush() throws(TransportError) -> Bool { try sender.flush() }

  /// The peer sees the end after the last frame. See `Transport.finishSending`.
  public func finishSending() throws(TransportError) { try sender.finishSending() }

  /// Blocks until there may be something to receive. See `Transport.waitToReceive`.
  public func waitToReceive(deadline: ContinuousClock.Instant?) throws(TransportError) -> Bool {
    try receiver.wait(deadline: deadline)
  }

  /// Blocks until there may be room. See `Transport.waitToSend`.
  public func waitToSend(byteCount: Int, deadline: ContinuousClock.Instant?) throws(TransportError) -> Bool {
    try sender.wait(deadline: deadline)
  }

  /// Ends both directions, and wakes who waits, at both ends. See `Transport.close`.
  public func close() {
    sender.close()
    receiver.close()
  }
}
