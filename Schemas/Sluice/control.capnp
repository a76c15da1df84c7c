@0x8cef31204c334803;
# Sluice's control protocol: what the two ends of a session say to each other on the control socket.
#
# Transport. The control socket is a Unix stream socket in the server app's rendezvous folder. It carries framed blobs
# (see FrameEncoder); each blob is one ControlMessage in Cap'n Proto's stream framing, and the descriptors that a message
# needs ("handles" below) travel with its frame, in the order given here.
#
# Order. A client connects and sends `hello`. The server answers `welcome` or `refusal`, and closes after a refusal. No
# other message is legal before `welcome`. After it either side may send any of the others at any time. The end of the
# stream without `goodbye` is the loss of the peer.
#
# Limits. A ControlMessage is at most 64 KiB. Everything here is checked by its receiver: a message that breaks a rule
# ends the session with `protocolViolation` (before the session exists: the connection), and nothing else.

struct ControlMessage {
  union {
    hello @0 :Hello;
    welcome @1 :Welcome;
    refusal @2 :Refusal;
    openChannel @3 :OpenChannel;
    channelOpened @4 :ChannelOpened;
    channelRefused @5 :ChannelRefused;
    segment @6 :SegmentAnnouncement;
    handles @7 :MessageHandles;
    withdrawHandles @8 :WithdrawHandles;
    goodbye @9 :Goodbye;
    retireSegment @10 :RetireSegment;
    returned @11 :Void;
    # The sender has returned leases, and found that the other end waits for that: see ReturnTableLayout.
    shareSegment @12 :SegmentShare;
    segmentShared @13 :SegmentShareAnswer;
    abandonChannel @14 :AbandonChannel;
    handlesSettled @15 :HandlesSettled;
  }
}

struct VersionRange {
  # Versions of this protocol that one end speaks, both ends included. A session runs on the highest version in both.

  lowest @0 :UInt32;
  highest @1 :UInt32;
}

struct ReturnTable {
  # The segment in which its sender, as a borrower, returns leases. The sender is its only writer. Its descriptor is a
  # handle of the message that holds this struct.

  capacity @0 :UInt32;
  # Number of lease slots, at least 1. The lender never lends a slot beyond it.

  byteCount @1 :UInt64;
  # Size of the segment. It must be exactly that of the descriptor.
}

struct Hello {
  # The client introduces itself. Handles: 1, the client's return table; with `ring` two more, with `queue` three, the
  # client's half; then those of each of `channels`, in order.
  #
  # What this says of the client is a claim, checked against the server's list of allowed apps; who the client is, is
  # read from the kernel.

  versions @0 :VersionRange;
  serverApp @1 :Text;
  # The app the client wants. Another name than the server's own is refused.

  clientApp @2 :Text;
  metadata @3 :Data;
  # The application's own, at most 16 KiB.

  returnTable @4 :ReturnTable;
  session @5 :Text;
  # Names the session, and so its segments: the client's process id, a dash, and eight hexadecimal digits at random. A name
  # that a live session of the server has is refused.

  ring @6 :RingHalf;
  # The client can use a ring as the link. Null if it cannot, or will not.

  namedSegments @7 :Bool;
  # The client asks for named segments, and trusts the server with them.

  metadataTypeId @8 :UInt64;
  # Schema id of the struct in `metadata`, which stands there in stream framing; 0 if it is none.

  channels @9 :List(OpenChannel);
  # Channels that the client opens along with the session, at most 64: lanes 2, 4, 6 and so on. Each is answered after
  # `welcome`, like those that are opened later.

  readWriteArenas @10 :Bool;
  # The client asks for memory that both ends write to, and trusts the server with it.

  queue @11 :QueueHalf;
  # The client can use queues as the link. Not with `ring`. With neither of them, or if the server uses another kind, the link
  # is a socket.
}

struct RingHalf {
  # One end's half of a ring. Handles: 2, the sealed memfd of its segment, and a socket: one byte written to it, which
  # must never block, wakes the sender of this struct when it polls; reading all from it tells the same that it may send.
  # What stands where in the segment is described by RingLayout.

  capacity @0 :UInt64;
  # Bytes of the ring through which the sender of this struct sends: a power of two, from a page to 1 GiB.

  largestFrame @1 :UInt32;
  # Bytes that a frame may have. At least 24,608, those of the largest envelope; two must fit into the ring.
}

