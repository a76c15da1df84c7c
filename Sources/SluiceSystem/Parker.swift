import Glibc
import Synchronization

/// Where a thread of this process sleeps until another one wakes it. Each thread has one, made at its first use.
///
/// One wake-up is kept for a thread that does not sleep yet, so none is lost: the thread's next ``park(deadline:)`` returns
/// at once. It may also return for an earlier reason: who parks checks again what it waits for.
@safe public final class Parker: Sendable, Equatable {
  /// One of the three below. On the heap, so that the kernel finds it at one address.
  private nonisolated(unsafe) let word = UnsafeMutablePointer<Atomic<UInt32>>.allocate(capacity: 1)

  /// Whether the thread sleeps on something else than this parker, so that who unparks it has to wake it there.
  ///
  /// It says in which of the thread's waits, 0 for none: who was about to wake it for one does not take the next for that.
  public let elsewhere = Atomic<UInt64>(0)
  private let waitCount = Atomic<UInt64>(0)

  private static let awake: UInt32 = 0
  /// There is a wake-up to take.
  private static let woken: UInt32 = 1
  private static let parked: UInt32 = 2

  private init() {
    // Sound: just allocated, and freed in `deinit` only.
    unsafe word.initialize(to: Atomic(Parker.awake))
  }

  deinit {
    unsafe word.deinitialize(count: 1)
    unsafe word.deallocate()
  }

  private static let key: pthread_key_t = {
    var key = pthread_key_t()
    let result = unsafe pthread_key_create(&key) { stored in
      guard let stored = unsafe stored else { return }
      unsafe Unmanaged<Parker>.fromOpaque(stored).release()
    }
    // Fails only where a process has used up its keys: there, nothing that blocks could work.
    precondition(result == 0, "pthread_key_create: no key left")
    return key
  }()

  /// The calling thread's. Costs some nanoseconds, but for the first time.
  public static var current: Parker {
    if let stored = unsafe pthread_getspecific(key) {
      // Sound: the thread keeps a reference until it ends.
      return unsafe Unmanaged<Parker>.fromOpaque(stored).takeUnretainedValue()
    }
    let made = Parker()
    unsafe pthread_setspecific(key, Unmanaged.passRetained(made).toOpaque())
    return made
  }

  /// Whether both are one thread's.
  public static func == (left: Parker, right: Parker) -> Bool { left === right }

  /// The number of the thread's next wait, from 1. Only on the parker's own thread.
  public func beginWait() -> UInt64 { waitCount.wrappingAdd(1, ordering: .relaxed).newValue }

  /// Sleeps until woken; takes a wake-up that came before. Only on the parker's own thread.
  ///
  /// - Returns: False when the deadline passed first.
  public func park(deadline: ContinuousClock.Instant?) -> Bool {
    while true {
      // Only this thread changes the word to anything but `woken`.
      if unsafe word.pointee.exchange(Parker.parked, ordering: .acquiringAndReleasing) == Parker.woken {
        unsafe word.pointee.store(Parker.awake, ordering: .relaxed)
        return true
      }
      // Sound: the word lives as long as this object; an atomic of 32 bits is laid out as the integer. The kernel compares
      // it and sleeps in one step.
      let outcome = try? unsafe Futex.wait(
        on: UnsafeRawPointer(word).assumingMemoryBound(to: UInt32.self), while: Parker.parked, deadline: deadline)
      if outcome == .timedOut {
        return unsafe word.pointee.exchange(Parker.awake, ordering: .acquiringAndReleasing) == Parker.woken
      }
    }
  }

  /// Wakes the thread, now or as soon as it parks. Any thread. A system call only if it sleeps.
  public func unpark() {
    guard unsafe word.pointee.exchange(Parker.woken, ordering: .acquiringAndReleasing) == Parker.parked else { return }
    _ = try? unsafe Futex.wake(UnsafeRawPointer(word).assumingMemoryBound(to: UInt32.self), count: 1)
  }
}
