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
  /// With the descriptors of the acceptor's half, if there is one.
  case channelOpened(lane: UInt32, ring: RingSize?)
  case channelRefused(lane: UInt32, reason: ChannelRefusalReason, message: String)
  /// With the segment's descriptor.
  case segment(AnnouncedSegment)
  /// With 1 to 253 descriptors.
  case handles(ticket: UInt32)
  case withdrawHandles(ticket: UInt32)
  case goodbye(message: String)
  case retireSegment(id: UInt32)
  /// Leases came back for which the other end waits.
  case returned
  case shareSegment(SharedSegment)
  case segmentShared(id: UInt32, isMapped: Bool)

  struct TableSize: Sendable, Hashable {
    var capacity: UInt32
    var byteCount: UInt64
  }

  struct RingSize: Sendable, Hashable {
    var capacity: UInt64
    var largestFrame: UInt32
  }

  struct Hello: Sendable, Hashable {
    var versions: ProtocolVersions
    var serverApp: String
    var clientApp: String
    var session: String
    var metadata: Metadata
    var returnTable: TableSize
    /// If the link may be a ring.
    var ring: RingSize?
    /// Those that are opened along with the session.
    var channels: [ChannelOpening] = []
    var namedSegments = false
    var readWriteArenas = false

    /// How many descriptors come with it, but for those of its channels.
    var ownHandleCount: Int { ring == nil ? 1 : 3 }
    /// How many descriptors come with it.
    var handleCount: Int { channels.reduce(ownHandleCount) { $0 + $1.handleCount } }
  }

  struct Welcome: Sendable, Hashable {
    var version: UInt32
    var linkKind: LinkKind
    var laneWindow: UInt32
    var returnTable: TableSize
    /// If the link is a ring.
    var ring: RingSize?
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
    var dedicated: Dedicated?

    /// How many descriptors come with it.
    var handleCount: Int {
      switch dedicated {
      case nil: 0
      case .socket: 1
      case .ring: 2
      }
    }
  }

  /// A link for one channel.
  enum Dedicated: Sendable, Hashable {
    case socket
    case ring(RingSize)
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

  /// Most channels that are opened along with a session.
  static let initialChannelLimit = 64
  /// Size of the largest control message on the wire, in bytes.
  static let largestByteCount = 65_536
}
