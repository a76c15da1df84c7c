import Logging
import SluiceSystem
import SluiceTransport

/// What a server or client may choose about its sessions. The defaults suit most.
public struct SessionOptions: Sendable {
  /// Most bytes of shared memory of one session's own arena; nil for a share of what the machine or container has.
  public var arenaByteLimit: Int?
  /// Most bytes of a server's memory for messages to all of its clients; nil for a share, as above.
  public var serverWideByteLimit: Int?
  /// Most messages that the other end may hold at once. 1 to 65,536.
  public var leaseCapacity = 16_384
  /// Notifications and requests that may be under way on one channel before they are taken. 1 to 65,536. The server's
  /// choice counts.
  public var laneWindow: UInt32 = 128
  /// Messages of up to so many bytes go in their frames: one copy costs less than a lease. 0 to lend them all; at most
  /// ``Channel/largestInlineByteCount``.
  public var inlineByteCount = 512
  /// What carries the session's channels. A ring or queues are used if both ends choose them, else a socket.
  public var link = LinkChoice.ring
  /// The size of the ring that this end sends through, in bytes: a power of two, from 64 KiB to 1 GiB. Its pages take memory
  /// when they are first used.
  public var ringByteCount = 1 << 17
  /// With queues as a link: the size of the one that this end receives from. The kernel bounds it, and all that a user has.
  public var queueSize = QueueSize.default
  /// With a socket as a link: the size of this end's send buffer, in bytes (`SO_SNDBUF`); nil for the system's.
  public var socketSendBufferByteCount: Int?
  /// What becomes of sends that find neither credit nor room, over whatever link: they wait, or fail with
  /// ``TransportError/noRoom``, or wait until the other end's process has shown no sign of receiving for so long, or twice
  /// that; then the session ends. An application that is slow to take messages does not stall its link. At least a tenth of
  /// a second makes sense.
  public var stallPolicy = StallPolicy.suspend
  /// Most channels that may have a link of their own at once, whichever end opened them. Each costs descriptors: four for a
  /// ring, one for a socket, ten for queues. 0 to offer none. See ``ChannelLink/own(_:)``.
  public var ownLinkLimit = 16
  /// How long a blocked thread looks at a ring before it sleeps; see ``Reactor/init(name:spinning:)`` for suspended tasks.
  public var spinning = RingSpinning.default
  /// Of what kind the segments are that messages are built in. Named ones are used if both ends ask for them, each for apps
  /// that it trusts; who may open them, the server says. Else they are sealed.
  public var segmentBacking = SegmentBacking.sealedMemory
  /// Whether there may be memory that both ends write to: for apps that trust each other, if both ends ask for it. See
  /// ``Session/makeReadWriteArena(byteCount:)``.
  public var readWriteArenas = false
  /// What else to ask of the kernel for this end's own segments.
  public var segmentOptions: SegmentOptions = []
  /// What else to ask of the kernel for the segments that the other end lends from.
  public var borrowedSegmentOptions: SegmentOptions = []
  /// How long the other end may take to introduce itself.
  public var handshakeTimeout = Duration.seconds(5)
  /// How many sessions a server has at most, and how fast they may come.
  public var limits = SessionLimits()
  /// The types of channels that are taken; the other end's wish for one of another type is refused. Nil for all: each waits
  /// until it is asked for.
  public var channelTypes: [ChannelType]?
  /// Most sessions that a server lets wait to be taken; more are refused.
  public var waitingSessionLimit = 1024
  /// The thread that serves the sessions.
  public var reactor = Reactor.shared
  /// Who is refused is reported here at level notice, by both ends in one line, as is a session that breaks off; a peer
  /// that breaks the protocol at warning, a server that cannot accept at error; what is normal at debug only.
  public var logger = Logger(label: "sluice")
  /// How often idle segments are looked for: they go back to the kernel after once or twice that time.
  package var decayInterval = Duration.seconds(5)
  /// Stands between a session and what it talks over. For tests that stop, or lie, at a step of the protocol.
  package var tap: (@Sendable (any Transport, TappedTransport) -> any Transport)?
  /// What this end claims to speak. For tests of the negotiation.
  package var versions = ProtocolVersions.current

  /// The defaults.
  public init() {}
}

/// Which of a session's two transports is tapped.
package enum TappedTransport: Sendable {
  /// The control socket, from the first byte of the handshake.
  case control
  case link
}

extension SessionOptions {
  /// The transport, as the session is to use it.
  func tapped(_ transport: any Transport, as role: TappedTransport) -> any Transport {
    tap?(transport, role) ?? transport
  }
}

/// What a link is made of.
public enum LinkChoice: Sendable, Hashable {
  /// Two rings in shared memory: the fastest.
  case ring
  /// A Unix stream socket: fewer descriptors, and no memory.
  case socket
  /// Two POSIX message queues, which the kernel bounds for each user: see ``MessageQueueError``.
  case queue
}

/// What carries a channel.
public enum ChannelLink: Sendable, Hashable {
  /// The session's link, with all others.
  case shared
  /// A link of its own, so that nothing of other channels stands before its messages: of that kind, or with nil of the
  /// session's. It ends with the channel.
  case own(LinkChoice? = nil)
}