struct QueueHalf {
  # One end's half of a link of two POSIX message queues. Handles: 3, the sending end of the queue that the sender of this
  # struct receives from; the sealed memfd of its status page; and a socket, whose one end fills while the sender of this
  # struct finds no room: reading all from it tells that it may send. Messages are described by FragmentHeader, the page by
  # QueueStatusWord.

  largestFrame @0 :UInt32;
  # Bytes that a frame may have. At least 24,608, those of the largest envelope. A frame takes as many messages as it needs.
}

struct Welcome {
  # The server accepts. Handles: the server's return table, then with a socket 1, the client's end of the link; with a ring
  # 2, with queues 3, the server's half.

  version @0 :UInt32;
  linkKind @1 :LinkKind;
  laneWindow @2 :UInt32;
  # Notifications and requests that may be under way on a lane before its receiver took one. 1 to 65,536.

  returnTable @3 :ReturnTable;
  ring @4 :RingHalf;
  # The server's half, if the link is a ring.

  segmentBacking @5 :SegmentBacking;
  # Of what kind all segments are that messages are lent from, in both directions. Sealed unless both ends ask for named ones.

  readWriteArenas @6 :Bool;
  # Whether both ends ask for memory that both write to: memfds, sealed against shrinking, growing and further seals, which
  # the application passes with its messages. See ReadWriteArena.

  queue @7 :QueueHalf;
  # The server's half, if the link is a pair of queues.
}

enum SegmentBacking {
  sealed @0;
  # Memfds, sealed against shrinking, growing, writing by others, and further seals.

  namedOwner @1;
  namedGroup @2;
  namedEveryone @3;
  # Files in /dev/shm that belong to their sender's user, with mode 0600, 0660 or 0666.
}

enum LinkKind {
  socket @0;
  # A Unix stream socket. Frames on it are described by LaneHeader and Envelope.

  ring @1;
  # Two rings in shared memory, with the same frames.

  queue @2;
  # Two POSIX message queues, with the same frames.

  # Rings and queues only if the client has offered its half.
}

struct Refusal {
  # The server does not accept. It closes the connection after this.

  reason @0 :RefusalReason;
  message @1 :Text;
  # For people.

  versions @2 :VersionRange;
  # What the server speaks; so that both ends can name both ranges.
}

enum RefusalReason {
  versionMismatch @0;
  # No version is in both ranges.

  clientNotAllowed @1;
  # The client app's name is not among those allowed.

  identityNotAllowed @2;
  # The kernel's word on uid or gid is not what the server's policy names.

  wrongServer @3;
  # The client asked for another server app.

  malformedHello @4;
  serverBusy @5;
  # A limit of the server is reached; `message` names it.

  shuttingDown @6;
  sessionLimit @7;
  # The server, or this user, has as many sessions as may be; `message` says which.

  rateLimit @8;
  # The user opens sessions faster than the server allows.

  rejected @9;
  # The application does not want this client; `message` is its words.
}

struct OpenChannel {
  # Asks for a channel, which is answered with `channelOpened` or `channelRefused`; without an answer at most 1,024 may be
  # asked for. Its lane may carry frames towards the opener as soon as the other end accepts. Handles: those of
  # `dedicated`, if it is not null.

  lane @0 :UInt32;
  # Chosen by the opener, counting upwards: the client's are even, from 2; the server's odd, from 1. Never used twice.
  # Either end closes a channel on its lane, not here: see LaneHeader.

  rootTypeId @1 :UInt64;
  # Schema id of the root struct of every message on the channel.

  rootTypeName @2 :Text;
  # For people.

  metadata @3 :Data;
  # The application's own, at most 16 KiB.

  metadataTypeId @4 :UInt64;
  # Schema id of the struct in `metadata`, which stands there in stream framing; 0 if it is none.

  dedicated @5 :DedicatedLink;
  # Asks for a link that carries this channel alone: frames of no other lane go there, and those of this lane nowhere else.
  # Null: the session's link carries it. An end that offers none, or no more, refuses the channel with `noDedicatedLink`.
}

struct DedicatedLink {
  # A link for one channel. It ends with the channel: its end without a close on the lane is its loss. Handles: with a socket 1,
  # the end of it that is not the opener's; with a ring 2, with queues 3, the opener's half.

