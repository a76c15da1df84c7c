import SluiceSystem
import SystemPackage

// A reactor inside of a loop of the program's own.
extension Reactor {
  /// Makes a reactor without a thread, for programs that have a loop already: when ``descriptor`` is readable, call
  /// ``process()``. Sessions with such a reactor (`SessionOptions.reactor`) do all their work in there, suspended tasks that
  /// prefer it as their executor included.
  ///
  /// On the loop's thread, only calls that suspend make sense: one that blocks would wait for what its thread should do.
  /// Other threads may block.
  /// - Throws: `EMFILE` without three descriptors.
  public static func driven() throws(SystemError) -> Reactor {
    try Reactor(spinning: .off, timer: try DeadlineTimer())
  }

  /// Readable when there is something to process. For a reactor that was made by ``driven()``.
  public var descriptor: FileDescriptor { epoll.descriptor }

  /// Handles what is ready, and returns: at most one round of descriptors, deadlines, and a bounded amount of work; if there
  /// is more, ``descriptor`` stays readable. On one thread at a time, and not within itself. Does nothing for a reactor with
  /// a thread.
  public func process() {
    guard let timer, !isCurrentThread else { return }
    turn(timer)
  }
}
