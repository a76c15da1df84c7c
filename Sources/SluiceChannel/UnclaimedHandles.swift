import SluiceSystem

/// The handles that came ahead of the envelopes that claim them. A pure value: no I/O, clock or lock.
///
/// They fill this process's descriptor table, so there are never more than ``HandleCredits/limit``. The other end is told,
/// a batch at a time, how many wait no more: claimed, withdrawn, or closed because the link of their envelope has ended.
struct UnclaimedHandles {
  private struct Arrival {
    let handles: [Handle]
    let lane: UInt32
  }

  private var arrivals: [UInt32: Arrival] = [:]
  /// How many wait.
  private(set) var count = 0
  /// How many wait no more, in all.
  private var settled: UInt64 = 0
  /// As far as the other end was told.
  private var told: UInt64 = 0

  /// Takes the handles of one message; false when the other end broke the rules with them.
  ///
  /// - Parameter lane: The one whose own link the envelope comes on; 0 for the session's.
  mutating func arrived(_ handles: [Handle], ticket: UInt32, lane: UInt32) -> Bool {
    guard !handles.isEmpty, count + handles.count <= HandleCredits.limit, arrivals[ticket] == nil else { return false }
    arrivals[ticket] = Arrival(handles: handles, lane: lane)
    count += handles.count
    return true
  }

  /// Whether handles wait under that ticket.
  func hasArrived(_ ticket: UInt32) -> Bool { arrivals[ticket] != nil }

  /// Those that waited under that ticket, which do so no more; nil for none.
  mutating func take(_ ticket: UInt32) -> [Handle]? {
    guard let arrival = arrivals.removeValue(forKey: ticket) else { return nil }
    count -= arrival.handles.count
    settled &+= UInt64(arrival.handles.count)
    return arrival.handles
  }

  /// Those whose envelopes would have come on the link of `lane`, which has ended.
  mutating func takeAll(lane: UInt32) -> [[Handle]] {
    arrivals.filter { $0.value.lane == lane }.compactMap { take($0.key) }
  }

  /// All that wait, for the end of the session.
  mutating func takeAll() -> [[Handle]] { arrivals.keys.compactMap { take($0) } }

  /// How many wait no more, in all, if it is time to tell the other end; it counts as told.
  mutating func totalToTell() -> UInt64? {
    guard settled - told >= UInt64(HandleCredits.batch) else { return nil }
    told = settled
    return settled
  }
}
