import BenchSchema
import CBench
import Foundation
import Sluice
import SystemPackage

/// On which processors the two processes run, and how they wait for each other.
enum Placement: String, CaseIterable {
  /// Both on one, asleep while the other runs: what one writes, the other finds in the caches.
  case same
  /// Each on one of its own, asleep while it waits.
  case split
  /// Each on one of its own, looking for each other all the time.
  case splitSpinning = "split, spinning"

  var spins: Bool { self == .splitSpinning }
  var server: Int32 { self == .same ? 0 : 1 }
}

/// Where the two processes meet: at a rendezvous, and in memory that is theirs without any library.
struct Meeting {
  static let client = ClientApp("memory-bench-client")
  static let largest = 100 << 20

  let placement: Placement
  let directory: String
  let regionPath: String

  init(placement: Placement, directory: String, regionPath: String) {
    (self.placement, self.directory, self.regionPath) = (placement, directory, regionPath)
  }

  /// Of what the program was called with.
  init(_ arguments: some Collection<String>) throws {
    let words = Array(arguments)
    guard words.count == 3, let placement = Placement(rawValue: words[0]) else {
      throw BenchError("called in another way")
    }
    self.init(placement: placement, directory: words[1], regionPath: words[2])
  }

  var arguments: [String] { [placement.rawValue, directory, regionPath] }

  var app: ServerApp {
    ServerApp("memory-bench", allowing: ["memory-bench-client"], runtimeDirectory: FilePath(directory))
  }

  var options: SessionOptions {
    var options = SessionOptions()
    options.spinning = placement.spins ? .fixed(.milliseconds(200)) : .off
    return options
  }

  func mapRegion() throws -> OpaquePointer {
    let file = try FileDescriptor.open(FilePath(regionPath), .readWrite)
    defer { try? file.close() }
    guard let region = bench_map_region(file.rawValue, UInt64(Self.largest)) else {
      throw BenchError("cannot map \(regionPath)")
    }
    return region
  }
}

/// Reads each request whole, and answers with a sum. One of two words is followed by payloads without a message: it says
/// their size and their number.
func servePayloads(_ meeting: Meeting) throws {
  let region = try meeting.mapRegion()
  let server = try SessionServer(meeting.app, options: meeting.options)
  try FileDescriptor.standardOutput.writeAll("ready\n".utf8)
  guard let session = try server.nextSessionSync(), let channel = try session.nextChannelSync(of: Ping.self) else {
    return
  }
  guard bench_pin(meeting.placement.server) == 0 else { throw BenchError("cannot be bound to a processor") }
  while let request = try channel.nextRequestSync() {
    var bare: (byteCount: UInt64, count: Int32)?
    let total = try request.message.read { root in
      let data = try root.payload
      if data.byteCount == 16 {
        bare = (data.unsafeLoad(as: UInt64.self), data.unsafeLoad(fromByteOffset: 8, as: Int32.self))
      }
      return data.withUnsafeBytes { bytes in bytes.baseAddress.map { bench_sum($0, UInt64(bytes.count)) } ?? 0 }
    }
    var reply = try channel.makeMessage()
    reply.root.initPayload(byteCount: 8) { output in output.append(total, as: UInt64.self) }
    try request.replySync(reply)
    if let bare { _ = bench_region_read(region, bare.byteCount, bare.count, meeting.placement.spins ? 1 : 0) }
  }
}

