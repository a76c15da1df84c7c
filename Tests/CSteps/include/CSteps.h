#ifndef SLUICE_CSTEPS_H
#define SLUICE_CSTEPS_H

/// Has the calling thread's process killed with SIGKILL as it enters the thread's `call`-th system call from here on, by a
/// process that traces it: ptrace(2), PTRACE_SYSCALL. 1 is the next one.
///
/// 0, or a negated errno: EPERM where this system lets nobody trace.
int steps_die_at(long call);

#endif
