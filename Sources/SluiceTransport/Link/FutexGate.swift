import SluiceSystem
import Synchronization

/// A gate that threads of this process wait at, until it is opened, once.
@safe final class FutexGate: Sendable {
  /// 1 when open. On the heap, so that the kernel finds it at one address.
  private nonisolated(unsafe) let word = UnsafeMutablePointer<Atomic<UInt32>>.allocate(capacity: 1)

  init() {
    // Sound: just allocated, and freed in `deinit` only.
    unsafe word.initialize(to: Atomic(0))
  }

  deinit {
    unsafe word.deinitialize(count: 1)
    unsafe word.deallocate()
  }

  /// Lets everybody through, now and later.
  func open() {
    // Sound: the word lives as long as this object; an atomic of 32 bits is laid out as the integer.
    unsafe word.pointee.store(1, ordering: .releasing)
    _ = try? unsafe Futex.wake(UnsafeRawPointer(word).assumingMemoryBound(to: UInt32.self))
  }

  /// Blocks until the gate is open; false when the deadline passed first.
  func wait(deadline: ContinuousClock.Instant?) -> Bool {
    while unsafe word.pointee.load(ordering: .acquiring) == 0 {
      // Sound: as above. The kernel compares the word and sleeps in one step.
      let outcome = try? unsafe Futex.wait(
        on: UnsafeRawPointer(word).assumingMemoryBound(to: UInt32.self), while: 0, deadline: deadline)
      if outcome == .timedOut { return unsafe word.pointee.load(ordering: .acquiring) != 0 }
    }
    return true
  }
}
