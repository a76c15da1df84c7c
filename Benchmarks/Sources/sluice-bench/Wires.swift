import CBench
import Sluice
import SystemPackage

/// What the two processes are connected by, besides sessions: the library's transports, and what the bare baselines share.
struct Wires: Sendable {
  let ring: RingTransport
  let ringBusy: RingTransport
  let socket: SocketTransport
  /// For tasks.
  let reactor: Reactor
  let queue: QueueTransport
  let ownCounter: Handle
  let peerCounter: Handle
  let ownQueue: Handle
  let peerQueue: Handle

  static let blobByteCount = 64
  /// What suits small blobs: both rings stay in the processors' own caches.
  static let ringByteCount = 1 << 16
  /// Where two busy sides look for each other, long enough for any round trip of theirs.
  static let spinning = RingSpinning.fixed(.milliseconds(1))

  /// Makes this side's halves and exchanges them with the other side, in this order.
  init(over setup: SocketTransport, isPing: Bool) throws {
    reactor = try Reactor(name: "wires", spinning: .off)
    (ring, ringBusy) = (try Self.ring(over: setup, .off), try Self.ring(over: setup, Self.spinning))
    let half = try QueueTransport.prepare()
    let (maxBlobSize, handles) = (half.announcement.maxBlobSize, half.handles)
    let answer = try Self.exchange(over: setup, [UInt64(maxBlobSize)], handles)
    queue = try QueueTransport(half, peer: .init(maxBlobSize: Int(answer.words[0])), handles: answer.handles)
    if isPing {
      let (ours, theirs) = try UnixSocket.pair()
      socket = try SocketTransport(socket: ours)
      _ = try Self.exchange(over: setup, [0], [theirs])
    } else {
      let (ignored, _) = try UnixSocket.pair()
      socket = try SocketTransport(socket: try Self.exchange(over: setup, [0], [ignored]).handles[0])
    }
    ownCounter = try Self.handle(bench_eventfd())
    peerCounter = try Self.exchange(over: setup, [0], [ownCounter]).handles[0]
    ownQueue = try Self.handle(bench_queue("/sluice-bench-\(UInt64.random(in: 0 ... .max))"))
    peerQueue = try Self.exchange(over: setup, [0], [ownQueue]).handles[0]
  }

  private static func handle(_ result: Int32) throws -> Handle {
    guard result >= 0 else { throw BenchError("no descriptor: \(Errno(rawValue: -result))") }
    return Handle(owning: FileDescriptor(rawValue: result))
  }

  private static func ring(over setup: SocketTransport, _ spinning: RingSpinning) throws -> RingTransport {
    let half = try RingTransport.prepare(name: "sluice-bench", capacity: ringByteCount, maxBlobSize: 4096)
    let (says, handles) = (half.announcement, half.handles)
    let answer = try exchange(over: setup, [UInt64(says.capacity), UInt64(says.maxBlobSize)], handles)
    return try RingTransport(
      half, peer: .init(capacity: Int(answer.words[0]), maxBlobSize: Int(answer.words[1])), handles: answer.handles,
      spinning: spinning, processorCount: 2)
  }

  private static func exchange(
    over setup: SocketTransport, _ words: [UInt64], _ handles: [Handle]
  ) throws -> (words: [UInt64], handles: [Handle]) {
    try setup.send(words.span.bytes, handles: handles)
    let answer = try setup.receive { blob, handles in
      let words = (0..<blob.byteCount / 8).map { blob.unsafeLoad(fromByteOffset: $0 * 8, as: UInt64.self) }
      return (words: words, handles: handles)
    }
    guard let answer, answer.words.count == words.count else { throw BenchError("the other side has ended") }
    return answer
  }

  /// The transport that a technique uses.
  func transport(for technique: Technique) -> (any Transport)? {
    switch technique {
    case .ring, .ringAsync, .ringAsyncElsewhere: ring
    case .ringBusy, .ringAsyncBusy, .oneWay, .oneWayBatched: ringBusy
    case .socket, .socketAsync, .socketAsyncElsewhere: socket
    case .queue, .queueAsync, .queueAsyncElsewhere: queue
    default: nil
    }
  }
}

/// The measuring and the answering side of a transport.
enum BlobExchange {
  static func ping(_ transport: any Transport, _ count: Int, _ meter: Meter) throws -> [UInt64] {
    guard let ring = transport as? RingTransport else {
      return try times(count, meter) { blob in
        try transport.send(blob)
        return try transport.receive(body: { $0.byteCount })
      }
    }
    return try times(count, meter) { blob in
      try ring.send(blob)
      return try ring.receive { $0.byteCount }
    }
  }

