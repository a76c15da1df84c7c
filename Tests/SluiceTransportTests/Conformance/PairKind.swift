import SluiceSystem
import SluiceTransport
import Testing

/// The kinds of transport that the conformance suite runs over.
enum PairKind: String, CaseIterable, CustomTestStringConvertible {
  case socket
  case loopback
  case ring
  case queue
  /// Sockets with pings.
  case keptAlive
  /// The one that Docs/transports.md shows.
  case documented

  /// Those that carry handles.
  static let carryingHandles: [PairKind] = [.socket, .loopback, .keptAlive]

  /// Those whose ends can be in two processes.
  static let crossingProcesses: [PairKind] = [.socket, .ring, .queue, .keptAlive]

  var testDescription: String { "\(self)" }

  func pair(maxBlobSize: Int = 4096) throws -> (any Transport, any Transport) {
    switch self {
    case .socket: try SocketTransport.pair(maxBlobSize: maxBlobSize)
    case .loopback: try LoopbackTransport.pair(maxBlobSize: maxBlobSize, queueLimit: 16)
    case .ring:
      // Room for about as much as the others hold.
      try RingTransport.pair(capacity: max(1 << 16, ringCapacity(for: maxBlobSize)), maxBlobSize: maxBlobSize)
    case .queue:
      // Small, so that there can be many.
      try QueueTransport.pair(size: QueueSize(capacity: 10, messageByteCount: 520), maxBlobSize: maxBlobSize)
    case .keptAlive:
      try Self.keptAlive(SocketTransport.pair(maxBlobSize: maxBlobSize + 1))
    case .documented: try LetterboxTransport.pair(maxBlobSize: maxBlobSize)
    }
  }

  /// Pings often, so that the suite meets some; nobody is taken for idle.
  private static let limits = KeepAlive.Limits(pingInterval: .milliseconds(10), idleTimeout: .seconds(100))

  private static func keptAlive(_ pair: (SocketTransport, SocketTransport)) -> (any Transport, any Transport) {
    (KeepAliveTransport(pair.0, limits: limits), KeepAliveTransport(pair.1, limits: limits))
  }

  /// One end of a pair, whose other end is another process's: both call this, over a connection between them.
  ///
  /// - Parameter isFirst: True in one of the two processes.
  func end(over control: SocketTransport, isFirst: Bool, maxBlobSize: Int) throws -> any Transport {
    switch self {
    case .socket:
      guard isFirst else {
        let frame = try exchange(control, []).first
        return try SocketTransport(socket: try found(frame), maxBlobSize: maxBlobSize)
      }
      let (ours, theirs) = try UnixSocket.pair()
      _ = try exchange(control, [theirs])
      return try SocketTransport(socket: ours, maxBlobSize: maxBlobSize)
    case .keptAlive:
      let socket = try PairKind.socket.end(over: control, isFirst: isFirst, maxBlobSize: maxBlobSize + 1)
      return KeepAliveTransport(socket, limits: Self.limits)
    case .loopback, .documented: throw PeerError("\(self) does not leave its process")
    case .ring:
      let capacity = max(1 << 16, ringCapacity(for: maxBlobSize))
      let endpoint = try RingTransport.prepare(name: "test", capacity: capacity, maxBlobSize: maxBlobSize)
      let handles = try exchange(control, endpoint.handles)
      return try RingTransport(
        endpoint, peer: RingTransport.Announcement(capacity: capacity, maxBlobSize: maxBlobSize), handles: handles)
    case .queue:
      let endpoint = try QueueTransport.prepare(
        size: QueueSize(capacity: 10, messageByteCount: 520), maxBlobSize: maxBlobSize)
      let handles = try exchange(control, endpoint.handles)
      return try QueueTransport(endpoint, peer: QueueAnnouncement(maxBlobSize: maxBlobSize), handles: handles)
    }
  }

  /// What an end passes that says its part of the handshake and no more.
  func announcedHandles(maxBlobSize: Int) throws -> [Handle] {
    switch self {
    case .ring:
      let capacity = max(1 << 16, ringCapacity(for: maxBlobSize))
      let endpoint = try RingTransport.prepare(name: "test", capacity: capacity, maxBlobSize: maxBlobSize)
      return endpoint.handles
    case .queue:
      let endpoint = try QueueTransport.prepare(
        size: QueueSize(capacity: 10, messageByteCount: 520), maxBlobSize: maxBlobSize)
      return endpoint.handles
    default: return []
    }
  }

  /// Both ends know all but the handles.
  private func exchange(_ control: SocketTransport, _ handles: [Handle]) throws -> [Handle] {
    try control.send([1], handles: handles)
    return try found(control.receive(deadline: patience())).handles
  }

  private func found<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw PeerError("the other process is gone") }
    return value
  }
}

/// What went wrong between two test processes.
struct PeerError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// The least capacity for blobs of that size.
func ringCapacity(for maxBlobSize: Int) -> Int {
  var capacity = 4096
  while RingLayout.maxBlobSize(capacity: capacity) < maxBlobSize { capacity *= 2 }
  return capacity
}
