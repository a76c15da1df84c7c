import CSluice
import Glibc
import SystemPackage

/// What a descriptor is ready for.
public struct IOEvents: OptionSet, Sendable, Hashable {
  /// The bits, those of `epoll_ctl`.
  public let rawValue: UInt32

  /// Makes a set of bits.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// There are bytes to read, a connection to accept, or the end of the stream.
  public static let readable = IOEvents(rawValue: SLUICE_EPOLLIN)
  /// There is room to write.
  public static let writable = IOEvents(rawValue: SLUICE_EPOLLOUT)
  /// The descriptor has failed. Reported without being asked for.
  public static let failed = IOEvents(rawValue: SLUICE_EPOLLERR)
  /// Both directions are closed. Reported without being asked for.
  public static let hungUp = IOEvents(rawValue: SLUICE_EPOLLHUP)
  /// The peer sends no more: it closed its end, or half of it.
  public static let peerFinished = IOEvents(rawValue: SLUICE_EPOLLRDHUP)
  /// A request, not an event: `Epoll` reports the descriptor once for each time that it becomes ready.
  public static let edgeTriggered = IOEvents(rawValue: SLUICE_EPOLLET)
}

/// Waiting of a thread for descriptors. The corresponding C function is `ppoll`.
public enum Poll {
  /// Blocks until `descriptor` is ready for one of `events`, has failed or is hung up.
  ///
  /// - Returns: What it is ready for; empty when the deadline passed first.
  public static func wait(
    for descriptor: FileDescriptor, _ events: IOEvents, deadline: ContinuousClock.Instant? = nil
  ) throws(SystemError) -> IOEvents {
    // The bits of poll(2) and epoll(7) are the same; asserted by a test.
    var entry = pollfd(fd: descriptor.rawValue, events: Int16(truncatingIfNeeded: events.rawValue), revents: 0)
    while true {
      let left = Deadline.nanosecondsLeft(until: deadline)
      // Sound: one entry, which lives for the call.
      let count = unsafe sluice_poll(&entry, 1, left)
      if count > 0 { return IOEvents(rawValue: UInt32(UInt16(bitPattern: entry.revents))) }
      if count == 0 && left == 0 { return [] }
      if count < 0 && count != -Errno.interrupted.rawValue {
        throw SystemError(operation: "ppoll", negated: count)
      }
    }
  }

  /// Whether `descriptor` is ready for one of `events`, now.
  public static func isReady(_ descriptor: FileDescriptor, _ events: IOEvents) throws(SystemError) -> Bool {
    // A deadline in the past asks once.
    !(try wait(for: descriptor, events, deadline: .now)).isEmpty
  }

  /// Blocks until one of two descriptors is ready, has failed or is hung up. Allocates nothing.
  ///
  /// - Returns: What each is ready for; both empty when the deadline passed first.
  public static func wait(
    for first: FileDescriptor, _ firstEvents: IOEvents, or second: FileDescriptor, _ secondEvents: IOEvents,
    deadline: ContinuousClock.Instant? = nil
  ) throws(SystemError) -> (first: IOEvents, second: IOEvents) {
    var entries: InlineArray<2, pollfd> = [
      pollfd(fd: first.rawValue, events: Int16(truncatingIfNeeded: firstEvents.rawValue), revents: 0),
      pollfd(fd: second.rawValue, events: Int16(truncatingIfNeeded: secondEvents.rawValue), revents: 0),
    ]
    while true {
      let left = Deadline.nanosecondsLeft(until: deadline)
      var span = entries.mutableSpan
      // Sound: two entries, which live for the call.
      let count = unsafe span.withUnsafeMutableBufferPointer { unsafe sluice_poll($0.baseAddress, $0.count, left) }
      if count > 0 || (count == 0 && left == 0) {
        return (
          IOEvents(rawValue: UInt32(UInt16(bitPattern: entries[0].revents))),
          IOEvents(rawValue: UInt32(UInt16(bitPattern: entries[1].revents)))
        )
      }
      if count < 0 && count != -Errno.interrupted.rawValue {
        throw SystemError(operation: "ppoll", negated: count)
      }
    }
  }

  /// Blocks until one of several descriptors is ready.
  ///
  /// - Returns: What each is ready for, in order; all empty when the deadline passed first.
  public static func wait(
    for entries: [(descriptor: FileDescriptor, events: IOEvents)], deadline: ContinuousClock.Instant? = nil
  ) throws(SystemError) -> [IOEvents] {
    var polled = entries.map { entry in
      pollfd(fd: entry.descriptor.rawValue, events: Int16(truncatingIfNeeded: entry.events.rawValue), revents: 0)
    }
    while true {
      let left = Deadline.nanosecondsLeft(until: deadline)
      // Sound: the array lives for the call, and its own count goes with it.
      let count = unsafe sluice_poll(&polled, polled.count, left)
      if count > 0 || (count == 0 && left == 0) {
        return polled.map { IOEvents(rawValue: UInt32(UInt16(bitPattern: $0.revents))) }
      }
      if count < 0 && count != -Errno.interrupted.rawValue {
        throw SystemError(operation: "ppoll", negated: count)
      }
    }
  }
}
