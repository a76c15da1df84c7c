import CJemalloc

/// The calls of mallctl(3) that arenas need, by name.
enum Jemalloc {
  /// The unit of what extent hooks give and take, 4,096 bytes or more.
  static let pageByteCount: Int = read("arenas.page", as: Int.self)

  /// Makes an arena and returns its index.
  @unsafe static func createArena(
    hooks: UnsafeMutablePointer<extent_hooks_t>, metadataUsesHooks: Bool
  ) throws(JemallocError) -> UInt32 {
    var configuration = unsafe cjemalloc_arena_configuration(hooks: hooks, metadata_use_hooks: metadataUsesHooks)
    var index: UInt32 = 0
    var size = MemoryLayout<UInt32>.size
    try unsafe check(
      mallctl(
        "experimental.arenas_create_ext", &index, &size, &configuration,
        MemoryLayout<cjemalloc_arena_configuration>.size))
    return index
  }

  /// Makes a thread cache and returns its number.
  static func createCache() throws(JemallocError) -> UInt32 {
    var cache: UInt32 = 0
    var size = MemoryLayout<UInt32>.size
    try unsafe check(mallctl("tcache.create", &cache, &size, nil, 0))
    return cache
  }

  /// Gives what a thread cache holds back to its arena. Nobody may be using the cache.
  static func flushCache(_ cache: UInt32) {
    write("tcache.flush", cache)
  }

  /// Flushes a thread cache and ends it. Nobody may be using it.
  static func destroyCache(_ cache: UInt32) {
    write("tcache.destroy", cache)
  }

  /// Makes an arena give every page back at once, rather than ten seconds after it was freed.
  static func keepNoFreePages(arena: UInt32) {
    write("arena.\(arena).dirty_decay_ms", 0)
    write("arena.\(arena).muzzy_decay_ms", 0)
  }

  /// Discards all allocations of an arena. Nobody may be using it, and no cache may hold anything of it.
  static func reset(arena: UInt32) {
    perform("arena.\(arena).reset")
  }

  /// Has an arena give back what it holds without use.
  static func purge(arena: UInt32) {
    perform("arena.\(arena).purge")
  }

  private static func check(_ result: Int32) throws(JemallocError) {
    guard result == 0 else { throw JemallocError(errno: result) }
  }

  // These names exist in jemalloc 5.3, and the values have the types that it documents: a failure is a broken
  // installation, or a broken invariant of ours.

  private static func read<Value: BitwiseCopyable & ExpressibleByIntegerLiteral>(
    _ name: String, as type: Value.Type
  ) -> Value {
    var value: Value = 0
    var size = MemoryLayout<Value>.size
    let result = unsafe mallctl(name, &value, &size, nil, 0)
    precondition(result == 0, "jemalloc cannot read \(name): errno \(result)")
    return value
  }

  private static func write<Value: BitwiseCopyable>(_ name: String, _ value: Value) {
    var value = value
    let result = unsafe mallctl(name, nil, nil, &value, MemoryLayout<Value>.size)
    precondition(result == 0, "jemalloc cannot set \(name): errno \(result)")
  }

  private static func perform(_ name: String) {
    let result = unsafe mallctl(name, nil, nil, nil, 0)
    precondition(result == 0, "jemalloc cannot do \(name): errno \(result)")
  }
}

/// What mallctl(3) answered.
struct JemallocError: Error {
  let errno: Int32
}
