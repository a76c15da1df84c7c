import SluiceSystem
import Synchronization

/// What lies where in the segment that one side of a ring makes and alone writes.
///
/// | offset | size | word | says |
/// |---|---|---|---|
/// | 0 | 8 | `sent` | producer cursor: bytes published in this segment's ring so far |
/// | 128 | 8 | `received` | consumer cursor: bytes consumed of the peer's ring, as far as they are given back |
/// | 256 | 8 | `frameSleep` | generation of the blocking waiters for frames |
/// | 264 | 8 | `frameEvent` | generation of the readable descriptor's arming |
/// | 384 | 8 | `roomSleep` | generation of the blocking waiters for room |
/// | 392 | 8 | `roomEvent` | generation of the writable descriptor's arming |
/// | 512 | 4 | `frameWake` | futex: changes when this side wakes the peer's waiters for frames |
/// | 640 | 4 | `roomWake` | futex: changes when this side wakes the peer's waiters for room |
/// | 768 | 8 | `sendingEnded` | not 0: nothing more will be published |
/// | 776 | 8 | `receivingEnded` | not 0: nothing more will be consumed |
/// | 4,096 | capacity | frames | each: a header (8 bytes), its bytes, padding to a multiple of 64 |
///
/// A frame is published by its header: its length plus 1. A header of 0 says that nothing follows. Who publishes a frame has
/// written its bytes before, and a 0 behind them. So a consumer looks for frames where they will stand, and a small one comes
/// with the cache line that says that it is there. The producer cursor costs nobody a cache miss: it is stored before each
/// publication, and looked at once in an eighth of the ring (``ConsumerCursor/giveBack(published:)``).
///
/// Words that change for different reasons are 128 bytes apart: a cache line, and the one that processors prefetch with it.
/// The frames are mapped twice in a row, so that none wraps. Cursors count bytes from 0, are multiples of 64, and never
/// wrap in practice; all arithmetic on them is modular nevertheless.
package enum RingLayout {
  /// A word of the control page, by its offset.
  package enum Word: Int, CaseIterable, Sendable {
    case sent = 0
    case received = 128
    case frameSleep = 256
    case frameEvent = 264
    case roomSleep = 384
    case roomEvent = 392
    case frameWake = 512
    case roomWake = 640
    case sendingEnded = 768
    case receivingEnded = 776
  }

  /// Where the frames begin. A page is larger on some machines.
  package static let framesOffset = max(4096, Segment.pageByteCount)
  /// The size of the header in front of each frame.
  package static let headerByteCount = 8
  /// What frames are padded to: a cache line, so that no two of them share one.
  package static let lineByteCount = 64
  /// Capacities that a ring can have: powers of two of these.
  package static let capacities = max(4096, Segment.pageByteCount)...(1 << 30)

  /// How many bytes of the ring a blob of up to 1 GiB takes.
  @inline(__always)
  package static func frameByteCount(_ blobByteCount: Int) -> Int {
    (headerByteCount + blobByteCount + lineByteCount - 1) & ~(lineByteCount - 1)
  }
  /// The header of a frame.
  @inline(__always)
  package static func header(_ blobByteCount: Int) -> UInt64 { UInt64(blobByteCount) &+ 1 }
  /// The size of a side's segment.
  package static func segmentByteCount(capacity: Int) -> Int { framesOffset + capacity }
  /// The largest blob of a ring: with a line behind it it takes half of the ring, so that a ring that was read to its end
  /// always has room for one.
  package static func maxBlobSize(capacity: Int) -> Int { capacity / 2 - lineByteCount - headerByteCount }
  /// Whether a ring can have this capacity.
  package static func isValid(capacity: Int) -> Bool {
    capacities.contains(capacity) && capacity & (capacity - 1) == 0
  }
}

/// This side's segment. All stores and loads of words are sequentially consistent: see ``RingWaiting`` for why. On x86 a
/// load costs no more for it.
///
/// Safe to hold and to use: offsets are those of the layout, within the segment, which lives as long as this.
@safe struct OwnRingMemory: Sendable {
  let segment: Segment
  private nonisolated(unsafe) let base: UnsafeMutableRawPointer
  private nonisolated(unsafe) let frames: UnsafeMutableRawPointer

  init(_ segment: Segment) {
    self.segment = segment
    unsafe base = segment.baseAddress
    unsafe frames = base + RingLayout.framesOffset
  }

  @inline(__always)
  func store(_ word: RingLayout.Word, _ value: UInt64) {
    // Sound: aligned, within the control page, and an atomic of 64 bits is laid out as the integer. Nobody else writes it.
    unsafe (base + word.rawValue).assumingMemoryBound(to: Atomic<UInt64>.self).pointee
      .store(value, ordering: .sequentiallyConsistent)
  }

