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
/// The top level comes first, at byte 0, so that one load tells whether anything came back; then the others
/// downwards, slots last. Each level starts on a multiple of 64 bytes, hence 16 siblings share one cache line:
///
/// | capacity | byte offset of each level, top first | held bits | end | ring | views | shown | bytes |
/// |---|---|---|---|---|---|---|---|
/// | 1 … 16 | 0, 64 | 128 | 192 | 256 | 320 | 384 | 448 |
/// | 256 | 0, 64, 128 | 1,152 | 1,216 | 1,280 | 1,344 | 1,408 | 2,432 |
/// | 1,024 | 0, 64, 128, 384 | 4,480 | 4,608 | 4,672 | 4,736 | 4,800 | 8,896 |
/// | 65,536 | 0, 64, 128, 1,152, 17,536 | 279,680 | 287,872 | 287,936 | 288,000 | 288,064 | 550,208 |
///
/// Behind the slots, again on multiples of 64 bytes, stand what the borrower says once, at its end of the session: one bit
/// per slot, set for the leases that it still holds (32 to a word, lowest first), and a word that is 1 when the bits are
/// there. What is not held then was never taken: the owner need not wait for it.
///
/// Then comes what this end says as an owner, about what it lends itself: a word that it adds 1 to when it waits for a
/// return. A borrower that returns something, and finds there another number than at its last look, rings: it says
/// `returned` on the control socket. Setting the word and then looking for returns on the one side, returning and then
/// looking at the word on the other, all in one order (sequentially consistent), leave no return unseen.
///
/// Last comes what the owner has to know when a borrower dies that has sent messages on, to processes that read them in the
/// owner's memory. *Views* is how many segments of the owner's this end has from others: with each comes a session in which
/// messages arrive, or a message that is held. *Shown* has a word per slot: the generation in which its message was sent on.
/// A dead borrower's leases are over, but for those that it has shown: they are over when no other borrower has a view. A
/// view is counted before the other end learns of it, and a lease is shown before its message goes.
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
  /// Where the bits of the leases that are held at the end begin.
  let heldByteOffset: Int
  /// How many words they take.
  let heldWordCount: Int
  /// Where the word stands that says that they are there.
  let endByteOffset: Int
  /// Where the word stands that asks for a ring.
  let ringByteOffset: Int
  /// Where the number of views stands.
  let viewsByteOffset: Int
  /// Where the generations begin that were shown to others.
  let shownByteOffset: Int
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
      offset = Self.byteOffset(after: wordCount, from: offset)
    }
    self.capacity = capacity
    self.levels = levels.reversed()
    heldByteOffset = offset
    heldWordCount = (capacity + 31) / 32
    endByteOffset = Self.byteOffset(after: heldWordCount, from: heldByteOffset)
    ringByteOffset = Self.byteOffset(after: 1, from: endByteOffset)
    viewsByteOffset = Self.byteOffset(after: 1, from: ringByteOffset)
    shownByteOffset = Self.byteOffset(after: 1, from: viewsByteOffset)
    byteCount = Self.byteOffset(after: capacity, from: shownByteOffset)
  }

  /// The first cache line behind `wordCount` words.
  private static func byteOffset(after wordCount: Int, from offset: Int) -> Int {
    let end = offset + wordCount * wordByteCount
    return (end + cacheLineByteCount - 1) / cacheLineByteCount * cacheLineByteCount
  }
}
