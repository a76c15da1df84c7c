import SluiceSystem
import Synchronization

/// Mutual exclusion between processes, in four bytes of a ``ReadWriteArena``. It survives the death of its holder.
///
/// The word holds who has the mutex (``Participants``), so that a waiter can prove that they are dead, and take it over: then
/// ``Acquisition/previousOwnerDied`` says so, and the new holder decides what to make of the data: mend it and unlock, or
/// ``abandon()`` it. A waiter sleeps on the word, for 2 ms at first and at most 50 ms at a time: so a holder that dies at any
/// instruction, also between unlocking and waking, delays others by no more. An orderly unlock wakes one at once.
///
/// Why it naps, and is not told of the death: the kernel tells only of threads, by their number in one pid namespace (robust
/// lists, `FUTEX_LOCK_PI`), and so of a thread that ended while its process goes on, not of a process that merely left, and of
/// nobody in another namespace; robust lists have links in memory that others write, which this process would follow. A pidfd
/// tells of the holder that a waiter knew, while others have become it since. A look at 20 words a second, by who waits
/// anyway, misses none of these.
///
/// A mutex is held by a process: another of its threads that wants it waits, and so would the same thread, for ever. Not
/// recursive, not fair. Uncontended, locking and unlocking are an atomic instruction each.
///
/// | bits | field |
/// |---|---|
/// | 0 to 29 | the holder; 0 for none |
/// | 30 | abandoned |
/// | 31 | somebody may be sleeping |
public struct SharedMutex: Sendable {
  /// How a mutex was acquired.
  public enum Acquisition: Sendable, Hashable {
    /// In order.
    case orderly
    /// Who held it died: what it protects may be half written. Mend it, then unlock; or ``SharedMutex/abandon()`` it.
    case previousOwnerDied
  }

  private static let abandonedBit: UInt32 = 1 << 30
  private static let sleepersBit: UInt32 = 1 << 31
  /// How long a waiter sleeps before it asks after the holder: first, and at most, in nanoseconds.
  private static let naps: (first: Int64, longest: Int64) = (2_000_000, 50_000_000)

  private let word: SharedAtomic<UInt32>
  private var own: UInt32 { word.arena.participants.own.bits }

  init(_ word: SharedAtomic<UInt32>) { self.word = word }

  /// Waits for the mutex.
  ///
  /// - Parameter timeout: How long to wait; nil for as long as its holder lives.
  /// - Throws: ``ReadWriteError/timedOut``, ``ReadWriteError/abandoned``, ``ReadWriteError/system(_:)``.
  public func lock(timeout: Duration? = nil) throws(ReadWriteError) -> Acquisition {
    if word.compareExchange(expected: 0, desired: own).exchanged { return .orderly }
    let deadline = timeout.map { ContinuousClock.Instant.now.advanced(by: $0) }
    var nap = Self.naps.first
    var asksAfterHolder = false
    while true {
      // Who has waited cannot know that nobody else does.
      if let acquisition = try attempt(leaving: Self.sleepersBit, asksAfterHolder: asksAfterHolder) {
        return acquisition
      }
      let now = word.load()
      guard now & Participants.ID.mask != 0 else { continue }
      guard
        now & Self.sleepersBit != 0
          || word.compareExchange(expected: now, desired: now | Self.sleepersBit).exchanged
      else { continue }
      switch try sleep(while: now | Self.sleepersBit, nanoseconds: nap, deadline: deadline) {
      case .deadlinePassed: throw .timedOut
      case .napOver:
        asksAfterHolder = true
        nap = min(nap * 2, Self.naps.longest)
      case .changed: asksAfterHolder = false
      }
    }
  }

  /// Takes the mutex if it is free, or its holder is dead; nil if not.
  ///
  /// - Throws: ``ReadWriteError/abandoned``, ``ReadWriteError/system(_:)``.
  public func tryLock() throws(ReadWriteError) -> Acquisition? {
    try attempt(leaving: 0, asksAfterHolder: true)
  }

  /// Lets go of the mutex.
  ///
  /// - Throws: ``ReadWriteError/notHeld``.
  public func unlock() throws(ReadWriteError) {
    try release(to: 0)
  }

  /// Lets go of the mutex for good: what it protects is unusable. Who waits for it, or wants it ever after, gets
  /// ``ReadWriteError/abandoned``.
  ///
  /// - Throws: ``ReadWriteError/notHeld``.
  public func abandon() throws(ReadWriteError) {
    try release(to: Self.abandonedBit)
  }

  /// Calls `body` with the mutex held, and lets go of it, also when `body` throws. `body` learns whether the previous owner
  /// died, and may abandon the mutex.
  public func withLock<Result>(
    timeout: Duration? = nil, _ body: (Acquisition) throws -> Result
  ) throws -> Result {
    let acquisition = try lock(timeout: timeout)
    defer {
      // Not held any more only if `body` abandoned it, or another process spoiled the word.
      try? unlock()
    }
    return try body(acquisition)
  }

  // MARK: The word

  /// Takes the mutex if it can be had now.
  private func attempt(leaving sleepers: UInt32, asksAfterHolder: Bool) throws(ReadWriteError) -> Acquisition? {
    let now = word.load()
    guard now & Self.abandonedBit == 0 else { throw .abandoned }
    let holder = now & Participants.ID.mask
    let desired = own | sleepers | now & Self.sleepersBit
    if holder == 0 {
      return word.compareExchange(expected: now, desired: desired).exchanged ? .orderly : nil
    }
    guard asksAfterHolder, try word.arena.participants.isGone(Participants.ID(bits: holder)) else { return nil }
    // One of those who found the holder dead gets it.
    return word.compareExchange(expected: now, desired: desired).exchanged ? .previousOwnerDied : nil
  }

  private func release(to released: UInt32) throws(ReadWriteError) {
    var now = word.load()
    while true {
      guard now & Participants.ID.mask == own else { throw .notHeld }
      let (exchanged, original) = word.compareExchange(expected: now, desired: released)
      if exchanged { break }
      now = original
    }
    guard now & Self.sleepersBit != 0 else { return }
    do {
      // Everybody, when there is nothing to wait for any more. Sound: the word stays mapped with the arena.
      unsafe try Futex.wake(futex, count: released == 0 ? 1 : .max)
    } catch {
      throw .system(error)
    }
  }

  private enum Awakening { case changed, napOver, deadlinePassed }

  private func sleep(
    while expected: UInt32, nanoseconds: Int64, deadline: ContinuousClock.Instant?
  ) throws(ReadWriteError) -> Awakening {
    let napEnd = ContinuousClock.now.advanced(by: .nanoseconds(nanoseconds))
    let end = deadline.map { min($0, napEnd) } ?? napEnd
    do {
      // Sound: the word stays mapped with the arena.
      switch unsafe try Futex.wait(on: futex, while: expected, deadline: end) {
      case .woken, .valueChanged: return .changed
      case .timedOut: return end == deadline ? .deadlinePassed : .napOver
      }
    } catch {
      throw .system(error)
    }
  }

  @unsafe private var futex: UnsafePointer<UInt32> {
    unsafe UnsafePointer(word.word.assumingMemoryBound(to: UInt32.self))
  }
}
