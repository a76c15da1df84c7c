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

  func run() async throws {
    guard bench_pin(placement.processors.ping) == 0 else { throw BenchError("cannot bind to a processor") }
    let meeting = Meeting(directory: FilePath(directory))
    let pings = try await Pings(meeting)
    let rows = try await pings.measure(placement, rounds: rounds, iterations: iterations)
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

  init(_ meeting: Meeting) async throws {
    page = try meeting.mapPage()
    stream = try UnixSocket.connect(to: meeting.socket)
    try UnixSocket.setBlocking(true, of: stream)
    wires = try Wires(over: SocketTransport(socket: try UnixSocket.connect(to: meeting.wires)), isPing: true)
    asleep = try await Channels(meeting, spinning: false)
    busy = try await Channels(meeting, spinning: true)
  }

  /// Takes turns, round by round; the first round warms up and does not count.
  func measure(_ placement: Placement, rounds: Int, iterations: Int) async throws -> [BenchRow] {
    let techniques = Technique.allCases.filter { $0.works(in: placement) }
    var histograms = techniques.map { _ in
      Histogram<UInt32>(highestTrackableValue: 60_000_000_000, numberOfSignificantValueDigits: .three)
    }
    for round in 0...rounds {
      for (index, technique) in techniques.enumerated() {
        let times = try await times(of: technique, count: iterations)
        guard round > 0 else { continue }
        for time in times { histograms[index].record(min(time, histograms[index].highestTrackableValue)) }
      }
    }
    return zip(techniques, histograms).map { BenchRow(placement, $0, $1) }
  }

  private func times(of technique: Technique, count: Int) async throws -> [UInt64] {
    switch technique {
    case .requestSync: return try await onThread { try requestSync(asleep.blocking, count) }
    case .requestSyncBusy: return try await onThread { try requestSync(busy.blocking, count) }
    case .request:
      return try await withTaskExecutorPreference(asleep.reactor) { try await request(asleep.asynchronous, count) }
    case .requestBusy:
      return try await withTaskExecutorPreference(busy.reactor) { try await request(busy.asynchronous, count) }
    case .requestElsewhere: return try await request(asleep.asynchronous, count)
    default: return try await onThread { try onConnection(technique, count) }
    }
  }

  /// Blocking round trips have a thread of their own: the reactor must not block.
  private func onThread(_ body: @escaping @Sendable () throws -> [UInt64]) async throws -> [UInt64] {
    try await withCheckedThrowingContinuation { continuation in
      Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
    }
  }

  /// What the other side has to be asked for.
  private func onConnection(_ technique: Technique, _ count: Int) throws -> [UInt64] {
    let encodedCount = (0..<4).map { UInt8(truncatingIfNeeded: count >> ($0 * 8)) }
    try stream.descriptor.writeAll([technique.code] + encodedCount)
    switch technique {
    case .oneWay, .oneWayBatched:
      return try BlobExchange.oneWayPing(wires.ringBusy, count, batched: technique == .oneWayBatched)
    default: break
    }
    if let transport = wires.transport(for: technique) { return try BlobExchange.ping(transport, count) }
    var times = [UInt64](repeating: 0, count: count)
    let result: Int32
    switch technique {
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

  private func requestSync(_ channel: Channel<Ping>, _ count: Int) throws -> [UInt64] {
    let message = try channel.makeMessage()
    var times: [UInt64] = []
    times.reserveCapacity(count)
    for _ in 0..<count {
      let start = ContinuousClock.now
      let response = try channel.requestSync(message)
      try touch(response)
      times.append((ContinuousClock.now - start).nanoseconds)
    }
    return times
  }

  private func request(_ channel: Channel<Ping>, _ count: Int) async throws -> [UInt64] {
    let message = try channel.makeMessage()
    var times: [UInt64] = []
    times.reserveCapacity(count)
    for _ in 0..<count {
      let start = ContinuousClock.now
      let response = try await channel.request(message)
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
