// What Swift cannot call by itself on Linux: variadic functions, function-like macros, and calls that the C library's
// module does not show. No logic: one system call each.
//
// Every function returns the call's result, or the negated errno (-EINTR is left to the caller to retry), so that no
// Swift code runs between the call and the reading of errno. Every descriptor made here is close-on-exec.
#ifndef CSLUICE_H
#define CSLUICE_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

// MARK: Shared memory: memfd_create(2), fcntl(2) seals, mmap(2), madvise(2). Values checked in CSluice.c.

#define SLUICE_MFD_CLOEXEC 0x0001u
#define SLUICE_MFD_ALLOW_SEALING 0x0002u
#define SLUICE_MFD_NOEXEC_SEAL 0x0008u

#define SLUICE_F_SEAL_SEAL 0x0001
#define SLUICE_F_SEAL_SHRINK 0x0002
#define SLUICE_F_SEAL_GROW 0x0004
#define SLUICE_F_SEAL_WRITE 0x0008
#define SLUICE_F_SEAL_FUTURE_WRITE 0x0010
#define SLUICE_F_SEAL_EXEC 0x0020

#define SLUICE_PROT_NONE 0x0
#define SLUICE_PROT_READ 0x1
#define SLUICE_PROT_WRITE 0x2

#define SLUICE_MAP_SHARED 0x01
#define SLUICE_MAP_PRIVATE 0x02
#define SLUICE_MAP_FIXED 0x10
#define SLUICE_MAP_ANONYMOUS 0x20
#define SLUICE_MAP_NORESERVE 0x4000
#define SLUICE_MAP_POPULATE 0x8000

#define SLUICE_MADV_WILLNEED 3
#define SLUICE_MADV_DONTNEED 4
#define SLUICE_MADV_FREE 8
#define SLUICE_MADV_REMOVE 9
#define SLUICE_MADV_DONTFORK 10
#define SLUICE_MADV_HUGEPAGE 14
#define SLUICE_MADV_DONTDUMP 16
#define SLUICE_MADV_POPULATE_READ 22
#define SLUICE_MADV_POPULATE_WRITE 23

/// memfd_create(2).
int sluice_memfd_create(const char *name, unsigned int flags);
/// fcntl(2), F_ADD_SEALS.
int sluice_add_seals(int descriptor, int seals);
/// fcntl(2), F_GET_SEALS: the seals; -EINVAL if the descriptor cannot carry seals.
int sluice_get_seals(int descriptor);
/// mmap(2). The address goes to `address`; 0 on success.
int sluice_mmap(void *hint, size_t byte_count, int protection, int flags, int descriptor, int64_t offset,
                void **address);
/// munmap(2).
int sluice_munmap(void *address, size_t byte_count);
/// mprotect(2).
int sluice_mprotect(void *address, size_t byte_count, int protection);
/// madvise(2).
int sluice_madvise(void *address, size_t byte_count, int advice);
/// ftruncate(2).
int sluice_ftruncate(int descriptor, int64_t byte_count);
/// fallocate(2), mode 0: allocates the pages, so that a full tmpfs or cgroup says so now.
int sluice_fallocate(int descriptor, int64_t offset, int64_t byte_count);
/// shm_open(3) with O_CLOEXEC.
int sluice_shm_open(const char *name, int flags, mode_t mode);
/// shm_unlink(3).
int sluice_shm_unlink(const char *name);

// MARK: Futex: futex(2). Not FUTEX_PRIVATE: words lie in memory shared between processes; works on read-only mappings.

/// FUTEX_WAIT while `*word == expected`, at most `nanoseconds` (negative: without a limit).
/// 0 when woken, -EAGAIN when the value differs, -ETIMEDOUT, -EINTR.
int sluice_futex_wait(const uint32_t *word, uint32_t expected, int64_t nanoseconds);
/// FUTEX_WAKE of at most `count` waiters; how many were woken.
int sluice_futex_wake(const uint32_t *word, int count);

// MARK: Sockets: unix(7). All non-blocking, never SIGPIPE.

/// How many descriptors one message may carry: SCM_MAX_FD of the kernel.
#define SLUICE_SCM_MAX_FD 253
/// The longest path of a socket, without its terminating zero: sizeof(sun_path) - 1.
#define SLUICE_SOCKET_PATH_MAX 107

