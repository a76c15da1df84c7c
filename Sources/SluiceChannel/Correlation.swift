/// Which requests of a channel wait for their response. A pure value: no I/O, clock or lock.
///
/// Every waiter that goes in comes out exactly once: by ``resolve(_:)``, ``withdraw(_:)`` or ``end()``.
struct Correlation<Waiter> {
  /// Most requests that may wait at once.
  let limit: Int
  /// Responses that came after their request was withdrawn, or that answer nothing that was asked.
  private(set) var lateResponseCount: UInt64 = 0
  /// How many requests wait.
  private(set) var pendingCount = 0
  private var slots: [Slot] = []
  /// Slots without a waiter, the one freed last on top.
  private var freeSlots: [Int] = []
  private var hasEnded = false

  private struct Slot {
    /// Which request of this slot it is, from 1.
    var turn: UInt64 = 0
    var waiter: Waiter?
  }

  init(limit: Int) {
    self.limit = min(limit, 1 << Self.slotBitCount)
  }

  /// How many low bits of a request's number say its slot; the others say which of the slot's requests it is.
  private static var slotBitCount: Int { 16 }
  private static var largestTurn: UInt64 { Envelope.largestCorrelation >> UInt64(slotBitCount) }

  /// What became of an attempt to wait.
  enum Beginning {
    /// The request has this number.
    case began(UInt64)
    /// As many requests wait as may.
    case full
    /// The channel has ended.
    case ended
  }

  /// Books a request and gives it its number, which is never 0, and none's that still waits.
  mutating func begin(_ waiter: Waiter) -> Beginning {
    guard !hasEnded else { return .ended }
    guard pendingCount < limit else { return .full }
    let slot: Int
    if let free = freeSlots.popLast() {
      slot = free
    } else {
      slot = slots.count
      slots.append(Slot())
    }
    // Turns come round, after 16 million requests in this slot.
    slots[slot].turn = slots[slot].turn < Self.largestTurn ? slots[slot].turn + 1 : 1
    slots[slot].waiter = waiter
    pendingCount += 1
    return .began(slots[slot].turn << UInt64(Self.slotBitCount) | UInt64(slot))
  }

  /// A response came: who waits for it, or nil (counted) when nobody does.
  mutating func resolve(_ number: UInt64) -> Waiter? {
    if let waiter = withdraw(number) { return waiter }
    lateResponseCount += 1
    return nil
  }

  /// Who waits for a response that is one of several; nil (counted) when nobody does.
  mutating func waiter(_ number: UInt64) -> Waiter? {
    if let slot = slot(of: number), let waiter = slots[slot].waiter { return waiter }
    lateResponseCount += 1
    return nil
  }

  /// Where the request of this number waits, if it may.
  private func slot(of number: UInt64) -> Int? {
    let slot = Int(number & (1 << UInt64(Self.slotBitCount) - 1))
    return slot < slots.count && slots[slot].turn == number >> UInt64(Self.slotBitCount) ? slot : nil
  }

  /// The requester gave up, or could not send: its waiter, or nil when it has been resolved before.
  mutating func withdraw(_ number: UInt64) -> Waiter? {
    guard let slot = slot(of: number), let waiter = slots[slot].waiter.take() else { return nil }
    freeSlots.append(slot)
    pendingCount -= 1
    return waiter
  }

  /// Nothing will come any more: all that still wait. Later attempts to begin are refused.
  mutating func end() -> [Waiter] {
    hasEnded = true
    defer { (slots, freeSlots, pendingCount) = ([], [], 0) }
    return slots.compactMap(\.waiter)
  }
}
