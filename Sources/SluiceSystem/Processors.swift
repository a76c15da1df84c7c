import CSluice
import Glibc

/// The processors that threads run on.
public enum Processors {
  /// On how many processors the calling thread may run now, at least 1. The corresponding C function is
  /// `sched_getaffinity`.
  public static var allowedCount: Int { max(1, Int(sluice_allowed_cpu_count())) }

  /// On how many processors the calling thread and another process may run together. Where the other is not known, or has
  /// died, as above.
  public static func allowedCount(with process: pid_t?) -> Int {
    let together = process.map { Int(sluice_allowed_cpu_count_with($0)) } ?? 0
    return together > 0 ? together : allowedCount
  }

  /// Lets the calling thread, and those that it starts, run on one processor only. The corresponding C function is
  /// `sched_setaffinity`.
  ///
  /// - Throws: `EINVAL` when there is no processor of that number, or this process may not use it.
  public static func pinThread(to number: Int) throws(SystemError) {
    try systemCall("sched_setaffinity", "processor \(number)") { sluice_pin_thread(CInt(clamping: number)) }
  }

  /// Tells the processor that this thread spins, so that it saves power and leaves room to its sibling.
  @inlinable @inline(__always)
  public static func spinHint() { sluice_spin_hint() }

  /// Puts the calling thread to sleep for a moment, of a few microseconds up to a few milliseconds: for who waits for a
  /// thread that is about to finish, and has no event for it. Unlike a yield, it lets a thread of any priority go on. A
  /// signal may end it early. The corresponding C function is `usleep`.
  public static func rest(microseconds: UInt32) { usleep(microseconds) }
}