  /// Changes a futex word, and wakes who sleeps on it. One system call.
  func wake(_ word: RingLayout.Word) {
    // Sound: as above, with 32 bits. Fails only for addresses that are not mapped.
    unsafe (base + word.rawValue).assumingMemoryBound(to: Atomic<UInt32>.self).pointee
      .wrappingAdd(1, ordering: .sequentiallyConsistent)
    _ = try? unsafe Futex.wake(UnsafeRawPointer(base + word.rawValue).assumingMemoryBound(to: UInt32.self))
  }

  /// Writes the bytes of a frame, but not its header. There must be room for it.
  @inline(__always)
  func write(_ blob: RawSpan, at offset: Int) {
    let frame = unsafe frames + offset
    // Sound: a frame is smaller than the capacity, and so much is mapped behind each offset below it.
    unsafe blob.withUnsafeBytes { bytes in
      guard let source = bytes.baseAddress else { return }
      unsafe (frame + RingLayout.headerByteCount).copyMemory(from: source, byteCount: bytes.count)
    }
  }

  /// Stores a cursor that others look at after they have seen something stored later in the order of ``store(_:_:)``.
  @inline(__always)
  func storeEarly(_ word: RingLayout.Word, _ value: UInt64) {
    unsafe (base + word.rawValue).assumingMemoryBound(to: Atomic<UInt64>.self).pointee
      .store(value, ordering: .releasing)
  }

  /// Writes the header of a frame that nobody can see yet, as one before it has none.
  @inline(__always)
  func writeHeader(_ header: UInt64, at offset: Int) {
    // Sound: offsets are multiples of 64 below the capacity.
    unsafe (frames + offset).assumingMemoryBound(to: Atomic<UInt64>.self).pointee
      .store(header, ordering: .relaxed)
  }

  /// Publishes a frame, and those behind it.
  @inline(__always)
  func publish(_ header: UInt64, at offset: Int) {
    // Sound: as above.
    unsafe (frames + offset).assumingMemoryBound(to: Atomic<UInt64>.self).pointee
      .store(header, ordering: .sequentiallyConsistent)
  }
}

/// The peer's segment, which it may change at any time. Everything is loaded once, and checked by who loads it.
///
/// Safe to hold and to use, as above.
@safe struct PeerRingMemory: Sendable {
  let segment: BorrowedSegment
  private nonisolated(unsafe) let base: UnsafeRawPointer
  private nonisolated(unsafe) let frames: UnsafeRawPointer

  init(_ segment: BorrowedSegment) {
    self.segment = segment
    unsafe base = segment.baseAddress
    unsafe frames = base + RingLayout.framesOffset
  }

  @inline(__always)
  func load(_ word: RingLayout.Word) -> UInt64 {
    // Sound: aligned and within the control page; the mapping is read-only, and this only loads.
    unsafe (base + word.rawValue).assumingMemoryBound(to: Atomic<UInt64>.self).pointee
      .load(ordering: .sequentiallyConsistent)
  }

  /// The value of a futex word.
  func loadWake(_ word: RingLayout.Word) -> UInt32 {
    unsafe (base + word.rawValue).assumingMemoryBound(to: Atomic<UInt32>.self).pointee
      .load(ordering: .sequentiallyConsistent)
  }

  /// Sleeps on a futex word. Works on a read-only mapping.
  func sleep(
    on word: RingLayout.Word, while expected: UInt32, deadline: ContinuousClock.Instant?
  ) throws(SystemError) -> Futex.Outcome {
    try unsafe Futex.wait(
      on: (base + word.rawValue).assumingMemoryBound(to: UInt32.self), while: expected, deadline: deadline)
  }

  /// Wakes who sleeps on a futex word in this process (and whoever else does: they look again).
  func wakeLocally(_ word: RingLayout.Word) {
    _ = try? unsafe Futex.wake((base + word.rawValue).assumingMemoryBound(to: UInt32.self))
  }

  /// The header of the frame at an offset, loaded once; 0 while there is none.
  @inline(__always)
  func frameHeader(at offset: Int) -> UInt64 {
    // Sound: offsets are multiples of 64 below the capacity.
    unsafe (frames + offset).assumingMemoryBound(to: Atomic<UInt64>.self).pointee
      .load(ordering: .sequentiallyConsistent)
  }

  /// Copies the bytes of the frame at an offset to private memory, which must have room for them.
  @inline(__always)
  @unsafe func copyFrame(at offset: Int, _ byteCount: Int, to target: UnsafeMutableRawPointer) {
    // Sound: the length was checked to be below the capacity, and so much is mapped behind each offset below it.
    unsafe target.copyMemory(
      from: frames + offset + RingLayout.headerByteCount, byteCount: byteCount)
  }
}
