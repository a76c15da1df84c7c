import CJemalloc
import Synchronization

/// A jemalloc arena that takes its pages from a ``PageSource`` and keeps its books in private memory.
///
/// jemalloc has about 4,090 arenas and gets nothing back from one that is destroyed, so they are pooled: a released one
/// has been emptied and serves the next source, under the same index and hooks.
@safe final class JemallocArena: @unchecked Sendable {
  /// What jemalloc knows it by.
  let index: UInt32
  /// Never freed, since jemalloc may look at its hooks at any time. Written only while nobody uses the arena.
  private let context: UnsafeMutablePointer<cjemalloc_extent_context>

  private static let pool = Mutex<[JemallocArena]>([])

  /// An empty arena over `source`, which must live until the arena is released.
  static func acquire(for source: PageSource) throws(ArenaError) -> JemallocArena {
    let arena: JemallocArena
    if let pooled = pool.withLock({ $0.popLast() }) {
      arena = pooled
    } else {
      do {
        arena = try JemallocArena()
      } catch {
        throw .arenaUnavailable(errno: error.errno)
      }
    }
    unsafe arena.context.pointee.source = Unmanaged.passUnretained(source).toOpaque()
    return arena
  }

  /// Discards all allocations, gives all pages back to the source, and puts the arena into the pool. Nobody may be
  /// using it any more, and no thread cache may hold anything of it.
  func release() {
    Jemalloc.reset(arena: index)
    Jemalloc.purge(arena: index)
    unsafe context.pointee.source = nil
    Self.pool.withLock { $0.append(self) }
  }

  private init() throws(JemallocError) {
    let context = UnsafeMutablePointer<cjemalloc_extent_context>.allocate(capacity: 1)
    unsafe context.initialize(to: cjemalloc_extent_context())
    unsafe context.pointee.hooks = Self.hooks
    let hooks = unsafe UnsafeMutableRawPointer(context).assumingMemoryBound(to: extent_hooks_t.self)
    do {
      index = try unsafe Jemalloc.createArena(hooks: hooks, metadataUsesHooks: false)
    } catch {
      unsafe context.deallocate()
      throw error
    }
    unsafe self.context = unsafe context
    Jemalloc.keepNoFreePages(arena: index)
  }

  // MARK: Hooks. jemalloc calls them on whatever thread uses the arena, and serves what they allocate from elsewhere.

  /// Larger extents are refused. Before jemalloc asks for what it needs, it asks for 2 MiB or more at once, to keep the
  /// rest; what it keeps so it never gives back. Refused, it asks for what it needs, which is always less.
  static let extentLimit = 2 << 20

  @safe private static var hooks: extent_hooks_t {
    var hooks = extent_hooks_t()
    unsafe hooks.alloc = { hooks, newAddress, size, alignment, zero, commit, _ in
      guard let source = unsafe JemallocArena.source(hooks), unsafe newAddress == nil, size < JemallocArena.extentLimit,
        alignment <= source.pageByteCount, let address = source.allocateExtent(byteCount: size)
      else { return nil }
      let start = unsafe UnsafeMutableRawPointer(bitPattern: address)
      // Recycled pages are not zero: say so, or make them so.
      if let zero = unsafe zero, unsafe zero.pointee {
        unsafe start?.initializeMemory(as: UInt8.self, repeating: 0, count: size)
      }
      unsafe commit?.pointee = true
      return unsafe start
    }
    unsafe hooks.dalloc = { hooks, address, size, _, _ in
      unsafe JemallocArena.source(hooks)?.releaseExtent(at: UInt(bitPattern: address), byteCount: size)
      return false
    }
    // An extent lies in one segment, so that its parts do too.
    unsafe hooks.split = { _, _, _, _, _, _, _ in false }
    unsafe hooks.merge = { hooks, first, _, second, _, _, _ in
      guard let source = unsafe JemallocArena.source(hooks),
        let segment = source.locate(UInt(bitPattern: first))?.segmentIndex,
        let other = source.locate(UInt(bitPattern: second))?.segmentIndex
      else { return true }
      return segment != other
    }
    // Not there, hence refused: commit, decommit and purge. A sealed segment can't be punched.
    return hooks
  }

  @unsafe private static func source(_ hooks: UnsafeMutablePointer<extent_hooks_t>?) -> PageSource? {
    // Sound: the hooks are the first member of a context, and the source outlives its use of the arena.
    guard let hooks = unsafe hooks else { return nil }
    let context = unsafe UnsafeRawPointer(hooks).assumingMemoryBound(to: cjemalloc_extent_context.self)
    guard let source = unsafe context.pointee.source else { return nil }
    return unsafe Unmanaged<PageSource>.fromOpaque(source).takeUnretainedValue()
  }
}
