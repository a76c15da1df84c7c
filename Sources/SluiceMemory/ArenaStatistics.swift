/// An arena's numbers at one moment, all in bytes but the last.
public struct ArenaStatistics: Hashable, Sendable {
  /// What the segments may take together.
  public let byteLimit: Int
  /// What the segments take together. Pages that nobody has touched yet count too.
  public let mappedByteCount: Int
  /// What live allocations take: the sum of the sizes that ``Arena/allocate(byteCount:alignment:)`` returned. Exact
  /// whenever no other thread is allocating or freeing.
  public let inUseByteCount: Int
  /// What memory the segments take: the pages that somebody has touched, what was swapped out included.
  public let residentByteCount: Int
  /// How many segments there are.
  public let segmentCount: Int
}
