#define _GNU_SOURCE
#include "CSluice.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

// The header gives numbers, so that it needs no feature macros. Here they are checked against the C library's.
#define SAME(ours, theirs) _Static_assert((ours) == (theirs), #ours)
SAME(SLUICE_MFD_CLOEXEC, MFD_CLOEXEC);
SAME(SLUICE_MFD_ALLOW_SEALING, MFD_ALLOW_SEALING);
#ifdef MFD_NOEXEC_SEAL
SAME(SLUICE_MFD_NOEXEC_SEAL, MFD_NOEXEC_SEAL);
#endif
SAME(SLUICE_F_SEAL_SEAL, F_SEAL_SEAL);
SAME(SLUICE_F_SEAL_SHRINK, F_SEAL_SHRINK);
SAME(SLUICE_F_SEAL_GROW, F_SEAL_GROW);
SAME(SLUICE_F_SEAL_WRITE, F_SEAL_WRITE);
SAME(SLUICE_F_SEAL_FUTURE_WRITE, F_SEAL_FUTURE_WRITE);
#ifdef F_SEAL_EXEC
SAME(SLUICE_F_SEAL_EXEC, F_SEAL_EXEC);
#endif
SAME(SLUICE_PROT_NONE, PROT_NONE);
SAME(SLUICE_PROT_READ, PROT_READ);
SAME(SLUICE_PROT_WRITE, PROT_WRITE);
SAME(SLUICE_MAP_SHARED, MAP_SHARED);
SAME(SLUICE_MAP_PRIVATE, MAP_PRIVATE);
SAME(SLUICE_MAP_FIXED, MAP_FIXED);
SAME(SLUICE_MAP_ANONYMOUS, MAP_ANONYMOUS);
SAME(SLUICE_MAP_NORESERVE, MAP_NORESERVE);
SAME(SLUICE_MAP_POPULATE, MAP_POPULATE);
SAME(SLUICE_MADV_WILLNEED, MADV_WILLNEED);
SAME(SLUICE_MADV_DONTNEED, MADV_DONTNEED);
SAME(SLUICE_MADV_FREE, MADV_FREE);
SAME(SLUICE_MADV_REMOVE, MADV_REMOVE);
SAME(SLUICE_MADV_DONTFORK, MADV_DONTFORK);
SAME(SLUICE_MADV_HUGEPAGE, MADV_HUGEPAGE);
SAME(SLUICE_MADV_DONTDUMP, MADV_DONTDUMP);
SAME(SLUICE_MADV_POPULATE_READ, MADV_POPULATE_READ);
SAME(SLUICE_MADV_POPULATE_WRITE, MADV_POPULATE_WRITE);
SAME(SLUICE_SOCKET_PATH_MAX, sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
SAME(SLUICE_IN_ATTRIB, IN_ATTRIB);
SAME(SLUICE_IN_MOVED_TO, IN_MOVED_TO);
SAME(SLUICE_IN_CREATE, IN_CREATE);
SAME(SLUICE_IN_DELETE_SELF, IN_DELETE_SELF);
SAME(SLUICE_IN_MOVE_SELF, IN_MOVE_SELF);
SAME(SLUICE_IN_ONLYDIR, IN_ONLYDIR);
SAME(SLUICE_EPOLLIN, EPOLLIN);
SAME(SLUICE_EPOLLOUT, EPOLLOUT);
SAME(SLUICE_EPOLLERR, EPOLLERR);
SAME(SLUICE_EPOLLHUP, EPOLLHUP);
SAME(SLUICE_EPOLLRDHUP, EPOLLRDHUP);
SAME(SLUICE_EPOLLET, EPOLLET);
SAME(SLUICE_EPOLL_CTL_ADD, EPOLL_CTL_ADD);
SAME(SLUICE_EPOLL_CTL_DEL, EPOLL_CTL_DEL);
SAME(SLUICE_EPOLL_CTL_MOD, EPOLL_CTL_MOD);

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif
#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

#define RESULT(call)                     \
  do {                                   \
    __typeof__(call) result_ = (call);   \
    return result_ < 0 ? -errno : result_; \
  } while (0)

static struct timespec *timeout(int64_t nanoseconds, struct timespec *storage) {
  if (nanoseconds < 0) return NULL;
  storage->tv_sec = nanoseconds / 1000000000;
  storage->tv_nsec = nanoseconds % 1000000000;
  return storage;
}

// MARK: Shared memory

int sluice_memfd_create(const char *name, unsigned int flags) { RESULT(memfd_create(name, flags)); }
int sluice_add_seals(int descriptor, int seals) { RESULT(fcntl(descriptor, F_ADD_SEALS, seals)); }
int sluice_get_seals(int descriptor) { RESULT(fcntl(descriptor, F_GET_SEALS)); }

int sluice_mmap(void *hint, size_t byte_count, int protection, int flags, int descriptor, int64_t offset,
                void **address) {
  void *mapped = mmap(hint, byte_count, protection, flags, descriptor, offset);
  if (mapped == MAP_FAILED) return -errno;
  *address = mapped;
  return 0;
}

int sluice_munmap(void *address, size_t byte_count) { RESULT(munmap(address, byte_count)); }
int sluice_mprotect(void *address, size_t byte_count, int protection) {
  RESULT(mprotect(address, byte_count, protection));
}
int sluice_madvise(void *address, size_t byte_count, int advice) { RESULT(madvise(address, byte_count, advice)); }
int sluice_ftruncate(int descriptor, int64_t byte_count) { RESULT(ftruncate(descriptor, byte_count)); }
int sluice_fallocate(int descriptor, int64_t offset, int64_t byte_count) {
  RESULT(fallocate(descriptor, 0, offset, byte_count));
}
int sluice_shm_open(const char *name, int flags, mode_t mode) { RESULT(shm_open(name, flags | O_CLOEXEC, mode)); }
int sluice_shm_unlink(const char *name) { RESULT(shm_unlink(name)); }

// MARK: Futex

int sluice_futex_wait(const uint32_t *word, uint32_t expected, int64_t nanoseconds) {
  struct timespec storage;
  RESULT((int)syscall(SYS_futex, word, FUTEX_WAIT, expected, timeout(nanoseconds, &storage), NULL, 0));
}

int sluice_futex_wake(const uint32_t *word, int count) {
  RESULT((int)syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0));
}

