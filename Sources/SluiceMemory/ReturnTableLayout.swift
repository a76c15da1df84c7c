/// Where things stand in a return table: a tree of change counters over the slots.
///
/// The table is an array of `UInt32` words in native byte order, all of them zero at first. Only the borrower writes
/// it.
///
/// | level | words | a word holds |
/// |---|---|---|
/// | 0 | one per slot | the generation that was returned last in this slot |
/// | 1 | one per 16 slots | how often one of those 16 words has changed |
/// | 2 | one per 16 words of level 1 | how often one of those has changed |
/// | … | … | … |
/// | top | 1 | how often anything has changed |
///
/// The top level comes first, at byte 0, so that a waiting owner can sleep on it as a futex word; then the others
/// downwards, slots last. Each level starts on a multiple of 64 bytes, hence 16 siblings share one cache line:
///
/// | capacity | byte offset of each level, top first | bytes |
/// |---|---|---|
/// | 1 … 16 | 0, 64 | 128 |
/// | 17 … 256 | 0, 64, 128 | 256 … 1,152 |
/// | 1,024 | 0, 64, 128, 384 | 4,480 |
/// | 65,536 | 0, 64, 128, 1,152, 17,536 | 279,680 |
///
/// To return a lease, the borrower stores the generation in the slot's word, then adds 1 to each counter above it,
/// upwards, each with release order. The owner remembers the counters that it has seen, loads them with acquire order
/// downwards, and descends only where one differs: finding k returns costs at most 16 k words per level.
public struct ReturnTableLayout: Hashable, Sendable {
  /// The largest number of slots.
  public static let maximumCapacity = 1 << 24
  /// How many words of one level share a counter of the next: one cache line.
  @usableFromInline static let fanout = 16
  @usableFromInline static let wordByteCount = 4
  static let cacheLineByteCount = 64

  /// How many leases can be out at once.
  public let capacity: Int
  /// The size of the whole table.
  public let byteCount: Int
  /// Level 0, the slots, first.
  @usableFromInline let levels: [Level]

  @usableFromInline struct Level: Hashable, Sendable {
    @usableFromInline let byteOffset: Int
    @usableFromInline let wordCount: Int
  }

  /// The layout for `capacity` slots. Throws ``LeaseError/unsupportedCapacity(_:)``.
  public init(capacity: Int) throws(LeaseError) {
    guard (1...Self.maximumCapacity).contains(capacity) else { throw .unsupportedCapacity(capacity) }
    var wordCounts = [capacity]
    var last = capacity
    repeat {
      last = (last + Self.fanout - 1) / Self.fanout
      wordCounts.append(last)
    } while last > 1
    var offset = 0
    var levels: [Level] = []
    for wordCount in wordCounts.reversed() {
      levels.append(Level(byteOffset: offset, wordCount: wordCount))
      let end = offset + wordCount * Self.wordByteCount
      offset = (end + Self.cacheLineByteCount - 1) / Self.cacheLineByteCount * Self.cacheLineByteCount
    }
    self.capacity = capacity
    self.byteCount = offset
    self.levels = levels.reversed()
  }
}
