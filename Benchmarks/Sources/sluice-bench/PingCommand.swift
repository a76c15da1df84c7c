import ArgumentParser
import BenchSchema
import CBench
import Foundation
import Histogram
import Sluice
import SystemPackage

/// The measuring process: prints its rows as JSON.
struct PingCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "ping", shouldDisplay: false)

  @Option var directory: String
  @Option var placement: Placement
  @Option var rounds: Int
  @Option var iterations: Int
  @Option var most: Int
  @Option var only = ""

  func run() async throws {
    guard bench_pin(placement.processors.ping) == 0 else { throw BenchError("cannot bind to a processor") }
    let meeting = Meeting(directory: FilePath(directory))
    let pings = try await Pings(meeting, mostChannels: most)
    let rows = try await pings.measure(placement, rounds: rounds, iterations: iterations, only: only)
    try FileHandle.standardOutput.write(contentsOf: try JSONEncoder().encode(rows))
  }
}

/// All the ways of making round trips, connected.
private struct Pings {
  /// A session's channels, one that blocked threads use and one that suspended tasks do, each in a session of its own: in
  /// one, a thread that blocks for requests would deliver those of the tasks, too.
  struct Channels {
    let reactor: Reactor
    let asynchronous: Channel<Ping>
    let blocking: Channel<Ping>

    init(_ meeting: Meeting, spinning: Bool) async throws {
      let options = try Meeting.options(spinning: spinning)
      reactor = options.reactor
      let app = meeting.app(spinning: spinning)
      asynchronous = try await ClientSession.connect(Meeting.client, to: app, options: options)
        .openChannel(Ping.self)
      blocking = try await ClientSession.connect(Meeting.client, to: app, options: options)
        .openChannel(Ping.self, metadata: Metadata([1]))
    }
  }

  let page: SharedPage
  let stream: Handle
  let wires: Wires
  let asleep: Channels
  let busy: Channels
  /// The channels of sessions that have many, by technique.
  let lanes: [Technique: [Channel<Ping>]]
  let laneReactor: Reactor

  init(_ meeting: Meeting, mostChannels: Int) async throws {
    page = try meeting.mapPage()
    stream = try UnixSocket.connect(to: meeting.socket)
    try UnixSocket.setBlocking(true, of: stream)
    wires = try Wires(over: SocketTransport(socket: try UnixSocket.connect(to: meeting.wires)), isPing: true)
    asleep = try await Channels(meeting, spinning: false)
    busy = try await Channels(meeting, spinning: true)
    let options = try Meeting.options(spinning: false)
    var lanes: [Technique: [Channel<Ping>]] = [:]
    for technique in Technique.allCases {
      guard let count = technique.channelCount, count <= mostChannels else { continue }
      lanes[technique] = try await withTaskExecutorPreference(options.reactor) {
        let session = try await ClientSession.connect(
          Meeting.client, to: meeting.app(spinning: false), options: options)
        var channels: [Channel<Ping>] = []
        for _ in 0..<count { channels.append(try await session.openChannel(Ping.self)) }
        return channels
      }
    }
    self.lanes = lanes
    laneReactor = options.reactor
  }

  /// Takes turns, round by round, and counts in the end; the first round warms up and does not count.
  func measure(_ placement: Placement, rounds: Int, iterations: Int, only: String) async throws -> [BenchRow] {
    let chosen = Technique.chosen(only)
    let techniques = Technique.allCases.filter { technique in
      technique.works(in: placement) && (technique.channelCount == nil || lanes[technique] != nil)
        && chosen.contains { $0 == technique || $0.baseline(in: placement) == technique }
    }
    var results = techniques.map { Rounds($0) }
    for round in 0...rounds {
      for (index, technique) in techniques.enumerated() {
        let times = try await times(of: technique, count: iterations, .none)
        if round > 0 { results[index].add(times) }
      }
    }
    for (index, technique) in techniques.enumerated() where technique.channelCount == nil {
      let (allocations, calls) = (Meter(.allocatedBytes), Meter(.systemCalls))
      _ = try await times(of: technique, count: Self.allocationCount, allocations)
      results[index].allocatedBytes = allocations.perExchange(Self.allocationCount)
      _ = try await times(of: technique, count: Self.systemCallCount, calls)
      results[index].systemCalls = calls.perExchange(Self.systemCallCount)
    }
    return results.map { rounds in
      BenchRow(
        placement, rounds, against: results.first { $0.technique == rounds.technique.baseline(in: placement) })
    }
  }

  /// Exchanges while allocations are counted, and while each system call is stopped to be counted.
  private static let allocationCount = 10_000
  private static let systemCallCount = 200