  /// How long each exchange of a blob takes, which says how many bytes came back.
  @inline(__always)
  private static func times(
    _ count: Int, _ meter: Meter, _ exchange: (_ blob: RawSpan) throws -> Int?
  ) throws -> [UInt64] {
    let blob = [UInt8](repeating: 1, count: Wires.blobByteCount)
    var times = [UInt64](repeating: 0, count: count)
    meter.begin()
    defer { meter.end() }
    var start = bench_now()
    for index in 0..<count {
      guard try exchange(blob.span.bytes) == blob.count else { throw BenchError("a wrong blob") }
      let end = bench_now()
      times[index] = end - start
      start = end
    }
    return times
  }

  static func pong(_ transport: any Transport, _ count: Int) throws {
    let blob = [UInt8](repeating: 2, count: Wires.blobByteCount)
    let ring = transport as? RingTransport
    for _ in 0..<count {
      let received = try ring?.receive { $0.byteCount } ?? transport.receive(body: { $0.byteCount })
      guard received == blob.count else { throw BenchError("a wrong blob") }
      if let ring { try ring.send(blob.span.bytes) } else { try transport.send(blob.span.bytes) }
    }
  }

  static func ping(
    _ transport: any Transport, _ count: Int, on reactor: Reactor, _ meter: Meter
  ) async throws -> [UInt64] {
    let blob = [UInt8](repeating: 1, count: Wires.blobByteCount)
    var times = [UInt64](repeating: 0, count: count)
    meter.begin()
    defer { meter.end() }
    var start = bench_now()
    for index in 0..<count {
      try await transport.send(blob.span.bytes, on: reactor)
      guard try await transport.receive(on: reactor, { blob, _ in blob.byteCount }) == blob.count else {
        throw BenchError("a wrong blob")
      }
      let end = bench_now()
      times[index] = end - start
      start = end
    }
    return times
  }

  static func pong(_ transport: any Transport, _ count: Int, on reactor: Reactor) async throws {
    let blob = [UInt8](repeating: 2, count: Wires.blobByteCount)
    for _ in 0..<count {
      guard try await transport.receive(on: reactor, { blob, _ in blob.byteCount }) == blob.count else {
        throw BenchError("a wrong blob")
      }
      try await transport.send(blob.span.bytes, on: reactor)
    }
  }

  /// Blobs for each time that is asked for.
  static let burst = 1000

  /// The time per blob of bursts, until the other side has said that it has seen them.
  static func oneWayPing(_ ring: RingTransport, _ count: Int, batched: Bool) throws -> [UInt64] {
    let blob = [UInt8](repeating: 1, count: Wires.blobByteCount)
    var times: [UInt64] = []
    for _ in 0..<count / burst + 1 {
      let start = bench_now()
      if batched {
        try sendBatches(of: blob, over: ring)
      } else {
        for _ in 0..<burst { try ring.send(blob.span.bytes) }
      }
      _ = try ring.receive { $0.byteCount }
      times.append((bench_now() - start) / UInt64(burst))
    }
    return times
  }

  /// A burst, in batches.
  private static func sendBatches(of blob: [UInt8], over ring: RingTransport) throws {
    var sent = 0
    while sent < burst {
      let count = min(batch, burst - sent)
      let added = try ring.trySend { (batch) throws(TransportError) in
        for _ in 0..<count where try batch.append(blob.span.bytes) == .wouldBlock { return }
      }
      sent += added
      if added < count { _ = try ring.waitToSend(byteCount: blob.count, deadline: nil) }
    }
  }

  /// Blobs that become visible at once.
  private static let batch = 50

  static func oneWayPong(_ ring: RingTransport, _ count: Int, batched: Bool) throws {
    let blob = [UInt8](repeating: 2, count: Wires.blobByteCount)
    for _ in 0..<count / burst + 1 {
      var seen = 0
      while seen < burst {
        if batched {
          let drained = try ring.receiveAll(limit: burst - seen, arming: false) { _ in true }
          seen += drained.count
          if drained.outcome == .wouldBlock { _ = try ring.waitToReceive(deadline: nil) }
        } else {
          _ = try ring.receive { $0.byteCount }
          seen += 1
        }
      }
      try ring.send(blob.span.bytes)
    }
  }
}

extension Transport {
  /// Receives a blob without handles.
  @inline(__always)
  func receive<Result>(body: (RawSpan) -> Result) throws(TransportError) -> Result? {
    try receive { blob, _ in body(blob) }
  }
}
