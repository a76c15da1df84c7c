#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "CBench.h"

// A payload in a bare shared mapping: one process writes it, the other reads it, and nothing else is done.

struct region {
  _Alignas(128) _Atomic uint32_t ping;
  _Alignas(128) _Atomic uint32_t pong;
  _Alignas(4096) char bytes[];
};

int bench_memory(const char *name) {
  int descriptor = memfd_create(name, MFD_CLOEXEC);
  return descriptor < 0 ? -errno : descriptor;
}

struct region *bench_map_region(int descriptor, uint64_t byte_count) {
  uint64_t size = sizeof(struct region) + byte_count;
  if (ftruncate(descriptor, (off_t)size) < 0) return NULL;
  void *region = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, descriptor, 0);
  return region == MAP_FAILED ? NULL : region;
}

uint64_t bench_sum(const void *bytes, uint64_t byte_count) {
  typedef uint64_t words __attribute__((vector_size(64), aligned(1), may_alias));
  words sums = {0};
  for (uint64_t offset = 0; offset + sizeof sums <= byte_count; offset += sizeof sums) {
    sums += *(const words *)((const char *)bytes + offset);
  }
  uint64_t sum = 0;
  for (int i = 0; i < 8; i++) sum += sums[i];
  return sum;
}

static void set(_Atomic uint32_t *word, uint32_t value, int spins) {
  atomic_store_explicit(word, value, memory_order_release);
  if (!spins) syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void until(_Atomic uint32_t *word, uint32_t value, int spins) {
  uint32_t seen;
  while ((seen = atomic_load_explicit(word, memory_order_acquire)) != value) {
    if (!spins) syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
  }
}

void bench_region_write(struct region *region, uint64_t byte_count, int value, int spins) {
  uint32_t turn = atomic_load_explicit(&region->ping, memory_order_relaxed) + 1;
  memset(region->bytes, value, byte_count);
  set(&region->ping, turn, spins);
  until(&region->pong, turn, spins);
}

uint64_t bench_region_read(struct region *region, uint64_t byte_count, int count, int spins) {
  uint32_t turn = atomic_load_explicit(&region->pong, memory_order_relaxed);
  uint64_t sum = 0;
  for (int i = 0; i < count; i++) {
    until(&region->ping, ++turn, spins);
    sum += bench_sum(region->bytes, byte_count);
    set(&region->pong, turn, spins);
  }
  return sum;
}
