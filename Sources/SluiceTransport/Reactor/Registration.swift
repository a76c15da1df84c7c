import SluiceSystem
import Synchronization
import SystemPackage

/// A descriptor that a reactor watches. Lasts until it is cancelled; releasing it does not end it. Thread-safe.
///
/// The descriptor must stay open until then.
public final class Registration: Sendable {
  /// What is watched.
  public let descriptor: FileDescriptor
  private let reactor: Reactor
  private let isCancelled = Atomic<Bool>(false)
  // Held while the handler runs, so that `cancel` can wait for its end.
  private let running = Mutex<Void>(())

  init(_ reactor: Reactor, _ descriptor: FileDescriptor) {
    self.reactor = reactor
    self.descriptor = descriptor
  }

  /// Changes what to wait for; nothing pauses the registration. One system call, or none.
  public func update(_ events: IOEvents) throws(SystemError) {
    try reactor.withRegistrations { (table) throws(SystemError) in try table.update(self, events) }
  }

  /// Ends the registration, and releases the handler. Once this has returned, the handler does not run and will not, so
  /// what it uses can be torn down; only when called on the reactor's thread, the handler that calls it runs to its end.
  ///
  /// Elsewhere it waits for a handler that is running: do not hold a lock that the handler takes.
  public func cancel() {
    isCancelled.store(true, ordering: .sequentiallyConsistent)
    // Released at the end, when no lock is held.
    let handler = reactor.withRegistrations { table in table.remove(self) }
    defer { withExtendedLifetime(handler) {} }
    if !reactor.isCurrentThread { running.withLock { _ in } }
  }

  /// Runs the handler, on the reactor's thread.
  func run(_ handler: Reactor.Handler, _ events: IOEvents) {
    running.withLock { _ in
      if !isCancelled.load(ordering: .sequentiallyConsistent) { handler(events) }
    }
  }
}

/// An action that a reactor will run at a certain time. Releasing it does not cancel it. Thread-safe.
public final class ScheduledAction: Sendable {
  private let reactor: Reactor
  private let id: TimerHeap.ID

  init(_ reactor: Reactor, _ id: TimerHeap.ID) {
    self.reactor = reactor
    self.id = id
  }

  /// Cancels the action, and releases it.
  ///
  /// - Returns: Whether this prevented it; false when it has run, is running, or was cancelled before.
  @discardableResult
  public func cancel() -> Bool {
    reactor.cancelTimer(id)
  }
}
