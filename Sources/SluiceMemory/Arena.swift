import CJemalloc
import SluiceSystem

/// An allocator in shared memory: jemalloc and large page runs over a growing list of segments, under a byte limit.
///
/// It owns its segments. Their users must keep the arena alive as long as they use an allocation: when the arena dies,
/// all allocations die with it. Nothing but what was allocated is ever written to the segments; all books are in
/// private memory.
///
/// Free memory stays mapped, and its pages stay warm, until ``trim()`` or until the limit needs it: in steady state
/// allocations of any size touch no new page and make no system call.
///
/// Threads: everything is safe from any thread. Cost: some 30 ns up to ``largestCachedByteCount``, some 200 ns above.
public final class Arena: Sendable {
  /// The largest alignment on offer: one page.
  public static let maximumAlignment = 4096
  /// Up to this size allocations come from jemalloc's size classes and caches, above it they are whole pages.
  public static let largestCachedByteCount = 32 << 10
  /// Half of what the process may use at most: of its cgroup's memory limit, or of the machine's memory if that is
  /// less.
  public static let defaultByteLimit = MemoryCapacity.available / 2
  /// Small enough for a thousand sessions, large enough for a session of small messages.
  public static let defaultFirstSegmentByteCount = 2 << 20

  /// What the segments' names begin with.
  public let name: String
  /// Who may map the segments.
  public let scope: MemoryScope
  private let source: PageSource
  private let jemalloc: JemallocArena
  /// As many as threads can run at once; a lane that is never reached costs nothing.
  private let lanes: [CacheLane]

  /// Makes an arena without segments: the first allocation adds one.
  /// - Parameters:
  ///   - name: segments are called `<name>.<n>`, with n counting from 0.
  ///   - scope: who may map the segments.
  ///   - byteLimit: what all segments may take together, in bytes; at most 2^56, which is more than there can be.
  ///   - firstSegmentByteCount: the size of the first segment. Further ones double the arena, up to 256 MiB each; an
  ///     allocation above that gets a segment of its own.
  /// Throws ``ArenaError/arenaUnavailable(errno:)``.
  public init(
    name: String, scope: MemoryScope, byteLimit: Int = Arena.defaultByteLimit,
    firstSegmentByteCount: Int = Arena.defaultFirstSegmentByteCount
  ) throws(ArenaError) {
    self.name = name
    self.scope = scope
    source = PageSource(
      name: name, byteLimit: byteLimit, firstSegmentByteCount: firstSegmentByteCount,
      pageByteCount: Jemalloc.pageByteCount)
    let jemalloc = try JemallocArena.acquire(for: source)
    self.jemalloc = jemalloc
    lanes = (0..<Self.laneCount).map { _ in CacheLane(arena: jemalloc.index) }
  }

  private static let laneCount = min(max(MemoryCapacity.processorCount, 1), 16)

  deinit {
    // First what the caches hold, then the rest; the segments go with the source.
    for lane in lanes { lane.close() }
    jemalloc.release()
    // A page that stayed behind would be handed out again, unmapped, by the next user of the jemalloc arena.
    precondition(source.extentPageCount == 0, "jemalloc gives every page back on a reset")
  }

  /// Allocates at least `byteCount` bytes, which are not zeroed.
  ///
  /// The buffer may be larger than asked for, all of it may be used.
  /// - Parameters:
  ///   - byteCount: 0 or more.
  ///   - alignment: a power of two, at most ``maximumAlignment``.
  /// Throws ``ArenaError/limitReached(byteLimit:mapped:requested:)`` when the segments may not grow,
  /// ``ArenaError/segment(_:)`` when they can't, ``ArenaError/unsupportedRequest(byteCount:alignment:)``.
  public func allocate(
    byteCount: Int, alignment: Int = 16
  ) throws(ArenaError) -> UnsafeMutableRawBufferPointer {
    guard byteCount >= 0, alignment > 0, alignment & (alignment - 1) == 0, alignment <= Self.maximumAlignment else {
      throw .unsupportedRequest(byteCount: byteCount, alignment: alignment)
    }
    guard byteCount <= Self.largestCachedByteCount else { return try unsafe allocateLarge(byteCount) }
    // From 16 bytes on, every size class is a multiple of 16.
    let alignmentFlags = alignment > 16 ? cjemalloc_alignment_flags(Int32(alignment.trailingZeroBitCount)) : 0
    let size = max(byteCount, 16)
    if let found = unsafe allocateSmall(size, alignmentFlags) { return unsafe found }
    // What other threads' caches hold may make up what is missing.
    trim()
    if let found = unsafe allocateSmall(size, alignmentFlags) { return unsafe found }
    if case .segment(let error) = source.takeHookFailure() { throw .segment(error) }
    throw .limitReached(byteLimit: source.byteLimit, mapped: source.counts.mappedByteCount, requested: byteCount)
  }

