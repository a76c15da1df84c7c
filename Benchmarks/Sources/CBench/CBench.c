#define _GNU_SOURCE
#include "CBench.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { message_size = 64 };

struct bench_page {
  _Alignas(128) _Atomic uint32_t ping;
  _Alignas(128) _Atomic uint32_t pong;
};

uint64_t bench_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

int bench_pin(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  DIR *threads = opendir("/proc/self/task");
  if (threads == NULL) return -errno;
  int result = 0;
  for (struct dirent *entry; (entry = readdir(threads)) != NULL;) {
    int thread = atoi(entry->d_name);
    // One that has ended meanwhile needs no processor.
    if (thread > 0 && sched_setaffinity(thread, sizeof set, &set) < 0 && errno != ESRCH) result = -errno;
  }
  closedir(threads);
  return result;
}

struct bench_page *bench_map(int descriptor) {
  void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  return page == MAP_FAILED ? NULL : page;
}

static void spin_until(_Atomic uint32_t *word, uint32_t value) {
  while (atomic_load_explicit(word, memory_order_acquire) != value) {
  }
}

void bench_spin_ping(struct bench_page *page, int count, uint64_t *times) {
  uint32_t turn = atomic_load(&page->ping);
  uint64_t start = bench_now();
  for (int i = 0; i < count; i++) {
    atomic_store_explicit(&page->ping, ++turn, memory_order_release);
    spin_until(&page->pong, turn);
    uint64_t end = bench_now();
    times[i] = end - start;
    start = end;
  }
}

void bench_spin_pong(struct bench_page *page, int count) {
  uint32_t turn = atomic_load(&page->pong);
  for (int i = 0; i < count; i++) {
    spin_until(&page->ping, ++turn);
    atomic_store_explicit(&page->pong, turn, memory_order_release);
  }
}

static void futex_set(_Atomic uint32_t *word, uint32_t value) {
  atomic_store_explicit(word, value, memory_order_release);
  syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void futex_until(_Atomic uint32_t *word, uint32_t value) {
  uint32_t seen;
  while ((seen = atomic_load_explicit(word, memory_order_acquire)) != value) {
    syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
  }
}

void bench_futex_ping(struct bench_page *page, int count, uint64_t *times) {
  uint32_t turn = atomic_load(&page->ping);
  uint64_t start = bench_now();
  for (int i = 0; i < count; i++) {
    futex_set(&page->ping, ++turn);
    futex_until(&page->pong, turn);
    uint64_t end = bench_now();
    times[i] = end - start;
    start = end;
  }
}

void bench_futex_pong(struct bench_page *page, int count) {
  uint32_t turn = atomic_load(&page->pong);
  for (int i = 0; i < count; i++) {
    futex_until(&page->ping, ++turn);
    futex_set(&page->pong, turn);
  }
}

int bench_eventfd_ping(int own, int peer, int count, uint64_t *times) {
  uint64_t value = 1;
  uint64_t start = bench_now();
  for (int i = 0; i < count; i++) {
    value = 1;
    if (write(peer, &value, sizeof value) < 0) return -errno;
    if (read(own, &value, sizeof value) < 0) return -errno;
    uint64_t end = bench_now();
    times[i] = end - start;
    start = end;
  }
  return 0;
}

int bench_eventfd_pong(int own, int peer, int count) {
  for (int i = 0; i < count; i++) {
    uint64_t value;
    if (read(own, &value, sizeof value) < 0) return -errno;
    value = 1;
    if (write(peer, &value, sizeof value) < 0) return -errno;
  }
  return 0;
}

int bench_queue_ping(int own, int peer, int count, uint64_t *times) {
  char message[8192];
  uint64_t start = bench_now();
  for (int i = 0; i < count; i++) {
    if (mq_send(peer, message, message_size, 0) < 0) return -errno;
    if (mq_receive(own, message, sizeof message, NULL) < 0) return -errno;
    uint64_t end = bench_now();
    times[i] = end - start;
    start = end;
  }
  return 0;
}

int bench_queue_pong(int own, int peer, int count) {
  char message[8192];
  for (int i = 0; i < count; i++) {
    if (mq_receive(own, message, sizeof message, NULL) < 0) return -errno;
    if (mq_send(peer, message, message_size, 0) < 0) return -errno;
  }
  return 0;
}

int bench_queue(const char *name) {
  struct mq_attr attributes = {.mq_maxmsg = 10, .mq_msgsize = 1024};
  mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
  int result = queue < 0 ? -errno : (int)queue;
  mq_unlink(name);
  return result;
}

int bench_eventfd(void) {
  int result = eventfd(0, 0);
  return result < 0 ? -errno : result;
}

static int read_message(int descriptor, char *message) {
  for (int filled = 0; filled < message_size;) {
    ssize_t count = read(descriptor, message + filled, message_size - filled);
    if (count == 0) return -ECONNRESET;
    if (count < 0 && errno != EINTR) return -errno;
    if (count > 0) filled += (int)count;
  }
  return 0;
}

static int write_message(int descriptor, const char *message) {
  for (int written = 0; written < message_size;) {
    ssize_t count = write(descriptor, message + written, message_size - written);
    if (count < 0 && errno != EINTR) return -errno;
    if (count > 0) written += (int)count;
  }
  return 0;
}

int bench_stream_ping(int descriptor, int count, uint64_t *times) {
  char message[message_size] = {0};
  uint64_t start = bench_now();
  for (int i = 0; i < count; i++) {
    int result = write_message(descriptor, message);
    if (result == 0) result = read_message(descriptor, message);
    if (result != 0) return result;
    uint64_t end = bench_now();
    times[i] = end - start;
    start = end;
  }
  return 0;
}

int bench_stream_pong(int descriptor, int count) {
  char message[message_size];
  for (int i = 0; i < count; i++) {
    int result = read_message(descriptor, message);
    if (result == 0) result = write_message(descriptor, message);
    if (result != 0) return result;
  }
  return 0;
}
