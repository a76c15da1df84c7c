// Tells the thread sanitizer of Swift's `Mutex`.
//
// A `Mutex` that nobody else wants is locked and unlocked by one atomic operation, which is compiled into the caller and so
// instrumented: the sanitizer sees what comes before what. One that is contended is handed over by the kernel, in two
// functions of the library that is not instrumented. They are defined here, in the program, where they come before the
// library's; each calls the library's and tells the sanitizer what the kernel did.

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

extern void __tsan_acquire(void *address);
extern void __tsan_release(void *address);

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

typedef __attribute__((swiftcall)) void lock_function(uint32_t thread, __attribute__((swift_context)) void *mutex);
typedef __attribute__((swiftcall)) void unlock_function(__attribute__((swift_context)) void *mutex);

static lock_function *library_lock;
static unlock_function *library_unlock;

// Before anything runs that could lock.
__attribute__((constructor)) static void find(void) {
  library_lock = (lock_function *)dlsym(RTLD_NEXT, LOCK);
  library_unlock = (unlock_function *)dlsym(RTLD_NEXT, UNLOCK);
  if (library_lock == NULL || library_unlock == NULL) abort();
}

__attribute__((swiftcall)) void sanitized_lock(uint32_t thread, __attribute__((swift_context)) void *mutex) __asm__(LOCK);
__attribute__((swiftcall)) void sanitized_unlock(__attribute__((swift_context)) void *mutex) __asm__(UNLOCK);

__attribute__((swiftcall)) void sanitized_lock(uint32_t thread, __attribute__((swift_context)) void *mutex) {
  library_lock(thread, mutex);
  __tsan_acquire(mutex);
}

__attribute__((swiftcall)) void sanitized_unlock(__attribute__((swift_context)) void *mutex) {
  __tsan_release(mutex);
  library_unlock(mutex);
}

#endif
#endif
