import DequeModule
import SluiceSystem
import Synchronization
import SystemPackage

/// Frames within one process, through two bounded queues: blobs and handles. Deterministic: no thread and no buffer of the
/// kernel decides when something is there. What tests of the layers above run on, and a model of a transport.
///
/// A frame costs a copy in, and system calls only when a queue becomes empty, not empty, full or not full.
public final class LoopbackTransport: Transport {
  /// How many bytes a blob may have.
  public let maxBlobSize: Int
  private let outgoing: LoopbackLane
  private let incoming: LoopbackLane
  private let isClosed = Atomic<Bool>(false)

  private init(maxBlobSize: Int, outgoing: LoopbackLane, incoming: LoopbackLane) {
    self.maxBlobSize = maxBlobSize
    self.outgoing = outgoing
    self.incoming = incoming
  }

  /// Two transports connected to each other.
  ///
  /// - Parameters:
  ///   - maxBlobSize: 1 byte to 1 GiB.
  ///   - queueLimit: How many frames wait in each direction before `trySend` answers `wouldBlock`; at least 1.
  /// - Throws: `failed` when there are no descriptors for the four readiness counters.
  public static func pair(
    maxBlobSize: Int = SocketTransport.defaultMaxBlobSize, queueLimit: Int = 64
  ) throws(TransportError) -> (LoopbackTransport, LoopbackTransport) {
    let size = FrameEncoder(maxBlobSize: maxBlobSize).maxBlobSize
    let lanes: (LoopbackLane, LoopbackLane)
    do {
      lanes = (try LoopbackLane(limit: max(queueLimit, 1)), try LoopbackLane(limit: max(queueLimit, 1)))
    } catch {
      throw .failed(error)
    }
    return (
      LoopbackTransport(maxBlobSize: size, outgoing: lanes.0, incoming: lanes.1),
      LoopbackTransport(maxBlobSize: size, outgoing: lanes.1, incoming: lanes.0)
    )
  }

  deinit {
    close()
  }

  /// `TransportKind.loopback`.
  public var kind: TransportKind { .loopback }
  /// Always true.
  public var carriesHandles: Bool { true }
  /// Readable when there is a frame, or the end.
  public var readDescriptor: FileDescriptor { incoming.readable.descriptor }
  /// Writable when there is room, or nobody to read.
  public var writeDescriptor: FileDescriptor { outgoing.writable.descriptor }
  /// Always false: a frame is in the queue or it is not.
  public var hasUnsentBytes: Bool { false }

  /// Puts a frame into the queue, or says that it is full. See `Transport.trySend`.
  public func trySend(_ blob: RawSpan, handles: [Handle]) throws(TransportError) -> SendOutcome {
    guard blob.byteCount <= maxBlobSize else {
      throw .blobTooLarge(byteCount: blob.byteCount, limit: maxBlobSize)
    }
    guard handles.count <= FrameHeader.maxHandleCount else {
      throw .tooManyHandles(count: handles.count, limit: FrameHeader.maxHandleCount)
    }
    if isClosed.load(ordering: .acquiring) { throw .closed }
    let frame = LoopbackFrame(blob, handles: try duplicates(of: handles))
    return try outgoing.push(frame) ? .sent : .wouldBlock
  }

  /// Over a socket the receiver's handles are descriptors of their own; here too.
  private func duplicates(of handles: [Handle]) throws(TransportError) -> [Handle] {
    var duplicates: [Handle] = []
    for handle in handles {
      do { duplicates.append(try handle.duplicated()) } catch {
        throw error.errno == .tooManyOpenFiles
          ? .tooManyHandlesInFlight(limit: ResourceLimit.openDescriptors) : .failed(error)
      }
    }
    return duplicates
  }

  /// Takes the next frame from the queue. See `Transport.tryReceive`.
  public func tryReceive(
    _ body: (_ blob: RawSpan, _ handles: [Handle]) -> Void
  ) throws(TransportError) -> ReceiveOutcome {
    if isClosed.load(ordering: .acquiring) { throw .closed }
    switch incoming.pop() {
    case .frame(let frame):
      frame.read { body($0, frame.handles) }
      return .received
    case .empty: return .wouldBlock
    case .end: return .endOfStream
    }
  }

  /// Nothing to do.
  @discardableResult
  public func flush() throws(TransportError) -> Bool {
    if isClosed.load(ordering: .acquiring) { throw .closed }
    return true
  }

  /// The peer sees the end after the last frame. See `Transport.finishSending`.
  public func finishSending() throws(TransportError) {
    if isClosed.load(ordering: .acquiring) { throw .closed }
    outgoing.finish()
  }

  /// Ends both directions. See `Transport.close`.
  public func close() {
    guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
    outgoing.finish()
    incoming.abandon()
  }
}
