import SluiceChannel
import SluiceSystem
import SluiceTransport
import Synchronization
import SystemPackage

/// A link of this end that is complete, and what the other end is told of it.
struct MadeLink {
  let transport: any Transport
  var segments: [SegmentInfo] = []
  /// This end's half, with its descriptors; nil when the other end has what it needs.
  var answer: Control.LinkHalf?
  var handles: [Handle] = []
}

/// This end's half of a link that is to be, of a session or of one channel. Made before the other end's half is known;
/// completed once.
final class LinkOffer: Sendable {
  /// What the other end is told, with ``handles``.
  let half: Control.LinkHalf
  /// The descriptors of this half, in the order of the protocol.
  let handles: [Handle]
  private let names: LinkNames
  private let options: SessionOptions
  private let segment: SegmentInfo?
  private let own: Mutex<Own?>

  private enum Own: ~Copyable {
    case socket(Handle)
    case ring(RingTransport.Endpoint)
    case queue(QueueTransport.Endpoint)
  }

  /// Makes this end's half.
  ///
  /// - Throws: What is missing here, with the limit that was met; nothing is made instead.
  init(_ kind: LinkChoice, _ names: LinkNames, _ options: SessionOptions) throws(SessionError) {
    self.names = names
    self.options = options
    let name = names.segment(of: kind, by: names.role)
    switch kind {
    case .socket:
      let sockets: (ours: Handle, theirs: Handle)
      do {
        sockets = try UnixSocket.pair()
      } catch {
        throw .system(error)
      }
      half = .socket
      handles = [sockets.theirs]
      segment = nil
      own = Mutex(.socket(sockets.ours))
    case .ring:
      let endpoint = try Self.makeRing(name, options)
      half = .ring(
        Control.RingSize(
          capacity: UInt64(endpoint.announcement.capacity), largestFrame: UInt32(endpoint.announcement.maxBlobSize)))
      handles = endpoint.handles
      segment = SegmentInfo(
        name: name, scope: .session, byteCount: RingTransport.segmentByteCount(endpoint.announcement),
        isBorrowed: false)
      own = Mutex(.ring(endpoint))
    case .queue:
      let endpoint = try Self.makeQueue(name, options)
      half = .queue(largestFrame: UInt32(endpoint.announcement.maxBlobSize))
      handles = endpoint.handles
      segment = SegmentInfo(
        name: name, scope: .session, byteCount: QueueTransport.segmentByteCount, isBorrowed: false)
      own = Mutex(.queue(endpoint))
    }
  }

  private static func makeRing(_ name: String, _ options: SessionOptions) throws(SessionError) -> RingTransport.Endpoint
  {
    do {
      return try RingTransport.prepare(
        name: name, capacity: options.ringByteCount, maxBlobSize: Envelope.largestFrameByteCount)
    } catch {
      throw .ring(error)
    }
  }

  private static func makeQueue(
    _ name: String, _ options: SessionOptions
  ) throws(SessionError) -> QueueTransport.Endpoint {
    let journal = try QueueJournal.directory()
    // Who looks for leftovers may take the entry for one, before it is locked: it is made anew.
    for _ in 0..<8 {
      do {
        return try QueueTransport.prepare(
          name: name, size: options.queueSize, maxBlobSize: Envelope.largestFrameByteCount, journal: journal)
      } catch .queue(.journal(.held)) {
        continue
      } catch {
        throw .queue(error)
      }
    }
    throw .runtimeDirectory(path: journal.string, problem: "its entries are taken all the time")
  }

  /// The link, with the other end's half; its sizes and descriptors are checked.
  ///
  /// - Parameters:
  ///   - peerHalf: Nil if the other end has nothing to say, as of a socket.
  ///   - peer: The other end: where both may run on one processor only, nobody spins.
  /// - Throws: ``SessionError/protocolViolation(_:)`` if it is the other end's fault.
  func complete(
    _ peerHalf: Control.LinkHalf?, _ peerHandles: [Handle], peer: PeerIdentity
  ) throws(SessionError) -> MadeLink {
    guard let own = own.withLock({ $0.take() }) else { throw .protocolViolation("a second link") }
    switch consume own {
    case .socket(let socket):
      guard peerHalf == nil else { throw .protocolViolation("half a link, where a whole one was offered") }
      return MadeLink(transport: try Self.socket(socket, options))
    case .ring(let endpoint):
      guard case .ring(let size) = peerHalf else { throw .protocolViolation("a ring was offered, and not taken") }
      let ring = try complete(endpoint, size, peerHandles, peer)
      return made(of: ring, .ring, peerByteCount: ring.peerSegmentByteCount)
    case .queue(let endpoint):
      guard case .queue(let largest) = peerHalf else { throw .protocolViolation("queues were offered, and not taken") }
      try Self.check(largestFrame: largest)
      do {
        let queue = try QueueTransport(endpoint, peer: .init(maxBlobSize: Int(largest)), handles: peerHandles)
        return made(of: queue, .queue, peerByteCount: QueueTransport.segmentByteCount)
      } catch {
        if case .failed = error { throw .queue(error) }
        if case .segment(.system) = error { throw .queue(error) }
        throw .protocolViolation("a queue that cannot be used: \(error)")
      }
    }
  }