// MARK: Sockets

int sluice_socket(void) { RESULT(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }

int sluice_socket_pair(int descriptors[2]) {
  RESULT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, descriptors));
}

static int socket_address(const char *path, struct sockaddr_un *address) {
  size_t byte_count = strlen(path);
  if (byte_count > SLUICE_SOCKET_PATH_MAX) return -ENAMETOOLONG;
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, path, byte_count);
  return 0;
}

int sluice_socket_bind(int descriptor, const char *path) {
  struct sockaddr_un address;
  int error = socket_address(path, &address);
  if (error < 0) return error;
  RESULT(bind(descriptor, (struct sockaddr *)&address, sizeof address));
}

int sluice_socket_listen(int descriptor, int backlog) { RESULT(listen(descriptor, backlog)); }

int sluice_socket_connect(int descriptor, const char *path) {
  struct sockaddr_un address;
  int error = socket_address(path, &address);
  if (error < 0) return error;
  RESULT(connect(descriptor, (struct sockaddr *)&address, sizeof address));
}

int sluice_socket_accept(int descriptor) { RESULT(accept4(descriptor, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)); }
int sluice_socket_shutdown_sending(int descriptor) { RESULT(shutdown(descriptor, SHUT_WR)); }
int sluice_socket_shutdown(int descriptor) { RESULT(shutdown(descriptor, SHUT_RDWR)); }

static int socket_option(int descriptor, int option) {
  int value = 0;
  socklen_t byte_count = sizeof value;
  if (getsockopt(descriptor, SOL_SOCKET, option, &value, &byte_count) < 0) return -errno;
  return value;
}

ssize_t sluice_socket_send_now(int descriptor, const void *bytes, size_t byte_count) {
  RESULT(send(descriptor, bytes, byte_count, MSG_DONTWAIT | MSG_NOSIGNAL));
}

