import CapnProto
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
  case channelOpened(lane: UInt32)
  case channelRefused(lane: UInt32, message: String)
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
    var metadata: [UInt8]
    var returnTable: TableSize
    /// If the link may be a ring.
    var ring: RingSize?
    var namedSegments = false
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
    var metadata: [UInt8]
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

  /// Size of the largest control message on the wire, in bytes.
  static let largestByteCount = 65_536
}

// MARK: Encoding

extension Control {
  /// The message in Cap'n Proto's stream framing.
  func encoded() throws(CapnProtoError) -> [UInt8] {
    var builder = try MessageBuilder(ControlMessage.self)
    write(to: builder.root)
    return try builder.serialized()
  }

  private func write(to root: ControlMessage.Builder) {
    switch self {
    case .hello(let hello): write(hello, to: root.initHello())
    case .welcome(let welcome): write(welcome, to: root.initWelcome())
    case .refusal(let refusal):
      let target = root.initRefusal()
      target.reason = refusal.reason.schemaValue
      target.message = refusal.message
      write(refusal.versions, to: target.initVersions())
    case .openChannel(let opening):
      let target = root.initOpenChannel()
      target.lane = opening.lane
      target.rootTypeId = opening.rootTypeID
      target.rootTypeName = opening.rootTypeName
      target.setMetadata(opening.metadata)
    case .channelOpened(let lane):
      root.initChannelOpened().lane = lane
    case .channelRefused(let lane, let message):
      let target = root.initChannelRefused()
      target.lane = lane
      target.message = message
    case .segment(let segment):
      let target = root.initSegment()
      target.segmentId = segment.id
      target.name = segment.name
      target.byteCount = segment.byteCount
      target.scope = segment.scope == .session ? .session : .serverWide
    case .handles(let ticket):
      root.initHandles().ticket = ticket
    case .withdrawHandles(let ticket):
      root.initWithdrawHandles().ticket = ticket
    case .goodbye(let message):
      root.initGoodbye().message = message
    case .retireSegment(let id):
      root.initRetireSegment().segmentId = id
    case .returned:
      root.setReturned()
    case .shareSegment(let segment):
      let target = root.initShareSegment()
      target.segmentId = segment.id
      target.byteCount = segment.byteCount
      target.device = segment.identity.device
      target.inode = segment.identity.inode
    case .segmentShared(let id, let isMapped):
      let target = root.initSegmentShared()
      target.segmentId = id
      target.isMapped = isMapped
    }
  }

  private func write(_ hello: Hello, to target: SluiceSchemas.Hello.Builder) {
    write(hello.versions, to: target.initVersions())
    target.serverApp = hello.serverApp
    target.clientApp = hello.clientApp
    target.session = hello.session
    target.setMetadata(hello.metadata)
    write(hello.returnTable, to: target.initReturnTable())
    if let ring = hello.ring { write(ring, to: target.initRing()) }
    target.namedSegments = hello.namedSegments
  }

  private func write(_ welcome: Welcome, to target: SluiceSchemas.Welcome.Builder) {
    target.version = welcome.version
    target.linkKind = welcome.linkKind
    target.laneWindow = welcome.laneWindow
    write(welcome.returnTable, to: target.initReturnTable())
    if let ring = welcome.ring { write(ring, to: target.initRing()) }
    target.segmentBacking =
      switch welcome.namedSegments {
      case nil: .sealed
      case .owner: .namedOwner
      case .group: .namedGroup
      case .everyone: .namedEveryone
      }
  }

  private func write(_ ring: RingSize, to target: RingHalf.Builder) {
    target.capacity = ring.capacity
    target.largestFrame = ring.largestFrame
  }

  private func write(_ size: TableSize, to target: SluiceSchemas.ReturnTable.Builder) {
    target.capacity = size.capacity
    target.byteCount = size.byteCount
  }

  private func write(_ versions: ProtocolVersions, to target: VersionRange.Builder) {
    target.lowest = versions.lowest
    target.highest = versions.highest
  }
}

// MARK: Decoding

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
    case .hello(let hello): hello.ring == nil ? 1...1 : 3...3
    case .welcome(let welcome): welcome.ring == nil ? 2...2 : 3...3
    case .handles: 1...253
    case .refusal, .openChannel, .channelOpened, .channelRefused, .withdrawHandles, .goodbye, .retireSegment, .returned,
      .shareSegment, .segmentShared:
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
          metadata: try limited(hello.metadata), returnTable: TableSize(reading: try hello.returnTable),
          ring: hello.hasRing ? RingSize(reading: try hello.ring) : nil, namedSegments: hello.namedSegments))
    case .welcome(let welcome):
      return .welcome(
        Welcome(
          version: welcome.version, linkKind: welcome.linkKind, laneWindow: welcome.laneWindow,
          returnTable: TableSize(reading: try welcome.returnTable),
          ring: welcome.hasRing ? RingSize(reading: try welcome.ring) : nil,
          namedSegments: try access(welcome.segmentBacking)))
    case .refusal(let refusal):
      return .refusal(
        Refusal(
          reason: RefusalReason(refusal.reason), message: try refusal.message,
          versions: ProtocolVersions(reading: try refusal.versions)))
    case .openChannel(let opening):
      return .openChannel(
        ChannelOpening(
          lane: opening.lane, rootTypeID: opening.rootTypeId, rootTypeName: try opening.rootTypeName,
          metadata: try limited(opening.metadata)))
    case .channelOpened(let opened):
      return .channelOpened(lane: opened.lane)
    case .channelRefused(let refused):
      return .channelRefused(lane: refused.lane, message: try refused.message)
    case .segment(let segment):
      return .segment(try announced(segment))
    case .handles(let handles):
      return .handles(ticket: handles.ticket)
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
    case .unknown(let discriminant):
      throw ControlError.unknownMessage(discriminant)
    }
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

  private static func limited(_ metadata: RawSpan) throws(ControlError) -> [UInt8] {
    guard metadata.byteCount <= Session.metadataLimit else {
      throw .metadataTooLong(byteCount: metadata.byteCount, limit: Session.metadataLimit)
    }
    return metadata.copied()
  }
}

/// How a control message breaks the protocol.
enum ControlError: Error, Sendable, Hashable {
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
      case .unknown(let value): .other(value)
      }
  }

  fileprivate var schemaValue: SluiceSchemas.RefusalReason {
    switch self {
    case .versionMismatch: .versionMismatch
    case .clientNotAllowed: .clientNotAllowed
    case .identityNotAllowed: .identityNotAllowed
    case .wrongServer: .wrongServer
    case .malformedHello: .malformedHello
    case .serverBusy: .serverBusy
    case .shuttingDown: .shuttingDown
    case .other(let value): .unknown(value)
    }
  }
}
