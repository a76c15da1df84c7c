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
    let (placement, rounds, iterations) = (placement, rounds, iterations)
    let rows = try await withTaskExecutorPreference(Reactor.shared) {
      let pings = try await Pings(meeting)
      return try await pings.measure(placement, rounds: rounds, iterations: iterations)
    }
    try FileHandle.standardOutput.write(contentsOf: try JSONEncoder().encode(rows))
  }
}

/// All the ways of making round trips, connected.
private struct Pings {
  let page: SharedPage
  let stream: Handle
  let asynchronous: Channel<Ping>
  let blocking: Channel<Ping>

  init(_ meeting: Meeting) async throws {
    page = try meeting.mapPage()
    stream = try UnixSocket.connect(to: meeting.socket)
    try UnixSocket.setBlocking(true, of: stream)
    // A session each: in one, a thread that blocks for requests would deliver those of the suspended tasks, too.
    asynchronous = try await ClientSession.connect(Meeting.client, to: meeting.app).openChannel(Ping.self)
    blocking = try await ClientSession.connect(Meeting.client, to: meeting.app).openChannel(Ping.self, metadata: [1])
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
    case .requestSync: return try await onThread { try requestSync(count) }
    case .request: return try await request(count)
    case .cacheLine, .futex, .stream: return try await onThread { try bare(technique, count) }
    }
  }

  /// Blocking round trips have a thread of their own: the reactor must not block.
  private func onThread(_ body: @escaping @Sendable () throws -> [UInt64]) async throws -> [UInt64] {
    try await withCheckedThrowingContinuation { continuation in
      Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
    }
  }

  private func bare(_ technique: Technique, _ count: Int) throws -> [UInt64] {
    var times = [UInt64](repeating: 0, count: count)
    let encodedCount = (0..<4).map { UInt8(truncatingIfNeeded: count >> ($0 * 8)) }
    try stream.descriptor.writeAll([technique.code] + encodedCount)
    switch technique {
    case .cacheLine: bench_spin_ping(page.pointer, Int32(count), &times)
    case .futex: bench_futex_ping(page.pointer, Int32(count), &times)
    default:
      guard bench_stream_ping(stream.descriptor.rawValue, Int32(count), &times) == 0 else {
        throw BenchError("the stream broke")
      }
    }
    return times
  }

  private func requestSync(_ count: Int) throws -> [UInt64] {
    let message = try blocking.makeMessage()
    var times: [UInt64] = []
    times.reserveCapacity(count)
    for _ in 0..<count {
      let start = ContinuousClock.now
      let response = try blocking.requestSync(message)
      try touch(response)
      times.append((ContinuousClock.now - start).nanoseconds)
    }
    return times
  }

  private func request(_ count: Int) async throws -> [UInt64] {
    let message = try asynchronous.makeMessage()
    var times: [UInt64] = []
    times.reserveCapacity(count)
    for _ in 0..<count {
      let start = ContinuousClock.now
      let response = try await asynchronous.request(message)
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