/// socket(2): AF_UNIX, SOCK_STREAM.
int sluice_socket(void);
/// socketpair(2): AF_UNIX, SOCK_STREAM.
int sluice_socket_pair(int descriptors[2]);
/// bind(2) to a path; -ENAMETOOLONG above SLUICE_SOCKET_PATH_MAX bytes.
int sluice_socket_bind(int descriptor, const char *path);
/// listen(2).
int sluice_socket_listen(int descriptor, int backlog);
/// connect(2) to a path; -ENAMETOOLONG above SLUICE_SOCKET_PATH_MAX bytes.
int sluice_socket_connect(int descriptor, const char *path);
/// accept4(2).
int sluice_socket_accept(int descriptor);
/// shutdown(2), SHUT_WR.
int sluice_socket_shutdown_sending(int descriptor);
/// shutdown(2), SHUT_RDWR.
int sluice_socket_shutdown(int descriptor);
/// send(2) with MSG_DONTWAIT | MSG_NOSIGNAL: never blocks, whatever flags the descriptor has.
ssize_t sluice_socket_send_now(int descriptor, const void *bytes, size_t byte_count);
/// recv(2) with MSG_DONTWAIT.
ssize_t sluice_socket_receive_now(int descriptor, void *bytes, size_t byte_count);
/// getsockopt(2), SO_ERROR: the pending error's errno, positive, or 0.
int sluice_socket_take_error(int descriptor);
/// getsockopt(2), SO_PEERCRED.
int sluice_socket_peer_credentials(int descriptor, pid_t *pid, uid_t *uid, gid_t *gid);
/// getsockopt(2), SO_PEERGROUPS: the supplementary groups. `*count` says how many `groups` can hold, then how many there
/// are; -ERANGE when they are more.
int sluice_socket_peer_groups(int descriptor, gid_t *groups, size_t *count);
/// getsockopt(2), SO_PEERPIDFD (Linux 6.5; 77, which Debian 12's headers lack): a new pidfd.
int sluice_socket_peer_pidfd(int descriptor);
/// getsockopt(2) and setsockopt(2), SO_SNDBUF; the kernel doubles what it is given.
int sluice_socket_get_send_buffer(int descriptor);
int sluice_socket_set_send_buffer(int descriptor, int byte_count);
/// getsockopt(2), SO_DOMAIN, SO_TYPE and SO_ACCEPTCONN: 1 for a Unix stream socket that does not listen, else 0.
int sluice_socket_is_stream(int descriptor);
/// setsockopt(2), SO_SNDTIMEO: how long connect(2) may block; 0 for ever.
int sluice_socket_set_send_timeout(int descriptor, int64_t nanoseconds);
/// setsockopt(2), SO_RCVTIMEO: how long recvmsg(2) may block; 0 for ever.
int sluice_socket_set_receive_timeout(int descriptor, int64_t nanoseconds);
/// fcntl(2), F_SETFL: O_NONBLOCK.
int sluice_set_non_blocking(int descriptor, int non_blocking);
/// sendmsg(2) with MSG_NOSIGNAL and MSG_DONTWAIT; `handles` go with the first byte (SCM_RIGHTS). Bytes sent.
ssize_t sluice_socket_send(int descriptor, const struct iovec *parts, size_t part_count, const int *handles,
                           size_t handle_count);
/// recvmsg(2) with MSG_CMSG_CLOEXEC, and with MSG_DONTWAIT unless `blocking` (and the descriptor blocks). Bytes received,
/// 0 at the end of the stream. `handles` must hold SLUICE_SCM_MAX_FD; `*handle_count` says how many came. `*lost_handles`
/// becomes 1 when some were lost (MSG_CTRUNC: no room in this process's descriptor table; the kernel closed them), else 0.
ssize_t sluice_socket_receive(int descriptor, void *bytes, size_t byte_count, int blocking, int *handles,
                              size_t *handle_count, int *lost_handles);

// MARK: Processes: pidfd_open(2), pidfd_send_signal(2).

int sluice_pidfd_open(pid_t pid);
int sluice_pidfd_send_signal(int pidfd, int signal);

// MARK: Waiting: eventfd(2), epoll(7), ppoll(2).

/// eventfd(2), non-blocking.
int sluice_eventfd(unsigned int initial);
/// preadv2(2) with RWF_NOWAIT: reads without blocking even if another process, which shares the open file, has cleared
/// its O_NONBLOCK.
ssize_t sluice_read_now(int descriptor, void *bytes, size_t byte_count);

#define SLUICE_EPOLLIN 0x001u
#define SLUICE_EPOLLOUT 0x004u
#define SLUICE_EPOLLERR 0x008u
#define SLUICE_EPOLLHUP 0x010u
#define SLUICE_EPOLLRDHUP 0x2000u
#define SLUICE_EPOLLET 0x80000000u
#define SLUICE_EPOLL_CTL_ADD 1
#define SLUICE_EPOLL_CTL_DEL 2
#define SLUICE_EPOLL_CTL_MOD 3
/// How many events one call of sluice_epoll_wait can report.
#define SLUICE_EPOLL_BATCH 64

struct sluice_epoll_event {
  uint64_t token;
  uint32_t events;
};
/// timerfd_create(2) on the clock that also counts while the machine is suspended.
int sluice_timer_create(void);
/// timerfd_settime(2): expires once, in so many nanoseconds; negative: never.
int sluice_timer_set(int timer, int64_t nanoseconds);
/// epoll_create1(2).
int sluice_epoll_create(void);
/// epoll_ctl(2).
int sluice_epoll_control(int epoll, int operation, int descriptor, uint32_t events, uint64_t token);
/// epoll_pwait2(2), at most `nanoseconds` (negative: without a limit). `events` must hold SLUICE_EPOLL_BATCH.
int sluice_epoll_wait(int epoll, struct sluice_epoll_event *events, int64_t nanoseconds);
/// ppoll(2), at most `nanoseconds` (negative: without a limit).
int sluice_poll(struct pollfd *entries, size_t count, int64_t nanoseconds);

