import SluiceSystem
import Synchronization

/// How threads of this side wait for the peer's progress in one direction: frames to receive, or room to send.
///
/// **No wake-up is lost.** Who waits (1) announces it in its own page, then (2) looks for progress again, and sleeps
/// only if nothing has changed. Who makes progress (3) publishes it, then (4) looks at the announcement. All four
/// are sequentially consistent, so in their single order either 3 comes before 2, and the waiter sees the progress, or 1
/// comes before 4, and the other side sees the announcement (Dekker's argument).
///
/// **Nobody is woken twice.** Nobody but its owner writes an announcement, so the other side cannot take it back: it is a
/// generation instead, and the other side keeps privately which one it has served. That a generation was served must
/// therefore stick. An event counter does: it stays readable until it is reset, and each arming resets it first and then
/// takes a new generation. For a futex, the side that serves changes its wake word first. The waiter had loaded that word
/// before it announced, and the kernel compares it again: a wake-up that comes before the sleep prevents the sleep. While
/// the wake word stays the same, the announced generation is not served, and holds for later waits.
struct RingWaiting: ~Copyable, Sendable {
  /// The words of one direction: the first two are the peer's, the last one is ours.
  struct Words: Sendable {
    let ended: RingLayout.Word
    let wake: RingLayout.Word
    let sleep: RingLayout.Word

    static let frames = Words(ended: .sendingEnded, wake: .frameWake, sleep: .frameSleep)
    static let room = Words(ended: .receivingEnded, wake: .roomWake, sleep: .roomSleep)
  }

  struct Announced {
    var generation: UInt64 = 0
    var wakeValue: UInt32 = 0
  }

  private let own: OwnRingMemory
  private let peer: PeerRingMemory
  private let words: Words
  private let spinner: RingSpinner
  private let announced = Mutex(Announced())
  private let sleeperCount = Atomic<Int>(0)
  private let closed = Atomic<Bool>(false)

  init(_ own: OwnRingMemory, _ peer: PeerRingMemory, _ words: Words, _ spinner: consuming RingSpinner) {
    self.own = own
    self.peer = peer
    self.words = words
    self.spinner = spinner
  }

  /// Whether this side was closed by its owner.
  var isClosed: Bool {
    @inline(__always) get { closed.load(ordering: .sequentiallyConsistent) }
  }

  /// Waits until `hasProgressed` says that the peer has made progress, either side has ended, or the wait is interrupted;
  /// false when the deadline passed first.
  @inline(__always)
  func wait(
    deadline: ContinuousClock.Instant?, unless isInterrupted: () -> Bool = { false }, until hasProgressed: () -> Bool
  ) throws(TransportError) -> Bool {
    func isChanged() -> Bool { hasProgressed() || hasEnded || isInterrupted() }
    if spinner.spin(until: isChanged) { return true }
    return try sleep(deadline: deadline, unless: isInterrupted, until: isChanged)
  }

  /// Out of line, so that who finds progress at once does not pay for the deadline.
  @inline(never)
  private func sleep(
    deadline: ContinuousClock.Instant?, unless isInterrupted: () -> Bool, until isChanged: () -> Bool
  ) throws(TransportError) -> Bool {
    while true {
      let wakeValue = announce()
      if isChanged() { return true }
      let outcome: Futex.Outcome
      do {
        sleeperCount.add(1, ordering: .sequentiallyConsistent)
        defer { sleeperCount.subtract(1, ordering: .sequentiallyConsistent) }
        // Looked at after we are counted: who closes wakes as long as somebody is.
        if isClosed || isInterrupted() { return true }
        outcome = try peer.sleep(on: words.wake, while: wakeValue, deadline: deadline)
      } catch {
        throw .failed(error)
      }
      if isChanged() { return true }
      if outcome == .timedOut { return false }
      // A peer that changes the wake word again and again keeps nobody past the deadline.
      if let deadline, deadline <= .now { return false }
    }
  }

  /// Looks for a while, as `wait` does before it sleeps, whether there is progress or an end; false when there was none.
  func spin(until hasProgressed: () -> Bool) -> Bool {
    spinner.spin { hasProgressed() || hasEnded }
  }

  @inline(__always)
  private var hasEnded: Bool { peer.load(words.ended) != 0 || isClosed }

  /// Says that somebody is about to sleep on the peer's wake word; the value it must still have then.
  private func announce() -> UInt32 {
    announced.withLock { announced in
      let wakeValue = peer.loadWake(words.wake)
      if announced.generation == 0 || announced.wakeValue != wakeValue {
        announced.generation += 1
        announced.wakeValue = wakeValue
        own.store(words.sleep, announced.generation)
      }
      return wakeValue
    }
  }

  /// Wakes who sleeps now, once. Who has looked and not yet slept is not woken: see `close`.
  func wakeSleepers() { peer.wakeLocally(words.wake) }

  /// Ends all waits of this side, now and later; false when that was done before.
  func close() -> Bool {
    guard !closed.exchange(true, ordering: .sequentiallyConsistent) else { return false }
    // The word is the peer's, so we cannot change it: a thread that has looked and not yet slept is woken the next time.
    while sleeperCount.load(ordering: .sequentiallyConsistent) > 0 { peer.wakeLocally(words.wake) }
    return true
  }
}

/// Whom to wake after progress was published.
struct RingWakes: OptionSet {
  let rawValue: UInt8
  static let futex = RingWakes(rawValue: 1)
  static let event = RingWakes(rawValue: 2)
}

/// Which announcements of the peer were served: those of its blocking waiters, and those of its descriptor. Generation 0
/// asks for nothing.
struct RingServed {
  private var sleep: UInt64 = 0
  private var event: UInt64 = 0

  /// Whom to wake, given what is announced; it counts as served.
  @inline(__always)
  mutating func wakes(sleep: UInt64, event: UInt64) -> RingWakes {
    var wakes: RingWakes = []
    if sleep != self.sleep && sleep != 0 {
      self.sleep = sleep
      wakes.insert(.futex)
    }
    if event != self.event && event != 0 {
      self.event = event
      wakes.insert(.event)
    }
    return wakes
  }
}