ssize_t sluice_socket_receive_now(int descriptor, void *bytes, size_t byte_count) {
  RESULT(recv(descriptor, bytes, byte_count, MSG_DONTWAIT));
}

int sluice_socket_take_error(int descriptor) { return socket_option(descriptor, SO_ERROR); }

int sluice_socket_peer_credentials(int descriptor, pid_t *pid, uid_t *uid, gid_t *gid) {
  struct ucred credentials;
  socklen_t byte_count = sizeof credentials;
  if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &byte_count) < 0) return -errno;
  *pid = credentials.pid;
  *uid = credentials.uid;
  *gid = credentials.gid;
  return 0;
}

int sluice_socket_peer_groups(int descriptor, gid_t *groups, size_t *count) {
  socklen_t byte_count = (socklen_t)(*count * sizeof *groups);
  if (getsockopt(descriptor, SOL_SOCKET, SO_PEERGROUPS, groups, &byte_count) < 0) return -errno;
  *count = byte_count / sizeof *groups;
  return 0;
}

int sluice_socket_peer_pidfd(int descriptor) { return socket_option(descriptor, SO_PEERPIDFD); }
int sluice_socket_is_stream(int descriptor) {
  int domain = socket_option(descriptor, SO_DOMAIN);
  if (domain < 0) return domain;
  return domain == AF_UNIX && socket_option(descriptor, SO_TYPE) == SOCK_STREAM &&
         socket_option(descriptor, SO_ACCEPTCONN) == 0;
}
int sluice_socket_get_send_buffer(int descriptor) { return socket_option(descriptor, SO_SNDBUF); }
int sluice_socket_set_send_buffer(int descriptor, int byte_count) {
  RESULT(setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &byte_count, sizeof byte_count));
}

static int set_timeout(int descriptor, int option, int64_t nanoseconds) {
  // Rounded up: 0 would mean no limit.
  int64_t microseconds = (nanoseconds + 999) / 1000;
  struct timeval value = {.tv_sec = microseconds / 1000000, .tv_usec = microseconds % 1000000};
  RESULT(setsockopt(descriptor, SOL_SOCKET, option, &value, sizeof value));
}

int sluice_socket_set_send_timeout(int descriptor, int64_t nanoseconds) {
  return set_timeout(descriptor, SO_SNDTIMEO, nanoseconds);
}

int sluice_socket_set_receive_timeout(int descriptor, int64_t nanoseconds) {
  return set_timeout(descriptor, SO_RCVTIMEO, nanoseconds);
}

int sluice_set_non_blocking(int descriptor, int non_blocking) {
  RESULT(fcntl(descriptor, F_SETFL, non_blocking ? O_NONBLOCK : 0));
}

union control {
  struct cmsghdr header;
  char bytes[CMSG_SPACE(SLUICE_SCM_MAX_FD * sizeof(int))];
};

ssize_t sluice_socket_send(int descriptor, const struct iovec *parts, size_t part_count, const int *handles,
                           size_t handle_count) {
  if (handle_count > SLUICE_SCM_MAX_FD) return -EINVAL;
  union control control;
  struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = part_count};
  if (handle_count > 0) {
    size_t byte_count = handle_count * sizeof(int);
    memset(&control, 0, CMSG_SPACE(byte_count));
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(byte_count);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(byte_count);
    memcpy(CMSG_DATA(header), handles, byte_count);
  }
  RESULT(sendmsg(descriptor, &message, MSG_NOSIGNAL | MSG_DONTWAIT));
}

