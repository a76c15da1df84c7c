#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "CBench.h"

// MARK: Copying

int bench_copy(uint64_t byte_count, int count, uint64_t *times) {
  char *from = malloc(byte_count);
  char *to = malloc(byte_count);
  if (from == NULL || to == NULL) {
    free(from);
    free(to);
    return -ENOMEM;
  }
  memset(from, 1, byte_count);
  memset(to, 2, byte_count);
  for (int i = 0; i < count; i++) {
    uint64_t start = bench_now();
    memcpy(to, from, byte_count);
    // The compiler may not take the copy for dead.
    __asm__ volatile("" : : "r"(to) : "memory");
    times[i] = bench_now() - start;
  }
  free(from);
  free(to);
  return 0;
}

// MARK: Allocations

extern int mallctl(const char *name, void *old, size_t *old_size, void *new, size_t new_size) __attribute__((weak));

int64_t bench_allocated(void) {
  static _Thread_local uint64_t *allocated;
  if (allocated == NULL) {
    size_t size = sizeof allocated;
    if (mallctl == NULL || mallctl("thread.allocatedp", &allocated, &size, NULL, 0) != 0) return -1;
  }
  return (int64_t)*allocated;
}

// MARK: System calls

// The tracing process shares this with the traced thread.
struct counting {
  _Atomic int state;
  _Atomic int64_t calls;
};

enum { starting, running, ended, failed };

static struct counting *counting;
static pid_t tracer;

// The traced thread makes this call to say that the count ends: no other makes it so.
enum { mark = 0x51CE };

static void trace(pid_t thread, struct counting *shared) {
  if (ptrace(PTRACE_SEIZE, thread, 0, PTRACE_O_TRACESYSGOOD) < 0 || ptrace(PTRACE_INTERRUPT, thread, 0, 0) < 0) {
    atomic_store(&shared->calls, -errno);
    atomic_store(&shared->state, failed);
    _exit(1);
  }
  int64_t calls = 0;
  int is_inside = 0;
  for (int status; waitpid(thread, &status, __WALL) == thread;) {
    if (WIFEXITED(status) || WIFSIGNALED(status)) break;
    int signal = WSTOPSIG(status);
    if (signal == (SIGTRAP | 0x80)) {
      signal = 0;
      is_inside = !is_inside;
      struct __ptrace_syscall_info info;
      if (is_inside && ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) > 0) {
        if (info.op != PTRACE_SYSCALL_INFO_ENTRY) {
          // It was within a call when it was seized.
          is_inside = 0;
        } else if (info.entry.nr == SYS_close && (uint32_t)info.entry.args[0] == (uint32_t)-mark) {
          atomic_store(&shared->calls, calls);
          atomic_store(&shared->state, ended);
          ptrace(PTRACE_DETACH, thread, 0, 0);
          _exit(0);
        } else if (atomic_load(&shared->state) == running) {
          calls++;
        } else {
          // The calls of the beginning do not count.
          if (info.entry.nr == SYS_close && (uint32_t)info.entry.args[0] == (uint32_t)(-mark - 1)) {
            atomic_store(&shared->state, running);
          }
        }
      }
    } else if (status >> 16 == PTRACE_EVENT_STOP) {
      signal = 0;
    }
    ptrace(PTRACE_SYSCALL, thread, 0, signal);
  }
  _exit(1);
}

int bench_count_begin(void) {
  if (counting == NULL) {
    void *page = mmap(NULL, sizeof *counting, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return -errno;
    counting = page;
  }
  atomic_store(&counting->state, starting);
  atomic_store(&counting->calls, 0);
  pid_t thread = (pid_t)syscall(SYS_gettid);
  // Where only descendants may be traced.
  prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
  tracer = fork();
  if (tracer < 0) return -errno;
  if (tracer == 0) trace(thread, counting);
  // Seen by the tracer as soon as it traces; until then, it is only a wrong descriptor.
  while (atomic_load(&counting->state) == starting) syscall(SYS_close, -mark - 1);
  if (atomic_load(&counting->state) != failed) return 0;
  waitpid(tracer, NULL, 0);
  return (int)atomic_load(&counting->calls);
}

int64_t bench_count_end(void) {
  syscall(SYS_close, -mark);
  int status = 0;
  while (waitpid(tracer, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return -ECHILD;
  return atomic_load(&counting->calls);
}