  private func made(of transport: any Transport, _ kind: LinkChoice, peerByteCount: Int) -> MadeLink {
    let borrowed = SegmentInfo(
      name: names.segment(of: kind, by: names.role.other), scope: .session, byteCount: peerByteCount, isBorrowed: true)
    return MadeLink(
      transport: transport, segments: (segment.map { [$0] } ?? []) + [borrowed], answer: half, handles: handles)
  }

  private func complete(
    _ endpoint: consuming RingTransport.Endpoint, _ size: Control.RingSize, _ handles: [Handle], _ peer: PeerIdentity
  ) throws(SessionError) -> RingTransport {
    guard let capacity = Int(exactly: size.capacity) else {
      throw .protocolViolation("a ring of \(size.capacity) bytes")
    }
    try Self.check(largestFrame: size.largestFrame)
    do {
      return try RingTransport(
        endpoint, peer: .init(capacity: capacity, maxBlobSize: Int(size.largestFrame)), handles: handles,
        spinning: options.spinning, processorCount: Processors.allowedCount(with: peer.process?.pid))
    } catch {
      if case .failed = error { throw .ring(error) }
      if case .segment(.system) = error { throw .ring(error) }
      throw .protocolViolation("a ring that cannot be used: \(error)")
    }
  }

  private static func check(largestFrame: UInt32) throws(SessionError) {
    guard largestFrame >= Envelope.largestFrameByteCount else {
      throw .protocolViolation("a link for frames of up to \(largestFrame) bytes")
    }
  }

  /// The link of which the other end has offered a half.
  ///
  /// - Throws: As ``complete(_:_:peer:)``.
  static func join(
    _ half: Control.LinkHalf, _ handles: [Handle], _ names: LinkNames, _ options: SessionOptions, peer: PeerIdentity
  ) throws(SessionError) -> MadeLink {
    guard half != .socket else {
      guard handles.count == 1, (try? UnixSocket.isStream(handles[0])) == true else {
        throw .protocolViolation("a link that is no Unix stream socket")
      }
      return MadeLink(transport: try socket(handles[0], options))
    }
    return try LinkOffer(half.kind, names, options).complete(half, handles, peer: peer)
  }

  private static func socket(_ socket: Handle, _ options: SessionOptions) throws(SessionError) -> SocketTransport {
    do {
      return try SocketTransport(
        socket: socket, maxBlobSize: Envelope.largestFrameByteCount,
        options: SocketOptions(sendBufferByteCount: options.socketSendBufferByteCount), reactor: options.reactor)
    } catch {
      throw .transport(error)
    }
  }
}

/// How the segments of a link are called.
struct LinkNames: Sendable {
  let server: String
  let session: String
  /// Whose half is this end's.
  let role: SessionRole
  /// The lane of the one channel that the link carries; nil for the session's link.
  var lane: UInt32?

  func segment(of kind: LinkChoice, by role: SessionRole) -> String {
    SessionAssembly.segmentName(server, session, "\(role.rawValue)-\(kind)" + (lane.map { "-\($0)" } ?? ""))
  }
}

/// Where the names of queues stand while they have one, so that those of processes that died in that moment are found.
enum QueueJournal {
  /// The directory of this user, made if it is missing, without what dead processes have left.
  static func directory() throws(SessionError) -> FilePath {
    let directory = RuntimeDirectory.own
    try directory.prepare(for: .user)
    let journal = directory.path.appending("queues")
    do {
      try FileSystem.createDirectory(journal, permissions: .ownerReadWriteExecute)
    } catch {
      throw .runtimeDirectory(path: journal.string, problem: "\(error)")
    }
    do {
      try JournaledQueue.removeLeftovers(in: journal)
    } catch {
      throw .runtimeDirectory(path: journal.string, problem: "\(error)")
    }
    return journal
  }
}
