import CJemalloc
import Synchronization

/// A jemalloc thread cache that any thread may use, one at a time, for one arena.
///
/// jemalloc's own caches belong to a thread each and would have to be emptied on every thread before an arena ends. A
/// lane is instead taken for the few nanoseconds of one call; who finds it taken goes to the next lane. Each call also
/// keeps the count of live bytes, so that counting needs no shared word.
final class CacheLane: Sendable {
  private let arena: UInt32
  private let state = Mutex(State())

  private struct State {
    var cache: Cache = .notMade
    /// What was allocated less what was freed on this lane; it can be negative.
    var inUseByteCount = 0
    /// Whether anything was allocated or freed since the last look.
    var isBusy = false
  }

  private enum Cache {
    case notMade
    case made(UInt32)
    /// jemalloc has no further cache: the lane works on without, more slowly.
    case unavailable
  }

  init(arena: UInt32) {
    self.arena = arena
  }

  /// The outcome of ``allocateIfFree(byteCount:flags:)``.
  enum Allocation {
    case allocated(address: UInt, byteCount: Int)
    case outOfMemory
  }

  /// Allocates, or returns nil when the lane is taken.
  func allocateIfFree(byteCount: Int, alignmentFlags: Int32) -> Allocation? {
    state.withLockIfAvailable { state in allocate(byteCount, alignmentFlags, &state) }
  }

  /// Allocates once the lane is free.
  func allocate(byteCount: Int, alignmentFlags: Int32) -> Allocation {
    state.withLock { state in allocate(byteCount, alignmentFlags, &state) }
  }

  /// Frees, or returns false when the lane is taken.
  func deallocateIfFree(_ address: UInt) -> Bool {
    state.withLockIfAvailable { state in deallocate(address, &state) } != nil
  }

  /// Frees once the lane is free.
  func deallocate(_ address: UInt) {
    state.withLock { state in deallocate(address, &state) }
  }

  var inUseByteCount: Int { state.withLock { $0.inUseByteCount } }

  /// Gives what the cache holds back to the arena.
  func flush() {
    state.withLock { state in
      if case .made(let cache) = state.cache { Jemalloc.flushCache(cache) }
    }
  }

  /// Gives what the cache holds back to the arena, unless the lane was in use since the last call.
  func flushIfIdle() {
    state.withLock { state in
      if !state.isBusy, case .made(let cache) = state.cache { Jemalloc.flushCache(cache) }
      state.isBusy = false
    }
  }

  /// Makes a small allocation larger or smaller where it stands: its size after that.
  func resize(_ address: UInt, byteCount: Int) -> Int {
    state.withLock { state in
      let start = unsafe UnsafeMutableRawPointer(bitPattern: address)
      let old = unsafe sallocx(start, 0)
      let new = unsafe xallocx(start, byteCount, 0, cjemalloc_flags_uncached(arena))
      state.inUseByteCount += new - old
      return new
    }
  }

  /// Gives back what the cache holds, and the cache itself. Nobody may use the lane after that.
  func close() {
    state.withLock { state in
      if case .made(let cache) = state.cache { Jemalloc.destroyCache(cache) }
      state.cache = .unavailable
    }
  }

  private func allocate(_ byteCount: Int, _ alignmentFlags: Int32, _ state: inout State) -> Allocation {
    let flags = flags(&state)
    state.isBusy = true
    guard let start = unsafe mallocx(byteCount, flags | alignmentFlags) else { return .outOfMemory }
    let size = unsafe sallocx(start, 0)
    state.inUseByteCount += size
    return .allocated(address: UInt(bitPattern: start), byteCount: size)
  }

  private func deallocate(_ address: UInt, _ state: inout State) {
    let flags = flags(&state)
    state.isBusy = true
    let start = unsafe UnsafeMutableRawPointer(bitPattern: address)
    state.inUseByteCount -= unsafe sallocx(start, 0)
    unsafe dallocx(start, flags)
  }

  private func flags(_ state: inout State) -> Int32 {
    switch state.cache {
    case .made(let cache): return cjemalloc_flags(arena, cache)
    case .unavailable: return cjemalloc_flags_uncached(arena)
    case .notMade:
      do {
        state.cache = .made(try Jemalloc.createCache())
      } catch {
        state.cache = .unavailable
      }
      return flags(&state)
    }
  }
}
