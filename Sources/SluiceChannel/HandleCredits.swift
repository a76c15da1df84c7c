/// How many handles one end may send ahead of their envelopes. A pure value: no I/O, clock or lock.
///
/// The other end says in the end of all that were sent that they wait no more, whatever became of them, by their total, and a
/// batch at a time. What one message needs makes no difference to whether its handles may go: who has many is not kept waiting
/// for ever by those who have few.
struct HandleCredits: Sendable, Hashable {
  /// Most handles of one end that may wait for their envelopes at the other. Its receiver holds it to that.
  static let limit = 512
  /// After so many at the latest, the other end is told that they wait no more. Those of the largest message fit beside them.
  static let batch = 128

  /// Sent, as far as is known waiting.
  private(set) var waiting = 0
  /// How many the other end has said to wait no more, in all.
  private var settled: UInt64 = 0

  /// Books the handles of a message that are about to go, at most ``Envelope/handleCountLimit``; false when they have to wait.
  mutating func take(_ count: Int) -> Bool {
    guard waiting <= Self.limit - Envelope.handleCountLimit else { return false }
    waiting += count
    return true
  }

  /// These were not sent after all.
  mutating func putBack(_ count: Int) {
    // Less than that is left only if the other end lied meanwhile.
    waiting -= min(count, waiting)
  }

  /// The other end has told how many wait no more, in all; false when that cannot be.
  mutating func settled(_ total: UInt64) -> Bool {
    guard total > settled, total - settled <= UInt64(waiting) else { return false }
    waiting -= Int(total - settled)
    settled = total
    return true
  }
}
