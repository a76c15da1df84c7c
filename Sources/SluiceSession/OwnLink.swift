import SluiceChannel
import SluiceTransport

/// The link of one channel alone. Held by its session until the channel is closed.
final class OwnLink: LinkOwner, Sendable {
  let lane: UInt32
  let link: Link
  /// Those that it is made of.
  let segments: [SegmentInfo]
  private weak let session: SessionCore?

  init(_ made: MadeLink, lane: UInt32, of session: SessionCore) {
    self.lane = lane
    self.session = session
    segments = made.segments
    link = session.makeLink(over: made.transport)
  }

  func receiveStray(_ frame: RawSpan, on lane: UInt32) -> LaneDelivery {
    guard lane == self.lane else { return .violation("a message on lane \(lane) on the link of lane \(self.lane)") }
    return session?.parts.carrier.drop(frame) ?? .done
  }

  func linkEnded(_ end: LinkEnd) {
    switch end {
    case .violation(let what): session?.finish(.protocolViolation(what))
    case .failed(let error) where error.isStall: session?.finish(.failed("\(error)"))
    case .failed, .endOfStream: session?.ownLinkLost(lane)
    }
  }
}

extension TransportError {
  /// Whether it was this end that has had enough: see ``SessionOptions/stallPolicy``.
  var isStall: Bool {
    if case .peerStalled = self { true } else { false }
  }
}
