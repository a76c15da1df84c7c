import Synchronization

/// A message's segments in stable memory, to which readers and builders point. It lives as long as its message value.
@usableFromInline @safe
struct MessageRecord: ~Copyable {
  /// The segments' records, by segment id. Records never move; this table does when a builder outgrows it.
  @usableFromInline var segments: UnsafeMutablePointer<UnsafeMutablePointer<SegmentRecord>>
  @usableFromInline var segmentCount: Int
  /// Words that may still be traversed. Concurrent readers each subtract with a relaxed load and store: defined, and a
  /// race merely forgets a charge.
  @usableFromInline let remainingWords: Atomic<Int>
  /// The limits that ``remainingWords`` began with, for error messages.
  @usableFromInline let traversalLimit: Int
  @usableFromInline let nestingLimit: Int
  /// What writing needs; nil for a message that is only read.
  @usableFromInline var builder: UnsafeMutablePointer<BuilderRecord>?

  init(
    segments: UnsafeMutablePointer<UnsafeMutablePointer<SegmentRecord>>, segmentCount: Int, traversalLimit: Int,
    nestingLimit: Int, builder: UnsafeMutablePointer<BuilderRecord>? = nil
  ) {
    unsafe self.segments = segments
    self.segmentCount = segmentCount
    remainingWords = Atomic(traversalLimit)
    self.traversalLimit = traversalLimit
    self.nestingLimit = nestingLimit
    unsafe self.builder = builder
  }

  /// Words in use, of all segments together.
  borrowing func usedWordCount() -> Int {
    // Sound: the table has that many records.
    (0..<segmentCount).reduce(0) { unsafe $0 + segments[$1].pointee.wordCount }
  }

  /// Takes `words` (not negative) from what may be traversed; false when that much is not left.
  @inlinable @inline(__always)
  borrowing func charge(_ words: Int) -> Bool {
    let rest = remainingWords.load(ordering: .relaxed)
    guard words <= rest else { return false }
    remainingWords.store(rest &- words, ordering: .relaxed)
    return true
  }
}

/// One segment of a message, in stable memory.
@usableFromInline @safe
struct SegmentRecord {
  /// The first word; aligned to 8. A message that is only read is never written through it.
  @usableFromInline let start: UnsafeMutableRawPointer
  /// Words that are in use: what readers may look at.
  @usableFromInline var wordCount: Int
  /// Words that a builder may use in all.
  @usableFromInline let capacity: Int
  @usableFromInline var index: UInt32
  @usableFromInline let message: UnsafeMutablePointer<MessageRecord>

  @usableFromInline
  init(
    start: UnsafeMutableRawPointer, wordCount: Int, capacity: Int, index: UInt32,
    message: UnsafeMutablePointer<MessageRecord>
  ) {
    unsafe self.start = start
    self.wordCount = wordCount
    self.capacity = capacity
    self.index = index
    unsafe self.message = message
  }

  /// Whole words from the segment's start to `pointer`, which lies in the segment.
  @inlinable @inline(__always)
  func wordOffset(of pointer: UnsafeRawPointer) -> Int {
    unsafe (pointer - UnsafeRawPointer(start)) &>> 3
  }

  /// Whether `words` words from word `offset` on lie within the segment; any values.
  @inlinable @inline(__always)
  func contains(offset: Int, words: Int) -> Bool {
    offset >= 0 && words <= wordCount && offset <= wordCount &- words
  }

  func location(of pointer: UnsafeRawPointer) -> CapnProtoError.Location {
    unsafe CapnProtoError.Location(segment: Int(index), wordOffset: wordOffset(of: pointer))
  }
}