ssize_t sluice_socket_receive(int descriptor, void *bytes, size_t byte_count, int blocking, int *handles,
                              size_t *handle_count, int *lost_handles) {
  union control control;
  struct iovec part = {.iov_base = bytes, .iov_len = byte_count};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  *handle_count = 0;
  *lost_handles = 0;
  ssize_t received = recvmsg(descriptor, &message, MSG_CMSG_CLOEXEC | (blocking ? 0 : MSG_DONTWAIT));
  if (received < 0) return -errno;
  *lost_handles = (message.msg_flags & MSG_CTRUNC) != 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    // The control buffer holds no more than SLUICE_SCM_MAX_FD and some padding; the kernel sends one such header.
    for (size_t i = 0; i < count; i++) {
      int handle;
      memcpy(&handle, CMSG_DATA(header) + i * sizeof(int), sizeof handle);
      if (*handle_count < SLUICE_SCM_MAX_FD) {
        handles[(*handle_count)++] = handle;
      } else {
        close(handle);
        *lost_handles = 1;
      }
    }
  }
  return received;
}

// MARK: Processes

int sluice_pidfd_open(pid_t pid) { RESULT((int)syscall(SYS_pidfd_open, pid, 0)); }
int sluice_pidfd_send_signal(int pidfd, int signal) {
  RESULT((int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0));
}

// MARK: Waiting

int sluice_eventfd(unsigned int initial) { RESULT(eventfd(initial, EFD_CLOEXEC | EFD_NONBLOCK)); }

ssize_t sluice_read_now(int descriptor, void *bytes, size_t byte_count) {
  struct iovec part = {.iov_base = bytes, .iov_len = byte_count};
  RESULT(preadv2(descriptor, &part, 1, -1, RWF_NOWAIT));
}
int sluice_timer_create(void) { RESULT(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)); }

int sluice_timer_set(int timer, int64_t nanoseconds) {
  struct itimerspec setting = {0};
  // All zero switches the timer off.
  if (nanoseconds == 0) nanoseconds = 1;
  if (nanoseconds > 0) {
    setting.it_value.tv_sec = nanoseconds / 1000000000;
    setting.it_value.tv_nsec = nanoseconds % 1000000000;
  }
  RESULT(timerfd_settime(timer, 0, &setting, NULL));
}

int sluice_epoll_create(void) { RESULT(epoll_create1(EPOLL_CLOEXEC)); }

int sluice_epoll_control(int epoll, int operation, int descriptor, uint32_t events, uint64_t token) {
  struct epoll_event event = {.events = events, .data.u64 = token};
  RESULT(epoll_ctl(epoll, operation, descriptor, &event));
}

int sluice_epoll_wait(int epoll, struct sluice_epoll_event *events, int64_t nanoseconds) {
  struct epoll_event found[SLUICE_EPOLL_BATCH];
  struct timespec storage;
  // By number: the C library has the function only since 2.35, the kernel since 5.11. 8: the kernel's sigset_t.
  int count = (int)syscall(SYS_epoll_pwait2, epoll, found, SLUICE_EPOLL_BATCH, timeout(nanoseconds, &storage), NULL, 8);
  if (count < 0) return -errno;
  for (int i = 0; i < count; i++) {
    events[i].token = found[i].data.u64;
    events[i].events = found[i].events;
  }
  return count;
}

int sluice_poll(struct pollfd *entries, size_t count, int64_t nanoseconds) {
  struct timespec storage;
  RESULT(ppoll(entries, count, timeout(nanoseconds, &storage), NULL));
}

// MARK: POSIX message queues

int sluice_mq_open(const char *name, int flags, mode_t mode, long message_count, long message_byte_count) {
  struct mq_attr attributes = {.mq_maxmsg = message_count, .mq_msgsize = message_byte_count};
  RESULT(mq_open(name, flags | O_CLOEXEC | O_NONBLOCK, mode, &attributes));
}

int sluice_mq_unlink(const char *name) { RESULT(mq_unlink(name)); }

int sluice_mq_attributes(int queue, long *message_count, long *message_byte_count, long *queued_count) {
  struct mq_attr attributes;
  if (mq_getattr(queue, &attributes) < 0) return -errno;
  *message_count = attributes.mq_maxmsg;
  *message_byte_count = attributes.mq_msgsize;
  *queued_count = attributes.mq_curmsgs;
  return 0;
}

int sluice_mq_send(int queue, const void *bytes, size_t byte_count, unsigned int priority) {
  const struct timespec past = {0, 0};
  RESULT(mq_timedsend(queue, bytes, byte_count, priority, &past));
}

