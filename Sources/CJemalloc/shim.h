// jemalloc's interface, and the few things in it that Swift cannot see: macros, and a structure that the public header
// leaves out.
#ifndef CJEMALLOC_SHIM_H
#define CJEMALLOC_SHIM_H

#include <jemalloc/jemalloc.h>
#include <stdbool.h>

/// What `experimental.arenas_create_ext` takes (jemalloc 5.3, arena_types.h).
struct cjemalloc_arena_configuration {
  extent_hooks_t *hooks;
  /// Whether the arena's bookkeeping goes where the hooks say; false keeps it in private memory.
  bool metadata_use_hooks;
};

/// Hooks and what they are for: jemalloc passes `hooks` to each hook, the context stands right behind.
struct cjemalloc_extent_context {
  extent_hooks_t hooks;
  void *source;
};

/// Flags for mallocx(3) and its kin: an explicit arena and an explicit thread cache.
static inline int cjemalloc_flags(unsigned int arena, unsigned int cache) {
  return MALLOCX_ARENA(arena) | MALLOCX_TCACHE(cache);
}
/// The same without a thread cache.
static inline int cjemalloc_flags_uncached(unsigned int arena) {
  return MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE;
}
/// What to add for an alignment of 2^`exponent` bytes.
static inline int cjemalloc_alignment_flags(int exponent) { return MALLOCX_LG_ALIGN(exponent); }

#endif
