#include "CAllocations.h"

#include <stddef.h>

// The C library's own, under the names that it keeps for replacements.
extern void *__libc_malloc(size_t byte_count);
extern void *__libc_calloc(size_t count, size_t byte_count);

static _Thread_local unsigned long allocation_count;

unsigned long bench_allocation_count(void) { return allocation_count; }

void *malloc(size_t byte_count) {
  allocation_count++;
  return __libc_malloc(byte_count);
}

void *calloc(size_t count, size_t byte_count) {
  allocation_count++;
  return __libc_calloc(count, byte_count);
}
