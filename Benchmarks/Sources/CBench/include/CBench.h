#pragma once

#include <stdint.h>

// The bare baselines: a round trip between two processes with nothing around it. Each has two sides: `ping` measures and
// `pong` answers, both for the same number of round trips. `times` receives the nanoseconds of each round trip.
// Functions that can fail return 0, or the negated errno.

/// Nanoseconds of the monotonic clock.
uint64_t bench_now(void);

/// Binds all threads of the process, and those they will start, to one processor.
int bench_pin(int cpu);

/// What the cache-line and futex baselines share: two counters on cache lines of their own.
struct bench_page;

/// Maps a page over a file of at least 4096 bytes that is open for reading and writing; NULL with errno set.
struct bench_page *bench_map(int descriptor);

/// Both sides spin. Only for two processors.
void bench_spin_ping(struct bench_page *page, int count, uint64_t *times);
void bench_spin_pong(struct bench_page *page, int count);

/// Both sides sleep on a futex and are woken by the other.
void bench_futex_ping(struct bench_page *page, int count, uint64_t *times);
void bench_futex_pong(struct bench_page *page, int count);

/// An event counter, and a message queue of ten messages of 1,024 bytes without a name: descriptors, to be passed to the
/// other side. Each side waits for its own and signals the other's.
int bench_eventfd(void);
int bench_queue(const char *name);
int bench_eventfd_ping(int own, int peer, int count, uint64_t *times);
int bench_eventfd_pong(int own, int peer, int count);
/// 64 bytes over blocking queues.
int bench_queue_ping(int own, int peer, int count, uint64_t *times);
int bench_queue_pong(int own, int peer, int count);

/// 64 bytes over a blocking stream socket.
int bench_stream_ping(int descriptor, int count, uint64_t *times);
int bench_stream_pong(int descriptor, int count);

/// Copies so many bytes within memory, `count` times.
int bench_copy(uint64_t byte_count, int count, uint64_t *times);

/// How many bytes the calling thread has ever allocated, as jemalloc counts them; -1 where the program has no jemalloc.
int64_t bench_allocated(void);

/// Counts the system calls of the calling thread, by a process that traces it: begins before the first call that is to be
/// counted, and says how many there were since. Tracing makes each call slow. `bench_count_begin` fails with the negated
/// errno where the kernel does not let it; `bench_count_end` returns the count, or the negated errno.
int bench_count_begin(void);
int64_t bench_count_end(void);

/// What two processes share to hand payloads over: two counters, and the payload.
struct region;

/// Memory to share, as a file without a path; or the negated errno.
int bench_memory(const char *name);

/// Maps a region for payloads of up to so many bytes over a file that is open for reading and writing, and sizes the file;
/// NULL with errno set.
struct region *bench_map_region(int descriptor, uint64_t byte_count);

/// Reads all of some memory, 64 bytes at a time.
uint64_t bench_sum(const void *bytes, uint64_t byte_count);

/// One side fills the payload, wakes the other, and waits until it has read it; the other side waits for `count` payloads,
/// reads each, and wakes the first. Both spin, or sleep on futexes.
void bench_region_write(struct region *region, uint64_t byte_count, int value, int spins);
uint64_t bench_region_read(struct region *region, uint64_t byte_count, int count, int spins);
