import CapnProto
import SluiceChannel
import SluiceMemory
import SluiceSchemas
import SluiceSystem
import SluiceTransport

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
    case .openChannel(let opening): write(opening, to: root.initOpenChannel())
    case .channelOpened(let lane, let link):
      let target = root.initChannelOpened()
      target.lane = lane
      switch link {
      case nil, .socket: break
      case .ring(let ring): write(ring, to: target.initRing())
      case .queue(let largestFrame): target.initQueue().largestFrame = largestFrame
      }
    case .channelRefused(let lane, let reason, let message):
      let target = root.initChannelRefused()
      target.lane = lane
      target.reason = reason.schemaValue
      target.message = message
    case .segment(let segment):
      let target = root.initSegment()
      target.segmentId = segment.id
      target.name = segment.name
      target.byteCount = segment.byteCount
      target.scope = segment.scope == .session ? .session : .serverWide
    case .handles(let ticket, let lane):
      let target = root.initHandles()
      target.ticket = ticket
      target.lane = lane
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
    case .abandonChannel(let lane):
      root.initAbandonChannel().lane = lane
    case .handlesSettled(let total):
      root.initHandlesSettled().total = total
    }
  }

  private func write(_ hello: Hello, to target: SluiceSchemas.Hello.Builder) {
    write(hello.versions, to: target.initVersions())
    target.serverApp = hello.serverApp
    target.clientApp = hello.clientApp
    target.session = hello.session
    target.setMetadata(hello.metadata.bytes)
    target.metadataTypeId = hello.metadata.typeID
    write(hello.returnTable, to: target.initReturnTable())
    switch hello.link {
    case nil, .socket: break
    case .ring(let ring): write(ring, to: target.initRing())
    case .queue(let largestFrame): target.initQueue().largestFrame = largestFrame
    }
    target.namedSegments = hello.namedSegments
    target.readWriteArenas = hello.readWriteArenas
    guard !hello.channels.isEmpty else { return }
    let channels = target.initChannels(hello.channels.count)
    for (index, opening) in hello.channels.enumerated() { write(opening, to: channels[index]) }
  }

  private func write(_ opening: ChannelOpening, to target: OpenChannel.Builder) {
    target.lane = opening.lane
    target.rootTypeId = opening.rootTypeID
    target.rootTypeName = opening.rootTypeName
    target.setMetadata(opening.metadata.bytes)
    target.metadataTypeId = opening.metadata.typeID
    guard let half = opening.dedicated else { return }
    let dedicated = target.initDedicated()
    dedicated.kind = half.kind.schemaValue
    switch half {
    case .socket: break
    case .ring(let ring): write(ring, to: dedicated.initRing())
    case .queue(let largestFrame): dedicated.initQueue().largestFrame = largestFrame
    }
  }

  private func write(_ welcome: Welcome, to target: SluiceSchemas.Welcome.Builder) {
    target.version = welcome.version
    target.linkKind = welcome.link.kind.schemaValue
    target.laneWindow = welcome.laneWindow
    write(welcome.returnTable, to: target.initReturnTable())
    switch welcome.link {
    case .socket: break
    case .ring(let ring): write(ring, to: target.initRing())
    case .queue(let largestFrame): target.initQueue().largestFrame = largestFrame
    }
    target.readWriteArenas = welcome.readWriteArenas
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

extension LinkChoice {
  fileprivate var schemaValue: LinkKind {
    switch self {
    case .socket: .socket
    case .ring: .ring
    case .queue: .queue
    }
  }
}

extension RefusalReason {
  fileprivate var schemaValue: SluiceSchemas.RefusalReason {
    switch self {
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
    case .other(let value): .unknown(value)
    }
  }
}

extension ChannelRefusalReason {
  fileprivate var schemaValue: SluiceSchemas.ChannelRefusalReason {
    switch self {
    case .declined: .declined
    case .unknownType: .unknownType
    case .limit: .limit
    case .ending: .ending
    case .noDedicatedLink: .noDedicatedLink
    case .other(let value): .unknown(value)
    }
  }
}