// MARK: POSIX message queues: mq_overview(7). On Linux a queue is a descriptor.

/// mq_open(3) with O_CLOEXEC | O_NONBLOCK; the last two count only with O_CREAT.
int sluice_mq_open(const char *name, int flags, mode_t mode, long message_count, long message_byte_count);
/// mq_unlink(3).
int sluice_mq_unlink(const char *name);
/// mq_getattr(3).
int sluice_mq_attributes(int queue, long *message_count, long *message_byte_count, long *queued_count);
/// mq_timedsend(3) with a deadline long past: never blocks, even if another process, which shares the open queue, has
/// cleared its O_NONBLOCK. -EAGAIN or -ETIMEDOUT when there is no room.
int sluice_mq_send(int queue, const void *bytes, size_t byte_count, unsigned int priority);
/// mq_timedreceive(3), likewise: the message's byte count. `bytes` must hold the queue's message size.
ssize_t sluice_mq_receive(int queue, void *bytes, size_t byte_count, unsigned int *priority);
/// mq_receive(3): blocks if the descriptor does.
ssize_t sluice_mq_receive_blocking(int queue, void *bytes, size_t byte_count, unsigned int *priority);

// MARK: Files.

/// open(2) with O_CLOEXEC, at a path.
int sluice_open(const char *path, int flags, mode_t mode);
/// fcntl(2), F_DUPFD_CLOEXEC.
int sluice_duplicate(int descriptor);
/// fcntl(2), F_GETFL.
int sluice_get_flags(int descriptor);
/// fcntl(2): sets FD_CLOEXEC.
int sluice_set_close_on_exec(int descriptor);
/// fcntl(2), F_SETLK: a write lock on the whole file.
int sluice_lock_file(int descriptor);
/// fcntl(2), F_GETLK: the pid of who holds the lock that sluice_lock_file asks for, 0 if nobody does.
int sluice_lock_holder(int descriptor, pid_t *holder);
/// fcntl(2), F_SETLK: gives that lock back.
int sluice_unlock_file(int descriptor);
/// fcntl(2), F_OFD_SETLK: a write lock on one byte, owned by the open file; -EAGAIN when another has it.
int sluice_lock_byte(int descriptor, int64_t offset);
/// fcntl(2), F_OFD_GETLK: 1 if another open file has a lock on that byte, else 0.
int sluice_is_byte_locked(int descriptor, int64_t offset);
/// mkdir(2), chmod(2), unlink(2), rmdir(2), rename(2).
int sluice_mkdir(const char *path, mode_t mode);
int sluice_chmod(const char *path, mode_t mode);
/// chown(2) of the group only; does not follow a symbolic link.
int sluice_change_group(const char *path, gid_t group);
int sluice_unlink(const char *path);
int sluice_rmdir(const char *path);
int sluice_rename(const char *from, const char *to);
/// openat(2) with O_CLOEXEC, relative to a directory.
int sluice_openat(int directory, const char *name, int flags, mode_t mode);
/// unlinkat(2): removes a file, or with `is_directory` an empty directory.
int sluice_unlinkat(int directory, const char *name, int is_directory);
/// readlinkat(2): the byte count of the target, without a terminating zero.
ssize_t sluice_readlinkat(int directory, const char *name, char *target, size_t byte_count);

// MARK: Watching directories: inotify(7).

#define SLUICE_IN_ATTRIB 0x00000004u
#define SLUICE_IN_MOVED_TO 0x00000080u
#define SLUICE_IN_CREATE 0x00000100u
#define SLUICE_IN_DELETE_SELF 0x00000400u
#define SLUICE_IN_MOVE_SELF 0x00000800u
#define SLUICE_IN_ONLYDIR 0x01000000u

/// inotify_init1(2), non-blocking.
int sluice_inotify_create(void);
/// inotify_add_watch(2).
int sluice_inotify_watch(int inotify, const char *path, uint32_t events);

// MARK: Threads.

/// pthread_setname_np(3) of the calling thread; longer names than 15 bytes are -ERANGE.
int sluice_name_thread(const char *name);
/// sched_getaffinity(2): on how many CPUs this thread may run.
int sluice_allowed_cpu_count(void);
/// The same, together with those that a process's first thread may run on.
int sluice_allowed_cpu_count_with(pid_t process);
/// sched_setaffinity(2): lets this thread run on one CPU only, the one with that number; -EINVAL when it may not.
int sluice_pin_thread(int cpu);
/// The processor's hint that this thread spins.
static inline void sluice_spin_hint(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

#endif
