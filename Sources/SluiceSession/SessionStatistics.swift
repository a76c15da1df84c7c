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
  /// What the other end holds on lease, in bytes. A message that was sent several times counts once.
  public let bytesLent: Int
  /// Bytes in use in the session's own arena.
  public let bytesInUse: Int
  /// What memory the session's own arena takes, in bytes: in use, or free and kept warm.
  public let bytesResident: Int

  init(_ core: SessionCore) {
    let carrier = core.parts.carrier
    let counters = carrier.counters
    messagesSent = counters.messagesSent
    messagesReceived = counters.messagesReceived
    messagesCopied = counters.messagesCopied
    bytesCopied = counters.bytesCopied
    messagesDropped = counters.messagesDropped
    let leases = carrier.lender.outstandingLeases
    leasesOut = leases.count
    bytesLent = leases.distinctByteCount
    let arena = carrier.arena.statistics
    bytesInUse = arena.inUseByteCount
    bytesResident = arena.residentByteCount
  }
}
