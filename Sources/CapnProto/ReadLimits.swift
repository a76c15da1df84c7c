/// What reading a message may cost: the defence against messages that are small on the wire and large to walk.
public struct ReadLimits: Sendable, Hashable {
  /// How many words may be followed in all. Every object counts each time a pointer to it is followed; elements without
  /// size count as a word each, so that a few bytes cannot describe endless work.
  public var traversalWords: Int
  /// How many pointers may be followed in a row, from the root down.
  public var nesting: Int
  /// How many segments a message may have.
  public var segmentCount: Int
  /// How many words all its segments may have together.
  public var totalWords: Int

  /// Limits of the given sizes.
  ///
  /// - Parameters:
  ///   - traversalWords: Words that may be followed.
  ///   - nesting: Pointers that may be followed in a row.
  ///   - segmentCount: Segments that a message may have.
  ///   - totalWords: Words that the segments may have together.
  public init(traversalWords: Int, nesting: Int = 64, segmentCount: Int = 512, totalWords: Int) {
    self.traversalWords = traversalWords
    self.nesting = nesting
    self.segmentCount = segmentCount
    self.totalWords = totalWords
  }

  /// For messages from a stream: 64 MiB to traverse and to hold, 64 levels, 512 segments, as libcapnp does by default.
  public static let stream = ReadLimits(traversalWords: 8 << 20, totalWords: 8 << 20)

  /// For a message that is already in memory, of `byteCount` bytes: eight times its size may be traversed (64 MiB at
  /// least), in 64 levels. The segments are the caller's, who has bounded their number and sizes.
  public static func inPlace(byteCount: Int) -> ReadLimits {
    // A word for each byte is eight times the size.
    ReadLimits(traversalWords: max(byteCount, 8 << 20), segmentCount: .max, totalWords: .max)
  }
}