/// Payloads built fresh, sent, read whole by another process and released, against writing and reading warm memory here,
/// and against the same two passes by two processes in a bare shared mapping. By turns, so that each has the same machine.
func measurePayloads(_ meeting: Meeting) throws {
  let region = try meeting.mapRegion()
  let session = try ClientSession.connectSync(Meeting.client, to: meeting.app, options: meeting.options)
  let channel = try session.openChannelSync(Ping.self)
  guard bench_pin(0) == 0 else { throw BenchError("cannot be bound to a processor") }
  for megabytes in [1, 10, 100] {
    let byteCount = megabytes << 20
    let warm = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 4096)
    defer { warm.deallocate() }
    guard let base = warm.baseAddress else { throw BenchError("no memory") }
    let (blocks, rounds) = megabytes == 100 ? (8, 4) : (20, 10)
    var (own, bare, exchanges): ([Double], [Double], [Double]) = ([], [], [])
    for block in 0..<blocks {
      let value = Int32(block & 0x7f)
      var expected: UInt64 = 0
      let ownTimes = times(rounds) {
        memset(base, value, byteCount)
        expected = bench_sum(base, UInt64(byteCount))
      }
      let exchangeTimes = try times(rounds) {
        guard try send(byteCount, value, over: channel) == expected else {
          throw BenchError("another sum at the other end")
        }
      }
      try announceBare(byteCount, rounds, over: channel)
      let bareTimes = times(rounds) {
        bench_region_write(region, UInt64(byteCount), value, meeting.placement.spins ? 1 : 0)
      }
      // What comes first after something else finds cold caches, and pages that were never touched.
      if block > 0 {
        own += ownTimes.dropFirst(2)
        exchanges += exchangeTimes.dropFirst(2)
        bare += bareTimes.dropFirst(2)
      }
    }
    let exchange = median(exchanges)
    report(
      "\(megabytes) MiB, \(meeting.placement.rawValue): built, sent, read, released",
      String(
        format: "%.2f x, %.2f x bare (%.2f ms)", exchange / median(own), exchange / median(bare), exchange * 1000),
      budget: String(
        format: "<= 1.25 x memset and read here (%.2f ms); bare: by two processes (%.2f ms)", median(own) * 1000,
        median(bare) * 1000))
  }
  session.close()
}

/// Seconds that each of some rounds takes.
private func times(_ count: Int, _ body: () throws -> Void) rethrows -> [Double] {
  try (0..<count).map { _ in
    let start = wallTime()
    try body()
    return wallTime() - start
  }
}

/// One payload, there and back its sum.
private func send(_ byteCount: Int, _ value: Int32, over channel: Channel<Ping>) throws -> UInt64 {
  var request = try channel.makeMessage()
  request.root.initPayload(byteCount: byteCount) { output in
    output.withUnsafeMutableBytes { bytes, count in
      if let base = bytes.baseAddress { memset(base, value, byteCount) }
      count = byteCount
    }
  }
  let response = try channel.requestSync(request)
  return try response.read { root in
    let payload = try root.payload
    return payload.unsafeLoad(as: UInt64.self)
  }
}

/// Has the other side look for payloads without a message.
private func announceBare(_ byteCount: Int, _ count: Int, over channel: Channel<Ping>) throws {
  var request = try channel.makeMessage()
  request.root.initPayload(byteCount: 16) { output in
    output.append(UInt64(byteCount), as: UInt64.self)
    output.append(UInt64(count), as: UInt64.self)
  }
  _ = try channel.requestSync(request)
}

/// Runs two processes of this program for each placement, which print what they find.
func measurePayloads() throws {
  let processorCount = ProcessInfo.processInfo.activeProcessorCount
  for placement in Placement.allCases where placement == .same || processorCount > 1 {
    let directory = "/tmp/sluice-memory-bench-\(getpid())"
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let memory = bench_memory("memory-bench")
    guard memory >= 0 else { throw BenchError("no memory to share") }
    defer { close(memory) }
    let meeting = Meeting(
      placement: placement, directory: directory, regionPath: "/proc/\(getpid())/fd/\(memory)")
    let server = Process()
    server.executableURL = URL(filePath: "/proc/self/exe")
    server.arguments = ["serve"] + meeting.arguments
    let output = Pipe()
    server.standardOutput = output
    try server.run()
    defer { server.terminate() }
    _ = try output.fileHandleForReading.read(upToCount: 6)
    let client = try Process.run(URL(filePath: "/proc/self/exe"), arguments: ["exchange"] + meeting.arguments)
    client.waitUntilExit()
    guard client.terminationStatus == 0 else { throw BenchError("the measuring process failed") }
  }
}

/// What went wrong, in one line.
struct BenchError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