  kind @0 :LinkKind;
  ring @1 :RingHalf;
  # The opener's half, if the link is a ring.

  queue @2 :QueueHalf;
  # The opener's half, if the link is a pair of queues.
}

struct ChannelOpened {
  # Handles: with `ring` 2, with `queue` 3, the acceptor's half.

  lane @0 :UInt32;
  ring @1 :RingHalf;
  # The acceptor's half, if the opener asked for a dedicated link that is a ring; else null.

  queue @2 :QueueHalf;
  # The acceptor's half, if the opener asked for a dedicated link of queues; else null.
}

struct AbandonChannel {
  # The opener of a channel with a dedicated link, which the receiver has accepted, cannot complete the link, or has given up in
  # the meantime: the channel is closed.

  lane @0 :UInt32;
}

struct ChannelRefused {
  lane @0 :UInt32;
  message @1 :Text;
  # Why, for the opener.

  reason @2 :ChannelRefusalReason;
}

enum ChannelRefusalReason {
  declined @0;
  # The application does not want it; `message` is its words.

  unknownType @1;
  # It takes no channels of that root type.

  limit @2;
  # As many channels are open, or wait to be taken, as may.

  ending @3;
  # The session takes no channels any more.

  noDedicatedLink @4;
  # It offers no links for single channels, or no more of them, or could not make its half; `message` says which.
}

struct SegmentAnnouncement {
  # A segment of which the sender is about to lend allocations. Handles: 1, the segment.

  segmentId @0 :UInt32;
  # What envelopes call it. Counts up from 0 in each direction.

  name @1 :Text;
  byteCount @2 :UInt64;
  # It must be exactly the size of the descriptor.

  scope @3 :SegmentScope;
}

enum SegmentScope {
  session @0;
  # Mapped by the two ends of this session only.

  serverWide @1;
  # Mapped by every client of the server.
}

struct RetireSegment {
  # The sender has given up a segment that it announced or shared. Nothing in it is on lease, and nothing in it will be: the
  # receiver unmaps it.

  segmentId @0 :UInt32;
}

struct SegmentShare {
  # The sender holds messages in a server-wide segment of a third process, and would send them on where they stand. It asks
  # whether the receiver has mapped that segment too, in a session of its own with the third process. No handles: who may
  # map a segment is for its owner to say.

  segmentId @0 :UInt32;
  # What envelopes will call it, if the receiver has it. From the same numbers as those of announced segments.

  byteCount @1 :UInt64;
  device @2 :UInt64;
  inode @3 :UInt64;
  # Which it is, on this machine.
}

struct SegmentShareAnswer {
  segmentId @0 :UInt32;
  isMapped @1 :Bool;
  # If not, the number is spent, and messages in that segment are copied. If so, the sender has counted a view in the return
  # table that the segment's owner reads, so that what is sent on stays while it is read: see ReturnTableLayout.
}

struct MessageHandles {
  # Descriptors of one message. Handles: 1 to 253, in the message's order. Sent before the envelope that claims them.
  #
  # Of each end's descriptors at most 512 may be without their envelope at the other. The sender counts those that it has
  # sent and not yet been told of with `handlesSettled`, and sends more only while these are at most 259, so that those of
  # any message fit. It sends them when nothing but room on the link keeps their envelope, which costs its credit before: so
  # whoever drains the link, as an end always does, settles them. The receiver ends the session of who sends more.

  ticket @0 :UInt32;
  # What the envelope calls them. Counts up, wrapping; unique among the unclaimed.

  lane @1 :UInt32;
  # The lane of the envelope if that goes on a dedicated link; 0 if it goes on the session's link. When a dedicated link has
  # ended at their receiver, what was left for it is closed, and counts as settled.
}

struct WithdrawHandles {
  # The envelope of these handles will not come. They are closed, and count as settled; if they are not there, nothing is.

  ticket @0 :UInt32;
}

struct HandlesSettled {
  # Descriptors that came with `handles` wait for their envelopes no more: claimed, withdrawn, or closed with their link. Each
  # counts once. Sent when 128 have been settled since the last time, at the latest.

  total @0 :UInt64;
  # How many since the session began. More than the last time, and not more than were sent.
}

struct Goodbye {
  # The sender ends the session in order: it sends nothing after this, here or on the link, and closes both. What it sent
  # on the link before is still delivered.

  message @0 :Text;
  # Why, for people. May be empty.
}
