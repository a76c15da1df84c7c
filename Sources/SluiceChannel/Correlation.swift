/// Which requests of a channel wait for their response. A pure value: no I/O, clock or lock.
///
/// Every waiter that goes in comes out exactly once: by ``resolve(_:)``, ``withdraw(_:)`` or ``end()``.
struct Correlation<Waiter> {
  /// Most requests that may wait at once.
  let limit: Int
  /// Responses that came after their request was withdrawn, or that answer nothing that was asked.
  private(set) var lateResponseCount: UInt64 = 0
  private var waiters: [UInt64: Waiter] = [:]
  private var lastNumber: UInt64 = 0
  private var hasEnded = false

  init(limit: Int) {
    self.limit = limit
  }

  var pendingCount: Int { waiters.count }

  /// What became of an attempt to wait.
  enum Beginning {
    /// The request has this number.
    case began(UInt64)
    /// As many requests wait as may.
    case full
    /// The channel has ended.
    case ended
  }

  /// Books a request and gives it its number.
  mutating func begin(_ waiter: Waiter) -> Beginning {
    guard !hasEnded else { return .ended }
    guard waiters.count < limit else { return .full }
    // Numbers come round; one that still waits is skipped. There are many more of them than may wait.
    repeat {
      lastNumber = lastNumber < Envelope.largestCorrelation ? lastNumber + 1 : 1
    } while waiters[lastNumber] != nil
    waiters[lastNumber] = waiter
    return .began(lastNumber)
  }

  /// A response came: who waits for it, or nil (counted) when nobody does.
  mutating func resolve(_ number: UInt64) -> Waiter? {
    if let waiter = waiters.removeValue(forKey: number) { return waiter }
    lateResponseCount += 1
    return nil
  }

  /// Who waits for a response that is one of several; nil (counted) when nobody does.
  mutating func waiter(_ number: UInt64) -> Waiter? {
    if let waiter = waiters[number] { return waiter }
    lateResponseCount += 1
    return nil
  }

  /// The requester gave up, or could not send: its waiter, or nil when it has been resolved before.
  mutating func withdraw(_ number: UInt64) -> Waiter? {
    waiters.removeValue(forKey: number)
  }

  /// Nothing will come any more: all that still wait. Later attempts to begin are refused.
  mutating func end() -> [Waiter] {
    hasEnded = true
    defer { waiters = [:] }
    return Array(waiters.values)
  }
}
