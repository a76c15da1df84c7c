/// Actions by deadline, the earliest first; those of the same deadline in the order they came. A pure value.
///
/// A binary heap whose entries know their place, so that one can be removed: cancelled timers cost no memory, although
/// most timers are cancelled (a request's deadline, once the answer is there). Adding and removing cost O(log n).
struct TimerHeap: Sendable {
  /// What identifies an entry.
  typealias ID = UInt64

  private struct Entry: Sendable {
    let deadline: ContinuousClock.Instant
    let id: ID
    let action: @Sendable () -> Void

    func precedes(_ other: Entry) -> Bool {
      deadline == other.deadline ? id < other.id : deadline < other.deadline
    }
  }

  private var entries: [Entry] = []
  private var indices: [ID: Int] = [:]
  private var lastID: ID = 0

  /// When the next action is due.
  var nextDeadline: ContinuousClock.Instant? { entries.first?.deadline }

  /// How many actions wait.
  var count: Int { entries.count }

  /// Adds an action. Its number is higher than those of all before it.
  mutating func insert(at deadline: ContinuousClock.Instant, _ action: @escaping @Sendable () -> Void) -> ID {
    lastID += 1
    entries.append(Entry(deadline: deadline, id: lastID, action: action))
    indices[lastID] = entries.count - 1
    siftUp(entries.count - 1)
    return lastID
  }

  /// Removes an action, and returns it if it was still there.
  mutating func remove(_ id: ID) -> (@Sendable () -> Void)? {
    guard let index = indices.removeValue(forKey: id) else { return nil }
    let action = entries[index].action
    removeEntry(at: index)
    return action
  }

  /// Removes and returns the next action that is due at `now`, and no younger than `latest`.
  mutating func popDue(at now: ContinuousClock.Instant, upTo latest: ID = .max) -> (@Sendable () -> Void)? {
    guard let first = entries.first, first.deadline <= now, first.id <= latest else { return nil }
    indices[first.id] = nil
    removeEntry(at: 0)
    return first.action
  }

  /// The number of the action added last.
  var latestID: ID { lastID }

  /// Removes all actions, and returns them.
  mutating func removeAll() -> [@Sendable () -> Void] {
    let actions = entries.map(\.action)
    entries.removeAll()
    indices.removeAll()
    return actions
  }

  private mutating func removeEntry(at index: Int) {
    let last = entries.removeLast()
    guard index < entries.count else { return }
    entries[index] = last
    indices[last.id] = index
    siftUp(index)
    siftDown(index)
  }

  private mutating func siftUp(_ start: Int) {
    var index = start
    while index > 0 {
      let parent = (index - 1) / 2
      guard entries[index].precedes(entries[parent]) else { return }
      swap(index, parent)
      index = parent
    }
  }

  private mutating func siftDown(_ start: Int) {
    var index = start
    while true {
      var smallest = index
      for child in [2 * index + 1, 2 * index + 2] where child < entries.count {
        if entries[child].precedes(entries[smallest]) { smallest = child }
      }
      if smallest == index { return }
      swap(index, smallest)
      index = smallest
    }
  }

  private mutating func swap(_ first: Int, _ second: Int) {
    entries.swapAt(first, second)
    indices[entries[first].id] = first
    indices[entries[second].id] = second
  }
}