  private func times(of technique: Technique, count: Int, _ meter: Meter) async throws -> [UInt64] {
    switch technique {
    case .requestSync: return try await onThread { try requestSync(asleep.blocking, count, meter) }
    case .requestSyncBusy: return try await onThread { try requestSync(busy.blocking, count, meter) }
    case .request:
      return try await withTaskExecutorPreference(asleep.reactor) {
        try await request([asleep.asynchronous], count, meter)
      }
    case .requestBusy:
      return try await withTaskExecutorPreference(busy.reactor) { try await request([busy.asynchronous], count, meter) }
    // Its task changes threads, so nothing is counted.
    case .requestElsewhere: return try await request([asleep.asynchronous], count, .none)
    case .lanes1, .lanes100, .lanes10000, .lanes100000:
      return try await withTaskExecutorPreference(laneReactor) {
        try await request(lanes[technique] ?? [], count, meter)
      }
    default: break
    }
    guard let isOnReactor = technique.isOnReactor, let transport = wires.transport(for: technique) else {
      return try await onThread { try onConnection(technique, count, meter) }
    }
    try ask(technique, count)
    return try await withTaskExecutorPreference(isOnReactor ? wires.reactor : nil) {
      try await BlobExchange.ping(transport, count, on: wires.reactor, isOnReactor ? meter : .none)
    }
  }

  private func ask(_ technique: Technique, _ count: Int) throws {
    let encodedCount = (0..<4).map { UInt8(truncatingIfNeeded: count >> ($0 * 8)) }
    try stream.descriptor.writeAll([technique.code] + encodedCount)
  }

  /// Blocking round trips have a thread of their own: the reactor must not block.
  private func onThread(_ body: @escaping @Sendable () throws -> [UInt64]) async throws -> [UInt64] {
    try await withCheckedThrowingContinuation { continuation in
      Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
    }
  }

  /// What the other side has to be asked for.
  private func onConnection(_ technique: Technique, _ count: Int, _ meter: Meter) throws -> [UInt64] {
    try ask(technique, count)
    switch technique {
    case .oneWay, .oneWayBatched:
      return try BlobExchange.oneWayPing(wires.ringBusy, count, batched: technique == .oneWayBatched)
    default: break
    }
    if let transport = wires.transport(for: technique) { return try BlobExchange.ping(transport, count, meter) }
    var times = [UInt64](repeating: 0, count: count)
    let result: Int32
    meter.begin()
    defer { meter.end() }
    switch technique {
    case .copy: result = bench_copy(1 << 16, Int32(count), &times)
    case .cacheLine:
      bench_spin_ping(page.pointer, Int32(count), &times)
      result = 0
    case .futex:
      bench_futex_ping(page.pointer, Int32(count), &times)
      result = 0
    case .eventCounter:
      result = bench_eventfd_ping(
        wires.ownCounter.descriptor.rawValue, wires.peerCounter.descriptor.rawValue, Int32(count), &times)
    case .messageQueue:
      result = bench_queue_ping(
        wires.ownQueue.descriptor.rawValue, wires.peerQueue.descriptor.rawValue, Int32(count), &times)
    default: result = bench_stream_ping(stream.descriptor.rawValue, Int32(count), &times)
    }
    guard result == 0 else { throw BenchError("\(technique.rawValue): \(Errno(rawValue: -result))") }
    return times
  }

  private func requestSync(_ channel: Channel<Ping>, _ count: Int, _ meter: Meter) throws -> [UInt64] {
    let message = try channel.makeMessage()
    var times: [UInt64] = []
    times.reserveCapacity(count)
    meter.begin()
    defer { meter.end() }
    for _ in 0..<count {
      let start = ContinuousClock.now
      let response = try channel.requestSync(message)
      try touch(response)
      times.append((ContinuousClock.now - start).nanoseconds)
    }
    return times
  }

  /// Over the channels by turns.
  private func request(_ channels: [Channel<Ping>], _ count: Int, _ meter: Meter) async throws -> [UInt64] {
    guard let first = channels.first else { throw BenchError("no channel") }
    let message = try first.makeMessage()
    // Far apart from one to the next, so that what each one has of its own is not near at hand.
    let step = channels.count > 7919 ? 7919 : 1
    var times: [UInt64] = []
    times.reserveCapacity(count)
    meter.begin()
    defer { meter.end() }
    for index in 0..<count {
      let start = ContinuousClock.now
      let response = try await channels[index * step % channels.count].request(message)
      try touch(response)
      times.append((ContinuousClock.now - start).nanoseconds)
    }
    return times
  }

  /// Reads the first and the last byte in place.
  private func touch(_ message: Message<Ping>) throws {
    let root = try message.root
    let payload = try root.payload
    guard payload.byteCount > 0,
      payload.unsafeLoad(fromByteOffset: 0, as: UInt8.self) == 7,
      payload.unsafeLoad(fromByteOffset: payload.byteCount - 1, as: UInt8.self) == 7
    else { throw BenchError("the response is not what the other side built") }
  }
}

extension Duration {
  fileprivate var nanoseconds: UInt64 {
    UInt64(components.seconds) * 1_000_000_000 + UInt64(components.attoseconds / 1_000_000_000)
  }
}
