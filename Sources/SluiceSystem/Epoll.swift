import CSluice
import SystemPackage

/// A set of descriptors to wait for, level-triggered unless asked otherwise. The corresponding C functions are those of `epoll`.
///
/// Descriptors may be added and removed from any thread while another one waits. A descriptor must be removed before it
/// is closed: while a duplicate of it lives, the kernel goes on reporting it.
public final class Epoll: Sendable {
  private let handle: Handle

  /// Makes an empty set. The corresponding C function is `epoll_create1`.
  public init() throws(SystemError) {
    handle = try Handle.owning("epoll_create1") { sluice_epoll_create() }
  }

  /// Readable when one of the set's descriptors is ready, so that sets nest.
  public var descriptor: FileDescriptor { handle.descriptor }

  /// Adds a descriptor; `token` comes back with its events. The corresponding C call is `epoll_ctl(EPOLL_CTL_ADD)`.
  ///
  /// - Throws: `EEXIST` when it is in the set already, `EPERM` for a regular file, `ENOSPC` at
  ///   `fs.epoll.max_user_watches`.
  public func add(_ descriptor: FileDescriptor, _ events: IOEvents, token: UInt64) throws(SystemError) {
    try control(SLUICE_EPOLL_CTL_ADD, descriptor, events, token)
  }

  /// Changes what to wait for. The corresponding C call is `epoll_ctl(EPOLL_CTL_MOD)`.
  public func modify(_ descriptor: FileDescriptor, _ events: IOEvents, token: UInt64) throws(SystemError) {
    try control(SLUICE_EPOLL_CTL_MOD, descriptor, events, token)
  }

  /// Removes a descriptor. The corresponding C call is `epoll_ctl(EPOLL_CTL_DEL)`.
  public func remove(_ descriptor: FileDescriptor) throws(SystemError) {
    try control(SLUICE_EPOLL_CTL_DEL, descriptor, [], 0)
  }

  private func control(
    _ operation: CInt, _ descriptor: FileDescriptor, _ events: IOEvents, _ token: UInt64
  ) throws(SystemError) {
    try systemCall("epoll_ctl", "descriptor \(descriptor.rawValue)") {
      sluice_epoll_control(handle.descriptor.rawValue, operation, descriptor.rawValue, events.rawValue, token)
    }
  }

  /// Blocks until a descriptor is ready or the deadline passes, then calls `body` for each one that is, at most 64 of
  /// them. The corresponding C function is `epoll_pwait2`.
  ///
  /// - Returns: How many there were; 0 at the deadline.
  @discardableResult
  public func wait(
    deadline: ContinuousClock.Instant? = nil, _ body: (_ token: UInt64, _ events: IOEvents) -> Void
  ) throws(SystemError) -> Int {
    var failure: CInt = 0
    // Sound: the buffer has the size the call demands, and the call fills what its result says.
    let found = unsafe withUnsafeTemporaryAllocation(
      of: sluice_epoll_event.self, capacity: Int(SLUICE_EPOLL_BATCH)
    ) { events in
      while true {
        let left = Deadline.nanosecondsLeft(until: deadline)
        let count = unsafe sluice_epoll_wait(handle.rawValue, events.baseAddress, left)
        if count > 0 {
          for index in 0..<Int(count) {
            let event = unsafe events[index]
            body(event.token, IOEvents(rawValue: event.events))
          }
          return Int(count)
        }
        if count == 0 && left == 0 { return 0 }
        if count < 0 && count != -Errno.interrupted.rawValue {
          failure = count
          return 0
        }
      }
    }
    if failure < 0 { throw SystemError(operation: "epoll_pwait2", negated: failure) }
    return found
  }
}
