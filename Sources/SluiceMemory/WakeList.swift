/// Who wants to be woken, once. A value; whoever holds it serialises access.
struct WakeList {
  typealias Wake = @Sendable () -> Void

  private var waiting: [UInt64: Wake] = [:]
  private var lastKey: UInt64 = 0

  var isEmpty: Bool { waiting.isEmpty }

  mutating func add(_ wake: @escaping Wake) -> UInt64 {
    lastKey += 1
    waiting[lastKey] = wake
    return lastKey
  }

  mutating func remove(_ key: UInt64) {
    waiting[key] = nil
  }

  /// All of them; they are called once no lock is held.
  mutating func takeAll() -> [Wake] {
    defer { waiting = [:] }
    return Array(waiting.values)
  }
}

/// Somebody who waits for room, to be told when there may be some. Given back with `stopWaiting(_:)`.
public struct WaitingForRoom: Sendable {
  let key: UInt64
}
