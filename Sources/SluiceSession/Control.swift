import SluiceChannel
import SluiceMemory
import SluiceSchemas
import SluiceSystem
import SluiceTransport

/// What one end says to the other on the control socket, as a value. `Schemas/Sluice/control.capnp` is the specification.
enum Control: Sendable, Hashable {
  /// The client introduces itself. With its return table's descriptor.
  case hello(Hello)
  /// The server accepts. With the descriptors of the link and of its return table.
  case welcome(Welcome)
  /// The server does not accept.
  case refusal(Refusal)
  case openChannel(ChannelOpening)
  /// With the acceptor's half of a link of the channel's own, if it has one to tell of.
  case channelOpened(lane: UInt32, link: LinkHalf?)
  case channelRefused(lane: UInt32, reason: ChannelRefusalReason, message: String)
  /// With the segment's descriptor.
  case segment(AnnouncedSegment)
  /// With 1 to 253 descriptors.
  case handles(ticket: UInt32, lane: UInt32)
  case withdrawHandles(ticket: UInt32)
  case goodbye(message: String)
  case retireSegment(id: UInt32)
  /// Leases came back for which the other end waits.
  case returned
  case shareSegment(SharedSegment)
  case segmentShared(id: UInt32, isMapped: Bool)
  case abandonChannel(lane: UInt32)
  case handlesSettled(total: UInt64)

  struct TableSize: Sendable, Hashable {
    var capacity: UInt32
    var byteCount: UInt64
  }

  struct RingSize: Sendable, Hashable {
    var capacity: UInt64
    var largestFrame: UInt32
  }

  /// One end's half of a link, as the other is told of it.
  enum LinkHalf: Sendable, Hashable {
    /// Nothing to be told: whoever makes the pair passes the other end of it.
    case socket
    case ring(RingSize)
    case queue(largestFrame: UInt32)

    /// How many descriptors come with it.
    var handleCount: Int {
      switch self {
      case .socket: 1
      case .ring: RingTransport.Endpoint.handleCount
      case .queue: QueueTransport.Endpoint.handleCount
      }
    }

    /// The kind of link that it is a half of.
    var kind: LinkChoice {
      switch self {
      case .socket: .socket
      case .ring: .ring
      case .queue: .queue
      }
    }
  }

  struct Hello: Sendable, Hashable {
    var versions: ProtocolVersions
    var serverApp: String
    var clientApp: String
    var session: String
    var metadata: Metadata
    var returnTable: TableSize
    /// If the link may be something else than a socket.
    var link: LinkHalf?
    /// Those that are opened along with the session.
    var channels: [ChannelOpening] = []
    var namedSegments = false
    var readWriteArenas = false

    /// How many descriptors come with it, but for those of its channels.
    var ownHandleCount: Int { 1 + (link?.handleCount ?? 0) }
    /// How many descriptors come with it.
    var handleCount: Int { channels.reduce(ownHandleCount) { $0 + $1.handleCount } }
  }

  struct Welcome: Sendable, Hashable {
    var version: UInt32
    /// What carries the session.
    var link: LinkHalf
    var laneWindow: UInt32
    var returnTable: TableSize
    /// Who may open segments by name; nil if they are sealed.
    var namedSegments: SegmentAccess?
    /// Whether both ends ask for memory that both write to.
    var readWriteArenas = false
  }

  struct Refusal: Sendable, Hashable {
    var reason: RefusalReason
    var message: String
    var versions: ProtocolVersions
  }

  struct ChannelOpening: Sendable, Hashable {
    var lane: UInt32
    var rootTypeID: UInt64
    var rootTypeName: String
    var metadata: Metadata
    /// If the channel asks for a link of its own.
    var dedicated: LinkHalf?

    /// How many descriptors come with it.
    var handleCount: Int { dedicated?.handleCount ?? 0 }
  }

  struct AnnouncedSegment: Sendable, Hashable {
    var id: UInt32
    var name: String
    var byteCount: UInt64
    var scope: MemoryScope
  }

  struct SharedSegment: Sendable, Hashable {
    var id: UInt32
    var byteCount: UInt64
    var identity: SegmentIdentity
  }

  /// Whether this, said later, says all that `earlier` would have.
  func replaces(_ earlier: Control) -> Bool {
    switch (self, earlier) {
    case (.returned, .returned), (.handlesSettled, .handlesSettled): true
    default: false
    }
  }

  /// Most channels that are opened along with a session.
  static let initialChannelLimit = 64
  /// Size of the largest control message on the wire, in bytes.
  static let largestByteCount = 65_536
}
