#pragma once

#include <stdint.h>

// The bare baselines: a round trip between two processes with nothing around it. Each has two sides: `ping` measures and
// `pong` answers, both for the same number of round trips. `times` receives the nanoseconds of each round trip.
// Functions that can fail return 0, or the negated errno.

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

/// 64 bytes over a blocking stream socket.
int bench_stream_ping(int descriptor, int count, uint64_t *times);
int bench_stream_pong(int descriptor, int count);
