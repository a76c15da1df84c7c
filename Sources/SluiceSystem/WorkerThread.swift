import CSluice
import Glibc
import SystemPackage

/// A thread of the library's own. The corresponding C functions are those of `pthread`.
public final class WorkerThread: @unchecked Sendable {
  // Written once, by `init`, before anybody else sees the object. A pthread_t is a number that identifies the thread.
  private let thread: pthread_t

  private final class Start: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }

  /// Starts a thread. It runs `body`, then ends; it must be joined or detached.
  ///
  /// - Parameter name: For debuggers and `ps`; cut to 15 bytes.
  /// - Throws: `EAGAIN` at a limit of threads.
  public init(name: String, body: @escaping @Sendable () -> Void) throws(SystemError) {
    var created = pthread_t()
    // Sound: the thread takes the retained object over, and only if there is a thread.
    let start = unsafe Unmanaged.passRetained(Start(name: name, body: body))
    let result = unsafe pthread_create(&created, nil, WorkerThread.run, start.toOpaque())
    guard result == 0 else {
      unsafe start.release()
      throw SystemError(operation: "pthread_create", errno: Errno(rawValue: result), detail: name)
    }
    thread = created
  }

  // Static and nonisolated: a closure that inherited the isolation of top-level code would trap on this thread.
  private static let run: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
    guard let argument = unsafe argument else { return nil }
    let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
    _ = unsafe String(decoding: start.name.utf8.prefix(15), as: UTF8.self).withCString { unsafe sluice_name_thread($0) }
    start.body()
    return nil
  }

  /// Identifies the calling thread, as long as it lives. Never 0.
  public static var currentIdentifier: UInt { UInt(pthread_self()) }

  /// Lets other threads run on the caller's processor first. The corresponding C function is `sched_yield`.
  public static func yield() { sched_yield() }

  /// Whether the caller runs on this thread.
  public var isCurrent: Bool { pthread_equal(pthread_self(), thread) != 0 }

  /// Waits for the thread's end, and frees it. Once only, and not from the thread itself.
  public func join() {
    pthread_join(thread, nil)
  }

  /// Lets the thread free itself at its end. Instead of `join`, once only.
  public func detach() {
    pthread_detach(thread)
  }
}
