import CapnProto
import SluiceChannel
import SluiceMemory
import SluiceSchemas
import SluiceSystem
import SluiceTransport

extension Control {
  /// Decodes a message that arrived with `handleCount` descriptors. `bytes` must be private memory.
  ///
  /// - Throws: ``ControlError``: the message breaks the protocol.
  init(decoding bytes: [UInt8], handleCount: Int) throws(ControlError) {
    do {
      self = try Self.decode(MessageReader<ControlMessage>(stream: bytes))
    } catch let error as ControlError {
      throw error
    } catch {
      throw .malformed("\(error)")
    }
    guard handleCountRange.contains(handleCount) else {
      throw .wrongHandleCount(handleCount, expected: handleCountRange)
    }
  }

  /// How many descriptors come with the message.
  private var handleCountRange: ClosedRange<Int> {
    switch self {
    case .segment: 1...1
    case .hello(let hello): hello.handleCount...hello.handleCount
    case .openChannel(let opening): opening.handleCount...opening.handleCount
    case .channelOpened(_, let link): (link?.handleCount ?? 0)...(link?.handleCount ?? 0)
    case .welcome(let welcome): (1 + welcome.link.handleCount)...(1 + welcome.link.handleCount)
    case .handles: 1...253
    case .refusal, .channelRefused, .withdrawHandles, .goodbye, .retireSegment, .returned, .shareSegment,
      .segmentShared, .abandonChannel, .handlesSettled:
      0...0
    }
  }

  private static func decode(_ message: borrowing MessageReader<ControlMessage>) throws -> Control {
    let root = try message.root
    switch try root.which {
    case .hello(let hello):
      return .hello(
        Hello(
          versions: ProtocolVersions(reading: try hello.versions), serverApp: try hello.serverApp,
          clientApp: try hello.clientApp, session: try hello.session,
          metadata: try limited(hello.metadata, typeID: hello.metadataTypeId),
          returnTable: TableSize(reading: try hello.returnTable),
          link: try half(
            hello.hasRing ? RingSize(reading: try hello.ring) : nil,
            hello.hasQueue ? try hello.queue.largestFrame : nil), channels: try channels(of: hello),
          namedSegments: hello.namedSegments, readWriteArenas: hello.readWriteArenas))
    case .welcome(let welcome):
      return .welcome(
        Welcome(
          version: welcome.version,
          link: try half(
            of: welcome.linkKind, RingSize(reading: try welcome.ring), try welcome.queue.largestFrame),
          laneWindow: welcome.laneWindow, returnTable: TableSize(reading: try welcome.returnTable),
          namedSegments: try access(welcome.segmentBacking), readWriteArenas: welcome.readWriteArenas))
    case .refusal(let refusal):
      return .refusal(
        Refusal(
          reason: RefusalReason(refusal.reason), message: try refusal.message,
          versions: ProtocolVersions(reading: try refusal.versions)))
    case .openChannel(let opening):
      return .openChannel(try self.opening(opening))
    case .channelOpened(let opened):
      return .channelOpened(
        lane: opened.lane,
        link: try half(
          opened.hasRing ? RingSize(reading: try opened.ring) : nil,
          opened.hasQueue ? try opened.queue.largestFrame : nil))
    case .channelRefused(let refused):
      return .channelRefused(
        lane: refused.lane, reason: ChannelRefusalReason(refused.reason), message: try refused.message)
    case .segment(let segment):
      return .segment(try announced(segment))
    case .handles(let handles):
      return .handles(ticket: handles.ticket, lane: handles.lane)
    case .withdrawHandles(let handles):
      return .withdrawHandles(ticket: handles.ticket)
    case .goodbye(let goodbye):
      return .goodbye(message: try goodbye.message)
    case .retireSegment(let retired):
      return .retireSegment(id: retired.segmentId)
    case .returned:
      return .returned
    case .shareSegment(let shared):
      return .shareSegment(
        SharedSegment(
          id: shared.segmentId, byteCount: shared.byteCount,
          identity: SegmentIdentity(device: shared.device, inode: shared.inode)))
    case .segmentShared(let answer):
      return .segmentShared(id: answer.segmentId, isMapped: answer.isMapped)
    case .abandonChannel(let abandoned):
      return .abandonChannel(lane: abandoned.lane)
    case .handlesSettled(let settled):
      return .handlesSettled(total: settled.total)
    case .unknown(let discriminant):
      throw ControlError.unknownMessage(discriminant)
    }
  }

  private static func channels(of hello: SluiceSchemas.Hello.Reader) throws -> [ChannelOpening] {
    let list = try hello.channels
    guard list.count <= initialChannelLimit else {
      throw ControlError.tooManyChannels(list.count, limit: initialChannelLimit)
    }
    var channels: [ChannelOpening] = []
    for index in list.indices {
      let channel = try opening(list[index])
      guard channel.lane == UInt32(2 * (index + 1)) else { throw ControlError.wrongLane(channel.lane) }
      channels.append(channel)
    }
    return channels
  }

  private static func opening(_ opening: OpenChannel.Reader) throws -> ChannelOpening {
    ChannelOpening(
      lane: opening.lane, rootTypeID: opening.rootTypeId, rootTypeName: try opening.rootTypeName,
      metadata: try limited(opening.metadata, typeID: opening.metadataTypeId),
      dedicated: opening.hasDedicated ? try dedicated(try opening.dedicated) : nil)
  }

  private static func dedicated(_ link: DedicatedLink.Reader) throws -> LinkHalf {
    try half(of: link.kind, RingSize(reading: try link.ring), try link.queue.largestFrame)
  }

