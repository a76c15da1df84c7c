import CJemalloc
import SluiceSystem
import Synchronization

/// An allocator in shared memory: jemalloc and large page runs over a growing list of segments, under a byte limit.
///
/// It owns its segments. Their users must keep the arena alive as long as they use an allocation: when the arena dies,
/// all allocations die with it. Nothing but what was allocated is ever written to the segments; all books are in
/// private memory.
///
/// Free memory stays mapped, and its pages stay warm, until ``trim()``, until it was idle for two calls of ``decay()``, or
/// until the limit needs it: in steady state allocations of any size touch no new page and make no system call.
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
  /// What all segments may take together, in bytes.
  public var byteLimit: Int { source.byteLimit }
  private let source: PageSource
  private let jemalloc: JemallocArena
  /// The first `laneCount` of them are used, as many as threads can run at once; a lane that is never reached costs nothing.
  private let lanes: InlineArray<16, CacheLane>
  private let observer = Mutex(Observer())
  private let waiting = Mutex(WakeList())
  /// Whether somebody waits for room: spares a lock on the way of each deallocation.
  private let isAwaited = Atomic<Bool>(false)

  /// Makes an arena without segments: the first allocation adds one.
  /// - Parameters:
  ///   - name: segments are called `<name>.<n>`, with n counting from 0.
  ///   - scope: who may map the segments.
  ///   - byteLimit: what all segments may take together, in bytes; at most 2^56, which is more than there can be.
  ///   - firstSegmentByteCount: the size of the first segment. Further ones double the arena, up to 256 MiB each; an
  ///     allocation above that gets a segment of its own.
  ///   - place: where the segments stand. A named one needs the prefix `name`.
  ///   - options: what else to ask of the kernel for each segment.
  /// Throws ``ArenaError/arenaUnavailable(errno:)``.
  public init(
    name: String, scope: MemoryScope, byteLimit: Int = Arena.defaultByteLimit,
    firstSegmentByteCount: Int = Arena.defaultFirstSegmentByteCount, in place: SegmentPlace = .sealedMemory,
    options: SegmentOptions = []
  ) throws(ArenaError) {
    self.name = name
    self.scope = scope
    source = PageSource(
      name: name, byteLimit: byteLimit, firstSegmentByteCount: firstSegmentByteCount,
      pageByteCount: Jemalloc.pageByteCount, place: place, options: options)
    let jemalloc = try JemallocArena.acquire(for: source)
    self.jemalloc = jemalloc
    lanes = InlineArray { _ in CacheLane(arena: jemalloc.index) }
  }

  /// A function in a struct: bare in a mutex, it would be wrapped once more at each access.
  private struct Observer {
    var changed: (@Sendable (ArenaChange) -> Void)?
  }

  private static let laneCount = min(MemoryCapacity.processorCount, 16)

  deinit {
    // First what the caches hold, then the rest; the segments go with the source.
    for index in 0..<Self.laneCount { lanes[index].close() }
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
    defer { reportChanges() }
    guard byteCount <= Self.largestCachedByteCount else { return try unsafe allocateLarge(byteCount) }
    // From 16 bytes on, every size class is a multiple of 16.
    let alignmentFlags = alignment > 16 ? cjemalloc_alignment_flags(Int32(alignment.trailingZeroBitCount)) : 0
    let size = max(byteCount, 16)
    if let found = unsafe allocateSmall(size, alignmentFlags) { return unsafe found }
    // What other threads' caches hold may make up what is missing, and empty segments make way.
    trim()
    if let found = unsafe allocateSmall(size, alignmentFlags) { return unsafe found }
    if case .segment(let error) = source.takeHookFailure() { throw .segment(error) }
    throw .limitReached(byteLimit: source.byteLimit, mapped: source.counts.mappedByteCount, requested: byteCount)
  }

  /// Frees an allocation of this arena. `base` is where the buffer starts that ``allocate(byteCount:alignment:)``
  /// returned; freeing anything else, or freeing twice, is undefined, as with `free`.
  @unsafe public func deallocate(_ base: UnsafeMutableRawPointer) {
    release(UInt(bitPattern: base))
    // In one order with a waiter that says so, and then looks for room.
    if isAwaited.load(ordering: .sequentiallyConsistent) { wakeAll() }
  }

  private func release(_ address: UInt) {
    // Large allocations start on a page; most small ones don't, and need not be looked up.
    if address % UInt(source.pageByteCount) == 0, source.releaseLarge(at: address) { return }
    for index in 0..<Self.laneCount where lanes[index].deallocateIfFree(address) { return }
    lanes[0].deallocateUncached(address)
  }

  /// Makes an allocation larger or smaller where it stands, its content as it is.
  ///
  /// - Parameters:
  ///   - base: as for ``deallocate(_:)``.
  ///   - byteCount: the size that is wanted, 1 or more.
  /// - Returns: all of the allocation, `byteCount` bytes or more; nil, and nothing changed, when it cannot grow there.
  @unsafe public func resizeInPlace(
    _ base: UnsafeMutableRawPointer, byteCount: Int
  ) -> UnsafeMutableRawBufferPointer? {
    guard byteCount > 0, byteCount <= source.byteLimit else { return nil }
    let address = UInt(bitPattern: base)
    if address % UInt(source.pageByteCount) == 0 {
      let pageCount = (byteCount - 1) / source.pageByteCount + 1
      if let found = source.resizeLarge(at: address, pageCount: pageCount) {
        guard found >= pageCount else { return nil }
        return unsafe UnsafeMutableRawBufferPointer(start: base, count: found * source.pageByteCount)
      }
    }
    let found = lanes[0].resize(address, byteCount: byteCount)
    guard found >= byteCount else { return nil }
    return unsafe UnsafeMutableRawBufferPointer(start: base, count: found)
  }

  /// In which segment, and where in it, a pointer into an allocation points; nil when into none of this arena's
  /// segments. Logarithmic in the number of segments, some 30 ns.
  public func locate(_ pointer: UnsafeRawPointer) -> SegmentLocation? {
    source.locate(UInt(bitPattern: pointer))
  }

  /// The segments, oldest first.
  public var segments: [Segment] { source.segments }

  /// What the arena takes and holds at this moment. One system call for each segment.
  public var statistics: ArenaStatistics {
    let counts = source.counts
    return ArenaStatistics(
      byteLimit: source.byteLimit, mappedByteCount: counts.mappedByteCount,
      inUseByteCount: inUseByteCount, residentByteCount: segments.reduce(0) { $0 + $1.residentByteCount },
      segmentCount: counts.segmentCount)
  }

  /// What live allocations take; see ``ArenaStatistics``. No system call.
  public var inUseByteCount: Int {
    (0..<Self.laneCount).reduce(source.counts.largeByteCount) { $0 + lanes[$1].inUseByteCount }
  }

  /// Gives the segments back to the kernel in which nothing is allocated. Who still holds such a ``Segment`` keeps it
  /// mapped. The next allocations will have to touch new pages.
  public func trim() {
    for index in 0..<Self.laneCount { lanes[index].flush() }
    Jemalloc.purge(arena: jemalloc.index)
    source.dropEmptySegments()
    reportChanges()
  }

  /// Gives the segments back to the kernel that have been empty, and not been used, since the call before this one. To be
  /// called now and then, as long as there are segments: what is in steady use stays.
  ///
  /// - Returns: whether there are segments left.
  @discardableResult public func decay() -> Bool {
    for index in 0..<Self.laneCount { lanes[index].flushIfIdle() }
    source.dropIdleSegments()
    reportChanges()
    return source.counts.segmentCount > 0
  }

  // MARK: Who is told

  /// Has `observer` called after each change of the list of segments, on the thread that brought it about, without a lock.
  /// It must not allocate from this arena. One observer only.
  public func observe(_ observer: @escaping @Sendable (ArenaChange) -> Void) {
    self.observer.withLock { $0.changed = observer }
  }

  private func reportChanges() {
    guard let changes = source.takeChanges() else { return }
    observer.withLock { $0.changed }?(ArenaChange(hasGrown: changes.hasGrown, retired: changes.removed))
  }

  /// Has `wake` called, once, when something of this arena has been freed after this call. Look for room once more after
  /// this call, and then wait. `wake` must not block; it may come early.
  public func waitForRoom(_ wake: @escaping @Sendable () -> Void) -> WaitingForRoom {
    let key = waiting.withLock { waiting in
      isAwaited.store(true, ordering: .sequentiallyConsistent)
      return waiting.add(wake)
    }
    return WaitingForRoom(key: key)
  }

  /// Ends a wait that is not needed any more.
  public func stopWaiting(_ waiter: WaitingForRoom) {
    waiting.withLock { waiting in
      waiting.remove(waiter.key)
      if waiting.isEmpty { isAwaited.store(false, ordering: .relaxed) }
    }
  }

  private func wakeAll() {
    let wakes = waiting.withLock { waiting in
      isAwaited.store(false, ordering: .relaxed)
      return waiting.takeAll()
    }
    for wake in wakes { wake() }
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
    } catch {
      // Empty segments make way. What caches hold may keep segments from being empty, and pages from being joined.
      trim()
      address = try source.allocateLarge(pageCount: pageCount)
    }
    return unsafe UnsafeMutableRawBufferPointer(
      start: UnsafeMutableRawPointer(bitPattern: address), count: pageCount * source.pageByteCount)
  }

  private func allocateSmall(_ byteCount: Int, _ alignmentFlags: Int32) -> UnsafeMutableRawBufferPointer? {
    for index in 0..<Self.laneCount {
      guard let allocation = lanes[index].allocateIfFree(byteCount: byteCount, alignmentFlags: alignmentFlags) else {
        continue
      }
      return unsafe Self.buffer(allocation)
    }
    return unsafe Self.buffer(lanes[0].allocateUncached(byteCount: byteCount, alignmentFlags: alignmentFlags))
  }

  private static func buffer(_ allocation: CacheLane.Allocation) -> UnsafeMutableRawBufferPointer? {
    guard case .allocated(let address, let byteCount) = allocation else { return nil }
    return unsafe UnsafeMutableRawBufferPointer(
      start: UnsafeMutableRawPointer(bitPattern: address), count: byteCount)
  }
}

/// What happened to the list of an arena's segments.
public struct ArenaChange: Sendable {
  /// Whether segments were added.
  public let hasGrown: Bool
  /// Segments that the arena has given up. Nothing is allocated in them, nor ever will be.
  public let retired: [Segment]
}