  /// Frees an allocation of this arena. `base` is where the buffer starts that ``allocate(byteCount:alignment:)``
  /// returned; freeing anything else, or freeing twice, is undefined, as with `free`.
  @unsafe public func deallocate(_ base: UnsafeMutableRawPointer) {
    let address = UInt(bitPattern: base)
    // Large allocations start on a page; most small ones don't, and need not be looked up.
    if address % UInt(source.pageByteCount) == 0, source.releaseLarge(at: address) { return }
    for lane in lanes where lane.deallocateIfFree(address) { return }
    lanes[0].deallocate(address)
  }

  /// In which segment, and where in it, a pointer into an allocation points; nil when into none of this arena's
  /// segments. Logarithmic in the number of segments, some 30 ns.
  public func locate(_ pointer: UnsafeRawPointer) -> SegmentLocation? {
    source.locate(UInt(bitPattern: pointer))
  }

  /// The segments, oldest first.
  public var segments: [Segment] { source.segments }

  /// What the arena takes and holds at this moment.
  public var statistics: ArenaStatistics {
    let counts = source.counts
    return ArenaStatistics(
      byteLimit: source.byteLimit, mappedByteCount: counts.mappedByteCount,
      inUseByteCount: lanes.reduce(counts.largeByteCount) { $0 + $1.inUseByteCount }, segmentCount: counts.segmentCount)
  }

  /// Gives the segments back to the kernel in which nothing is allocated. Who still holds such a ``Segment`` keeps it
  /// mapped. The next allocations will have to touch new pages.
  public func trim() {
    for lane in lanes { lane.flush() }
    Jemalloc.purge(arena: jemalloc.index)
    source.dropEmptySegments()
  }

  private func allocateLarge(_ byteCount: Int) throws(ArenaError) -> UnsafeMutableRawBufferPointer {
    // Compared before rounding up, which could overflow.
    guard byteCount <= source.byteLimit else {
      throw .limitReached(byteLimit: source.byteLimit, mapped: source.counts.mappedByteCount, requested: byteCount)
    }
    let pageCount = (byteCount - 1) / source.pageByteCount + 1
    let address: UInt
    do {
      address = try source.allocateLarge(pageCount: pageCount)
    } catch .limitReached {
      // What caches hold may keep segments from being empty, and pages from being joined.
      trim()
      address = try source.allocateLarge(pageCount: pageCount)
    }
    return unsafe UnsafeMutableRawBufferPointer(
      start: UnsafeMutableRawPointer(bitPattern: address), count: pageCount * source.pageByteCount)
  }

  private func allocateSmall(_ byteCount: Int, _ alignmentFlags: Int32) -> UnsafeMutableRawBufferPointer? {
    for lane in lanes {
      guard let allocation = lane.allocateIfFree(byteCount: byteCount, alignmentFlags: alignmentFlags) else { continue }
      return unsafe Self.buffer(allocation)
    }
    return unsafe Self.buffer(lanes[0].allocate(byteCount: byteCount, alignmentFlags: alignmentFlags))
  }

  private static func buffer(_ allocation: CacheLane.Allocation) -> UnsafeMutableRawBufferPointer? {
    guard case .allocated(let address, let byteCount) = allocation else { return nil }
    return unsafe UnsafeMutableRawBufferPointer(
      start: UnsafeMutableRawPointer(bitPattern: address), count: byteCount)
  }
}