  /// What is said of a link of that kind. Nothing said of it is a half that cannot be used.
  private static func half(
    of kind: LinkKind, _ ring: RingSize, _ largestFrame: UInt32
  ) throws(ControlError) -> LinkHalf {
    switch kind {
    case .socket: .socket
    case .ring: .ring(ring)
    case .queue: .queue(largestFrame: largestFrame)
    case .unknown(let kind): throw .unknownLink(kind)
    }
  }

  /// The one half of which something is said.
  private static func half(_ ring: RingSize?, _ largestFrame: UInt32?) throws(ControlError) -> LinkHalf? {
    guard ring == nil || largestFrame == nil else { throw .twoLinks }
    return ring.map { .ring($0) } ?? largestFrame.map { .queue(largestFrame: $0) }
  }

  private static func announced(_ segment: SegmentAnnouncement.Reader) throws -> AnnouncedSegment {
    let scope: MemoryScope =
      switch segment.scope {
      case .session: .session
      case .serverWide: .serverWide
      case .unknown(let value): throw ControlError.unknownScope(value)
      }
    return AnnouncedSegment(
      id: segment.segmentId, name: try segment.name, byteCount: segment.byteCount, scope: scope)
  }

  private static func access(_ backing: SluiceSchemas.SegmentBacking) throws(ControlError) -> SegmentAccess? {
    switch backing {
    case .sealed: nil
    case .namedOwner: .owner
    case .namedGroup: .group
    case .namedEveryone: .everyone
    case .unknown(let value): throw .unknownBacking(value)
    }
  }

  private static func limited(_ metadata: RawSpan, typeID: UInt64) throws(ControlError) -> Metadata {
    guard metadata.byteCount <= Metadata.byteCountLimit else {
      throw .metadataTooLong(byteCount: metadata.byteCount, limit: Metadata.byteCountLimit)
    }
    return Metadata(typeID: typeID, bytes: metadata.copied())
  }
}

/// How a control message breaks the protocol.
enum ControlError: Error, Sendable, Hashable, CustomStringConvertible {
  /// It is not the message that the schema describes: what is wrong.
  case malformed(String)
  /// A kind of message that this version of the protocol does not have.
  case unknownMessage(UInt16)
  /// A scope of segments that this version of the protocol does not have.
  case unknownScope(UInt16)
  /// A kind of segments that this version of the protocol does not have.
  case unknownBacking(UInt16)
  /// Not the descriptors that belong to it.
  case wrongHandleCount(Int, expected: ClosedRange<Int>)
  /// More metadata than allowed.
  case metadataTooLong(byteCount: Int, limit: Int)
  /// More channels along with a session than may be.
  case tooManyChannels(Int, limit: Int)
  /// A channel that is opened along with a session is not on the lane that it must be on.
  case wrongLane(UInt32)
  /// A kind of link that this version of the protocol does not have.
  case unknownLink(UInt16)
  /// Halves of links of two kinds where one is to be.
  case twoLinks

  var description: String {
    switch self {
    case .malformed(let problem): problem
    case .unknownMessage(let kind): "control message \(kind) is unknown"
    case .unknownScope(let scope): "scope \(scope) of a segment is unknown"
    case .unknownBacking(let backing): "kind \(backing) of segment is unknown"
    case .wrongHandleCount(let count, let expected):
      "\(count) handles with a control message; it takes \(expected.lowerBound) to \(expected.upperBound)"
    case .metadataTooLong(let byteCount, let limit): "\(byteCount) bytes of metadata; at most \(limit) are allowed"
    case .tooManyChannels(let count, let limit):
      "\(count) channels along with a session; at most \(limit) are allowed"
    case .wrongLane(let lane): "a channel along with a session is on lane \(lane), out of turn"
    case .unknownLink(let kind): "kind \(kind) of link is unknown"
    case .twoLinks: "halves of two links where one is to be"
    }
  }
}

extension Control.TableSize {
  fileprivate init(reading table: SluiceSchemas.ReturnTable.Reader) {
    self.init(capacity: table.capacity, byteCount: table.byteCount)
  }
}

extension Control.RingSize {
  fileprivate init(reading ring: RingHalf.Reader) {
    self.init(capacity: ring.capacity, largestFrame: ring.largestFrame)
  }
}

extension ProtocolVersions {
  fileprivate init(reading range: VersionRange.Reader) {
    self.init(lowest: range.lowest, highest: range.highest)
  }
}

extension RefusalReason {
  fileprivate init(_ reason: SluiceSchemas.RefusalReason) {
    self =
      switch reason {
      case .versionMismatch: .versionMismatch
      case .clientNotAllowed: .clientNotAllowed
      case .identityNotAllowed: .identityNotAllowed
      case .wrongServer: .wrongServer
      case .malformedHello: .malformedHello
      case .serverBusy: .serverBusy
      case .shuttingDown: .shuttingDown
      case .sessionLimit: .sessionLimit
      case .rateLimit: .rateLimit
      case .rejected: .rejected
      case .unknown(let value): .other(value)
      }
  }
}

extension ChannelRefusalReason {
  fileprivate init(_ reason: SluiceSchemas.ChannelRefusalReason) {
    self =
      switch reason {
      case .declined: .declined
      case .unknownType: .unknownType
      case .limit: .limit
      case .ending: .ending
      case .noDedicatedLink: .noDedicatedLink
      case .unknown(let value): .other(value)
      }
  }
}
