import SluiceChannel
import SluiceSystem
import SluiceTransport
import Synchronization

/// This end's half of the ring that is to be a session's link. Made before the other end's is known; completed once.
final class RingOffer: Sendable {
  /// What the other end is told, with ``handles``.
  let size: Control.RingSize
  /// The descriptors of this half, in the order of the protocol.
  let handles: [Handle]
  /// The segment of this half.
  let segment: SegmentInfo
  private let half: Mutex<RingTransport.Endpoint?>
  private let spinning: RingSpinning

  /// - Parameter name: The segment's.
  init(name: String, options: SessionOptions) throws(SessionError) {
    do {
      let half = try RingTransport.prepare(
        name: name, capacity: options.ringByteCount, maxBlobSize: Envelope.largestFrameByteCount)
      size = Control.RingSize(
        capacity: UInt64(half.announcement.capacity), largestFrame: UInt32(half.announcement.maxBlobSize))
      handles = half.handles
      segment = SegmentInfo(
        name: name, scope: .session, byteCount: RingTransport.segmentByteCount(half.announcement), isBorrowed: false)
      self.half = Mutex(half)
    } catch {
      throw .ring(error)
    }
    spinning = options.spinning
  }

  /// The link, with the other end's half; its size and descriptors are checked.
  ///
  /// - Parameter peer: The other end's process, if it is known: where both may run on one processor only, nobody spins.
  func complete(
    _ peerSize: Control.RingSize, _ peerHandles: [Handle], peer: ProcessHandle?
  ) throws(SessionError) -> RingTransport {
    guard let half = half.withLock({ $0.take() }) else { throw .protocolViolation("a second ring") }
    guard let capacity = Int(exactly: peerSize.capacity) else {
      throw .protocolViolation("a ring of \(peerSize.capacity) bytes")
    }
    guard peerSize.largestFrame >= Envelope.largestFrameByteCount else {
      throw .protocolViolation("a ring for frames of up to \(peerSize.largestFrame) bytes")
    }
    do {
      return try RingTransport(
        half, peer: .init(capacity: capacity, maxBlobSize: Int(peerSize.largestFrame)), handles: peerHandles,
        spinning: spinning, processorCount: Processors.allowedCount(with: peer?.pid))
    } catch {
      throw .protocolViolation("a ring that cannot be used: \(error)")
    }
  }
}
