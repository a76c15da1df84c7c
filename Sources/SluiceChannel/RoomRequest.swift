import SluiceMemory
import SluiceTransport
import SluiceWaiting

/// What somebody waits for who met the limit of an arena or of a borrower's leases.
package struct RoomRequest: Sendable {
  /// How a wait ended.
  package enum Outcome: Sendable {
    case room, timedOut, cancelled
    /// The session has ended: nothing is returned any more.
    case ended
  }

  /// Where memory is wanted.
  package let arena: Arena
  /// How much of it, in one piece; 0 for none.
  package let byteCount: Int
  /// To whom something is to be lent, if to anybody.
  package let borrower: Lender?
  /// Whose returns free memory of the arena.
  package let lenders: @Sendable () -> [Lender]
  package let hasEnded: @Sendable () -> Bool

  package init(
    in arena: Arena, byteCount: Int, borrower: Lender?, lenders: @escaping @Sendable () -> [Lender],
    hasEnded: @escaping @Sendable () -> Bool
  ) {
    self.arena = arena
    self.byteCount = byteCount
    self.borrower = borrower
    self.lenders = lenders
    self.hasEnded = hasEnded
  }

  /// Suspends until there is room. It is not kept for the caller: somebody else may be faster.
  package func wait(deadline: ContinuousClock.Instant?, reactor: Reactor) async -> Outcome {
    while true {
      if let outcome = attempt() { return outcome }
      let signal = OneShot<Outcome?>()
      let interest = register(signal)
      defer { interest.end() }
      if let outcome = attempt() { return outcome }
      let timer = deadline.map { reactor.schedule(at: $0) { signal.fulfill(.timedOut) } }
      defer { timer?.cancel() }
      if let outcome = await signal.wait(onCancel: .cancelled) { return outcome }
    }
  }

  /// As ``wait(deadline:reactor:)``, but blocks the thread. Not for the reactor's thread, which hears of returns.
  package func waitBlocking(deadline: ContinuousClock.Instant?) -> Outcome {
    while true {
      if let outcome = attempt() { return outcome }
      let signal = OneShot<Outcome?>()
      let interest = register(signal)
      defer { interest.end() }
      if let outcome = attempt() { return outcome }
      if let outcome = signal.waitBlocking(deadline: deadline, onTimeout: .timedOut) { return outcome }
    }
  }

  /// Nil: there is no room yet.
  private func attempt() -> Outcome? {
    if hasEnded() { return .ended }
    if let borrower, !borrower.hasRoom { return nil }
    guard byteCount > 0 else { return .room }
    for lender in lenders() { lender.drain() }
    do {
      let memory = unsafe try arena.allocate(byteCount: byteCount)
      // Sound: just allocated, and known to nobody else.
      if let base = memory.baseAddress { unsafe arena.deallocate(base) }
      return .room
    } catch {
      return nil
    }
  }

  /// Who will fulfill a signal, and is to be told when that is not needed any more.
  private struct Interest {
    let arena: Arena
    let inArena: WaitingForRoom
    let inLenders: [(Lender, WaitingForRoom)]

    func end() {
      arena.stopWaiting(inArena)
      for (lender, waiting) in inLenders { lender.stopWaiting(waiting) }
    }
  }

  private func register(_ signal: OneShot<Outcome?>) -> Interest {
    let inArena = arena.waitForRoom { signal.fulfill(nil) }
    return Interest(
      arena: arena, inArena: inArena,
      inLenders: lenders().map { ($0, $0.waitForReturn { signal.fulfill(nil) }) })
  }
}
