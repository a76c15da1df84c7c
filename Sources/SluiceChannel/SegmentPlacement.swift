/// Where a segment of a message stands: the proof that both ends look at the same bytes.
public struct SegmentPlacement: Sendable, Hashable {
  /// Name of the shared-memory segment.
  public let segmentName: String
  /// Its inode: the same number in both processes for the same memory.
  public let inode: UInt64
  /// Where the message's segment begins in it, in bytes.
  public let offset: Int
  /// Length of the message's segment in bytes.
  public let byteCount: Int
}
