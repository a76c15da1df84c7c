import CSluice
import SystemPackage

/// A descriptor that becomes readable at a deadline. The corresponding C function is `timerfd_create`. Thread-safe.
public final class DeadlineTimer: Sendable {
  private let handle: Handle

  /// A timer without a deadline.
  public init() throws(SystemError) {
    handle = try Handle.owning("timerfd_create") { sluice_timer_create() }
  }

  /// Readable when the deadline has passed, until another one is set.
  public var descriptor: FileDescriptor { handle.descriptor }

  /// Sets the deadline, in place of an earlier one; `nil` for none. The corresponding C function is `timerfd_settime`.
  public func set(_ deadline: ContinuousClock.Instant?) {
    // Cannot fail with a timer's own descriptor and a time in range.
    _ = sluice_timer_set(handle.rawValue, Deadline.nanosecondsLeft(until: deadline))
  }
}
