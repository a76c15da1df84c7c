import SluiceSystem

/// Why a ring could not be set up.
public enum RingSetupError: Error, Sendable, Hashable, CustomStringConvertible {
  /// A capacity is a power of two, from one page to 1 GiB.
  case invalidCapacity(Int)
  /// Blobs have at least one byte, and two of the largest fit into the ring, each with its length.
  case invalidMaxBlobSize(Int, limit: Int)
  /// The peer has sent another number of handles than an endpoint has.
  case wrongHandleCount(Int, expected: Int)
  /// The segment could not be made, or the peer's was refused.
  case segment(SegmentError)
  /// There is no descriptor or no memory for it.
  case failed(SystemError)

  /// What is wrong, with the limit that was met.
  public var description: String {
    switch self {
    case .invalidCapacity(let capacity): "a ring cannot have \(capacity) bytes: a power of two from a page to 1 GiB"
    case .invalidMaxBlobSize(let size, let limit): "blobs of \(size) bytes do not suit the ring: 1 to \(limit)"
    case .wrongHandleCount(let count, let expected): "\(count) handles came for a ring, not \(expected)"
    case .segment(let error): "\(error)"
    case .failed(let error): "\(error)"
    }
  }
}

extension RingTransport {
  /// What a side says of its half of a ring, for the handshake. What a peer says is checked when the ring is completed.
  public struct Announcement: Sendable, Hashable {
    /// The size of the ring that it sends through, in bytes: a power of two, from one page to 1 GiB.
    public var capacity: Int
    /// How many bytes it lets a blob have. The smaller limit of the two sides holds for both directions.
    public var maxBlobSize: Int

    /// Says what a peer has said.
    public init(capacity: Int, maxBlobSize: Int) {
      self.capacity = capacity
      self.maxBlobSize = maxBlobSize
    }

    func check() throws(RingSetupError) {
      guard RingLayout.isValid(capacity: capacity) else { throw .invalidCapacity(capacity) }
      let limit = RingLayout.maxBlobSize(capacity: capacity)
      guard (1...limit).contains(maxBlobSize) else { throw .invalidMaxBlobSize(maxBlobSize, limit: limit) }
    }
  }

  /// One side's half of a ring, before it knows the other one: made by `prepare`, used once.
  public struct Endpoint: ~Copyable, Sendable {
    /// What to tell the peer.
    public let announcement: Announcement
    let segment: Segment
    let bell: Doorbell

    /// What to pass to the peer, in this order: the segment, and the bell that it rings when there are frames, and
    /// unblocks when there is room.
    public var handles: [Handle] { [segment.handle, bell.handle] }

    /// How many handles each side passes.
    public static let handleCount = 2
  }

  /// The capacity of a ring unless another is asked for: 1 MiB.
  public static let defaultCapacity = 1 << 20

  /// Makes this side's half of a ring: a sealed segment, and a bell.
  ///
  /// - Parameters:
  ///   - name: The segment's, for people.
  ///   - capacity: Of the ring that this side sends through. Pages get memory when they are first used.
  ///   - maxBlobSize: How many bytes a blob may have, at most half the capacity, less 72.
  public static func prepare(
    name: String, capacity: Int = RingTransport.defaultCapacity,
    maxBlobSize: Int = SocketTransport.defaultMaxBlobSize
  ) throws(RingSetupError) -> Endpoint {
    let announcement = Announcement(capacity: capacity, maxBlobSize: maxBlobSize)
    try announcement.check()
    let segment: Segment
    do {
      segment = try Segment.create(
        name: name, byteCount: RingLayout.segmentByteCount(capacity: capacity),
        mirroredFrom: RingLayout.framesOffset)
    } catch {
      throw .segment(error)
    }
    do {
      return Endpoint(announcement: announcement, segment: segment, bell: try Doorbell())
    } catch {
      throw .failed(error)
    }
  }

  /// The size of the segment of a side that says this.
  public static func segmentByteCount(_ announcement: Announcement) -> Int {
    RingLayout.segmentByteCount(capacity: announcement.capacity)
  }

  /// Two transports connected to each other, within one process.
  public static func pair(
    capacity: Int = RingTransport.defaultCapacity, maxBlobSize: Int = SocketTransport.defaultMaxBlobSize,
    spinning: RingSpinning = .default
  ) throws(RingSetupError) -> (RingTransport, RingTransport) {
    let left = try prepare(name: "sluice.pair.left", capacity: capacity, maxBlobSize: maxBlobSize)
    let right = try prepare(name: "sluice.pair.right", capacity: capacity, maxBlobSize: maxBlobSize)
    let (leftHandles, rightHandles) = (left.handles, right.handles)
    let (leftSays, rightSays) = (left.announcement, right.announcement)
    return (
      try RingTransport(left, peer: rightSays, handles: rightHandles, spinning: spinning),
      try RingTransport(right, peer: leftSays, handles: leftHandles, spinning: spinning)
    )
  }
}
