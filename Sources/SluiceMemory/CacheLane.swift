import CJemalloc
import SluiceSystem
import Synchronization

/// A jemalloc thread cache that any thread may use, one at a time, for one arena.
///
/// jemalloc's own caches belong to a thread each and would have to be emptied on every thread before an arena ends. A
/// lane is instead taken for the few nanoseconds of one call; who finds it taken goes to the next lane, and who finds all
/// taken does without a cache. Each call also keeps the count of live bytes, so that counting needs no shared word.
///
/// Nobody waits for a lane but who empties it. So it is a flag and not a mutex: taking it is one atomic operation, and
/// leaving it a plain store. A value in place: reaching it costs no reference count.
struct CacheLane: ~Copyable, Sendable {
  private let arena: UInt32
  private let isTaken = Atomic<Bool>(false)

  // Written by who has the lane, and so without atomic additions; the count is read by anybody.

  /// The arena and the cache, as jemalloc's calls take them; 0 as long as there is no cache.
  private let flags = Atomic<Int32>(0)
  /// The cache's number; -1 while there is none, as when jemalloc has no further one, and the lane works more slowly.
  private let cache = Atomic<Int64>(-1)
  /// What was allocated less what was freed on this lane; it can be negative.
  private let laneByteCount = Atomic<Int>(0)
  /// Whether anything was allocated or freed since the last look.
  private let isBusy = Atomic<Bool>(false)

  /// The same for what was allocated and freed without the lane.
  private let otherByteCount = Atomic<Int>(0)

  init(arena: UInt32) {
    self.arena = arena
  }

  /// An allocation, or that there is none.
  enum Allocation {
    case allocated(address: UInt, byteCount: Int)
    case outOfMemory
  }

  // MARK: With the lane

  /// Allocates, or returns nil when the lane is taken.
  func allocateIfFree(byteCount: Int, alignmentFlags: Int32) -> Allocation? {
    guard takeIfFree() else { return nil }
    defer { leave() }
    guard let start = unsafe mallocx(byteCount, cachedFlags | alignmentFlags) else { return .outOfMemory }
    // What the size and the alignment come to, without looking the address up.
    let size = nallocx(byteCount, alignmentFlags)
    count(size)
    return .allocated(address: UInt(bitPattern: start), byteCount: size)
  }

  /// Frees, or returns false when the lane is taken.
  func deallocateIfFree(_ address: UInt) -> Bool {
    guard takeIfFree() else { return false }
    defer { leave() }
    let start = unsafe UnsafeMutableRawPointer(bitPattern: address)
    // Told the size, jemalloc does not look the address up once more.
    let size = unsafe sallocx(start, 0)
    unsafe sdallocx(start, size, cachedFlags)
    count(-size)
    return true
  }

  private func takeIfFree() -> Bool { !isTaken.exchange(true, ordering: .acquiring) }

  private func leave() { isTaken.store(false, ordering: .releasing) }

  private func count(_ change: Int) {
    laneByteCount.store(laneByteCount.load(ordering: .relaxed) &+ change, ordering: .relaxed)
    isBusy.store(true, ordering: .relaxed)
  }

  private var cachedFlags: Int32 {
    let known = flags.load(ordering: .relaxed)
    return known != 0 ? known : makeCache()
  }

  private func makeCache() -> Int32 {
    let made: Int32
    do {
      let number = try Jemalloc.createCache()
      cache.store(Int64(number), ordering: .relaxed)
      made = cjemalloc_flags(arena, number)
    } catch {
      made = cjemalloc_flags_uncached(arena)
    }
    flags.store(made, ordering: .relaxed)
    return made
  }

  // MARK: Without

  /// Allocates without a cache: any thread, at any time.
  func allocateUncached(byteCount: Int, alignmentFlags: Int32) -> Allocation {
    let flags = cjemalloc_flags_uncached(arena) | alignmentFlags
    guard let start = unsafe mallocx(byteCount, flags) else { return .outOfMemory }
    let size = nallocx(byteCount, alignmentFlags)
    otherByteCount.wrappingAdd(size, ordering: .relaxed)
    return .allocated(address: UInt(bitPattern: start), byteCount: size)
  }

  /// Frees without a cache.
  func deallocateUncached(_ address: UInt) {
    let start = unsafe UnsafeMutableRawPointer(bitPattern: address)
    let size = unsafe sallocx(start, 0)
    unsafe sdallocx(start, size, cjemalloc_flags_uncached(arena))
    otherByteCount.wrappingSubtract(size, ordering: .relaxed)
  }

  /// Makes a small allocation larger or smaller where it stands: its size after that.
  func resize(_ address: UInt, byteCount: Int) -> Int {
    let start = unsafe UnsafeMutableRawPointer(bitPattern: address)
    let old = unsafe sallocx(start, 0)
    let new = unsafe xallocx(start, byteCount, 0, cjemalloc_flags_uncached(arena))
    otherByteCount.wrappingAdd(new - old, ordering: .relaxed)
    return new
  }

  /// Live bytes, of what was allocated or freed by way of this lane.
  var inUseByteCount: Int { laneByteCount.load(ordering: .relaxed) &+ otherByteCount.load(ordering: .relaxed) }

  // MARK: Emptying

  /// Gives what the cache holds back to the arena.
  func flush() {
    waitUntilTaken()
    flushTaken()
    leave()
  }

  /// Gives what the cache holds back to the arena, unless the lane was in use since the last call.
  func flushIfIdle() {
    guard takeIfFree() else { return }
    if !isBusy.exchange(false, ordering: .relaxed) { flushTaken() }
    leave()
  }

  /// Gives back what the cache holds, and the cache itself. Nobody may use the lane after that.
  func close() {
    let number = cache.load(ordering: .relaxed)
    if let number = UInt32(exactly: number) { Jemalloc.destroyCache(number) }
  }

  private func flushTaken() {
    if let number = UInt32(exactly: cache.load(ordering: .relaxed)) { Jemalloc.flushCache(number) }
  }

  /// A lane is taken for one call of jemalloc. Who has it may have lost its processor meanwhile, or be mapping a segment.
  private func waitUntilTaken() {
    while !takeIfFree() {
      for _ in 0..<100 where isTaken.load(ordering: .relaxed) { Processors.spinHint() }
      guard isTaken.load(ordering: .relaxed) else { continue }
      // Asleep rather than yielding: whatever the priorities are, who has the lane can go on.
      Processors.rest(microseconds: 20)
    }
  }
}