ssize_t sluice_mq_receive(int queue, void *bytes, size_t byte_count, unsigned int *priority) {
  const struct timespec past = {0, 0};
  RESULT(mq_timedreceive(queue, bytes, byte_count, priority, &past));
}

ssize_t sluice_mq_receive_blocking(int queue, void *bytes, size_t byte_count, unsigned int *priority) {
  RESULT(mq_receive(queue, bytes, byte_count, priority));
}

// MARK: Files

int sluice_open(const char *path, int flags, mode_t mode) { RESULT(open(path, flags | O_CLOEXEC, mode)); }
int sluice_duplicate(int descriptor) { RESULT(fcntl(descriptor, F_DUPFD_CLOEXEC, 0)); }
int sluice_get_flags(int descriptor) { RESULT(fcntl(descriptor, F_GETFL)); }
int sluice_set_close_on_exec(int descriptor) { RESULT(fcntl(descriptor, F_SETFD, FD_CLOEXEC)); }

int sluice_lock_file(int descriptor) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  RESULT(fcntl(descriptor, F_SETLK, &lock));
}

int sluice_unlock_file(int descriptor) {
  struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
  RESULT(fcntl(descriptor, F_SETLK, &lock));
}

int sluice_lock_holder(int descriptor, pid_t *holder) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  if (fcntl(descriptor, F_GETLK, &lock) < 0) return -errno;
  *holder = lock.l_type == F_UNLCK ? 0 : lock.l_pid;
  return 0;
}

int sluice_lock_byte(int descriptor, int64_t offset) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1};
  RESULT(fcntl(descriptor, F_OFD_SETLK, &lock));
}

int sluice_is_byte_locked(int descriptor, int64_t offset) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1};
  if (fcntl(descriptor, F_OFD_GETLK, &lock) < 0) return -errno;
  return lock.l_type != F_UNLCK;
}

int sluice_mkdir(const char *path, mode_t mode) { RESULT(mkdir(path, mode)); }
int sluice_chmod(const char *path, mode_t mode) { RESULT(chmod(path, mode)); }
int sluice_change_group(const char *path, gid_t group) { RESULT(lchown(path, (uid_t)-1, group)); }
int sluice_unlink(const char *path) { RESULT(unlink(path)); }
int sluice_rmdir(const char *path) { RESULT(rmdir(path)); }
int sluice_rename(const char *from, const char *to) { RESULT(rename(from, to)); }
int sluice_openat(int directory, const char *name, int flags, mode_t mode) {
  RESULT(openat(directory, name, flags | O_CLOEXEC, mode));
}
int sluice_unlinkat(int directory, const char *name, int is_directory) {
  RESULT(unlinkat(directory, name, is_directory ? AT_REMOVEDIR : 0));
}
ssize_t sluice_readlinkat(int directory, const char *name, char *target, size_t byte_count) {
  RESULT(readlinkat(directory, name, target, byte_count));
}

// MARK: Watching directories

int sluice_inotify_create(void) { RESULT(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)); }
int sluice_inotify_watch(int inotify, const char *path, uint32_t events) {
  RESULT(inotify_add_watch(inotify, path, events));
}

// MARK: Threads

int sluice_name_thread(const char *name) { return -pthread_setname_np(pthread_self(), name); }

int sluice_allowed_cpu_count(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) < 0) return -errno;
  return CPU_COUNT(&set);
}

int sluice_allowed_cpu_count_with(pid_t process) {
  cpu_set_t own;
  cpu_set_t other;
  if (sched_getaffinity(0, sizeof own, &own) < 0) return -errno;
  if (sched_getaffinity(process, sizeof other, &other) < 0) return -errno;
  CPU_OR(&own, &own, &other);
  return CPU_COUNT(&own);
}

int sluice_pin_thread(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (cpu < 0 || cpu >= CPU_SETSIZE) return -EINVAL;
  CPU_SET(cpu, &set);
  RESULT(sched_setaffinity(0, sizeof set, &set));
}
