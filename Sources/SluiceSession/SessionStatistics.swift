/// Counts of one session at one moment.
public struct SessionStatistics: Sendable, Hashable {
  /// Messages that this end sent.
  public let messagesSent: UInt64
  /// Messages that arrived.
  public let messagesReceived: UInt64
  /// Messages that had to be copied, because the other end may not map the memory they were built in.
  public let messagesCopied: UInt64
  /// Their bytes.
  public let bytesCopied: UInt64
  /// Messages that arrived for a channel that was closed before.
  public let messagesDropped: UInt64
  /// Messages of this end that the other holds on lease.
  public let leasesOut: Int
  /// Bytes in use in the session's own arena.
  public let bytesInUse: Int

  init(_ core: SessionCore) {
    let carrier = core.parts.carrier
    let counters = carrier.counters
    messagesSent = counters.messagesSent
    messagesReceived = counters.messagesReceived
    messagesCopied = counters.messagesCopied
    bytesCopied = counters.bytesCopied
    messagesDropped = counters.messagesDropped
    leasesOut = carrier.lender.outstandingCount
    bytesInUse = carrier.arena.statistics.inUseByteCount
  }
}
