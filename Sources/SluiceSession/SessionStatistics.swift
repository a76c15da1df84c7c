import SluiceChannel

/// Counts of one session at one moment.
public struct SessionStatistics: Sendable, Hashable {
  /// What went through all channels, those included that are closed by now.
  public let traffic: Traffic
  /// Messages that this end sent.
  public var messagesSent: UInt64 { traffic.messagesSent }
  /// Messages that arrived.
  public var messagesReceived: UInt64 { traffic.messagesReceived }
  /// Messages that arrived and that nobody took: late responses, and what came to a channel that was closed.
  public var messagesDropped: UInt64 { traffic.messagesDropped }
  /// Channels that are open.
  public let channelsOpen: Int
  /// Channels that this end has asked for, without an answer so far.
  public let channelsOpening: Int
  /// Channels that the other end has asked for, and that nobody took yet.
  public let channelsWaiting: Int
  /// Channels that have a link of their own.
  public let ownLinks: Int
  /// Messages that had to be copied, because the other end may not map the memory they were built in.
  public let messagesCopied: UInt64
  /// Their bytes.
  public let bytesCopied: UInt64
  /// Messages of this end that the other holds on lease.
  public let leasesOut: Int
  /// What the other end holds on lease, in bytes. A message that was sent several times counts once.
  public let bytesLent: Int
  /// Bytes in use in the session's own arena.
  public let bytesInUse: Int
  /// What memory the session's own arena takes, in bytes: in use, or free and kept warm.
  public let bytesResident: Int
  /// Messages on the control socket that the other end has not read yet.
  public let controlMessagesQueued: Int

  init(_ core: SessionCore) {
    let carrier = core.parts.carrier
    let counters = carrier.counters
    let (channels, opening, waiting, past, links) = core.state.withLock { state in
      (
        state.channels.values.map(\.traffic), state.opening.count, state.incoming.count, state.pastTraffic,
        state.ownLinks.count
      )
    }
    ownLinks = links
    channelsOpening = opening
    channelsWaiting = waiting
    channelsOpen = channels.count
    traffic = channels.reduce(past + Traffic(messagesDropped: counters.messagesDropped)) { $0 + $1 }
    controlMessagesQueued = core.parts.control.unsentCount
    messagesCopied = counters.messagesCopied
    bytesCopied = counters.bytesCopied
    let leases = carrier.lender.outstandingLeases
    leasesOut = leases.count
    bytesLent = leases.distinctByteCount
    let arena = carrier.arena.statistics
    bytesInUse = arena.inUseByteCount
    bytesResident = arena.residentByteCount
  }
}
