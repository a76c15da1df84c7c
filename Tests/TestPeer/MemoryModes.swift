import Foundation
import Sluice
import TestSchema
import TestSupport

// What peers do to, or with, the memory that they are lent.

/// What the kernel says of this process.
enum Memory {
  /// Lines of `/proc/self/maps` for segments of one server app, or for anything else that is shared under `name`.
  static func mappings(of app: ServerApp) throws -> [Substring] {
    try ProcessFile.text("/proc/self/maps").split(separator: "\n").filter {
      $0.contains("memfd:sluice.\(app.name).") || $0.contains("/dev/shm/sluice.\(app.name).")
    }
  }

  static func descriptorCount(of app: ServerApp) throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count { entry in
      let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(entry)")
      return target?.contains("sluice.\(app.name).") == true
    }
  }

  static var minorFaultCount: Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_minflt
  }
}

/// Touches each page of a message's chunks; a sum of what stands there.
func touch(_ message: Message<Exchange>) throws -> UInt64 {
  try message.read { root in
    var sum: UInt64 = 0
    let chunks = try root.chunks
    for index in chunks.indices {
      let chunk = try chunks[index]
      for position in stride(from: 0, to: chunk.byteCount, by: 4096) {
        sum &+= UInt64(chunk.unsafeLoad(fromByteOffset: position, as: UInt8.self))
      }
    }
    return sum
  }
}

/// One chunk of `byteCount` bytes, all of them `byte`.
func fill(_ root: Exchange.Builder, byteCount: Int, with byte: UInt8) {
  root.initChunks(1).initData(at: 0, byteCount: byteCount) { output in
    output.withUnsafeMutableBytes { bytes, count in
      if let base = bytes.baseAddress { memset(base, Int32(byte), byteCount) }
      count = byteCount
    }
  }
}

/// Room for one chunk of `byteCount` bytes, of which one is used: a large allocation that costs nothing.
func reserve(_ root: Exchange.Builder, byteCount: Int) {
  root.initChunks(1).initData(at: 0, byteCount: byteCount) { output in output.append(1, as: UInt8.self) }
}

/// Asks for large allocations at both ends, again and again, and says what is mapped after the first and the last of them.
func churn(_ app: ServerApp, count: Int) async throws {
  let session = try await connect(app)
  let channel = try await session.openChannel(Exchange.self)
  /// What both ends hold when what nobody uses any more is given up.
  func state() async throws -> [Int] {
    // Answered, but perhaps not released yet; and what one end gives up, the other hears of a little later.
    while session.statistics.leasesOut > 0 { await Task.yield() }
    session.trimMemory()
    let there = try await ask(channel, "resources").read { try $0.text }
    return [try Memory.mappings(of: app).count, try Memory.descriptorCount(of: app), session.segments.count]
      + there.split(separator: " ").compactMap { Int($0) }
  }
  var first: [Int] = []
  for round in 0...count {
    var request = try channel.makeMessage()
    request.root.text = "reserve"
    reserve(request.root, byteCount: 3 << 20)
    _ = try channel.requestSync(request, timeout: .seconds(60))
    _ = consume request
    session.trimMemory()
    guard round == 0 || round == count else { continue }
    // Given up after ten seconds; then it is as it is.
    let deadline = ContinuousClock.now.advanced(by: .seconds(10))
    var now = try await state()
    while zip(now, first).contains(where: >), ContinuousClock.now < deadline { now = try await state() }
    if first.isEmpty { first = now }
    say("round \(round) " + now.map { "\($0)" }.joined(separator: " "))
  }
  session.close()
}

/// Builds payloads fresh, has them read whole, and says how many pages either end had to be given for it.
func steady(_ app: ServerApp, sizes: [Int], options: SessionOptions) async throws {
  let session = try await ClientSession.connect(ClientApp("test-client"), to: app, options: options)
  let channel = try await session.openChannel(Exchange.self)
  func cycle(_ size: Int) throws -> Int {
    var request = try channel.makeMessage()
    request.root.text = "touch"
    fill(request.root, byteCount: size, with: 7)
    let answer = try channel.requestSync(request, timeout: .seconds(60))
    let count = try answer.read { Int($0.number) }
    // Answered, but perhaps not released yet.
    while session.statistics.leasesOut > 0 { sched_yield() }
    return count
  }
  for size in sizes {
    var there = 0
    // Enough of the small ones that a page for each would be seen.
    let rounds = size < 1 << 20 ? 400 : 10
    for _ in 0..<max(5, rounds / 10) { there = try cycle(size) }
    let mapped = try Memory.mappings(of: app)
    let (here, before) = (Memory.minorFaultCount, there)
    for _ in 0..<rounds { there = try cycle(size) }
    let faults = Memory.minorFaultCount - here
    let isSame = try Memory.mappings(of: app) == mapped
    say("size \(size) here \(faults) there \(there - before) mappings \(isSame ? "same" : "changed")")
  }
  session.close()
}

/// A client of one server and the server of another: sends on what it receives.
func relay(_ upstream: ServerApp, _ downstream: ServerApp) async throws {
  let server = try SessionServer(downstream)
  say("ready")
  var sessions = server.sessions.makeAsyncIterator()
  guard let below = try await sessions.next() else { throw PeerError("nobody came") }
  var channels = below.channels(of: Exchange.self).makeAsyncIterator()
  guard let down = try await channels.next() else { throw PeerError("no channel came") }
  let above = try await connect(upstream)
  let up = try await above.openChannel(Exchange.self)
  say("relaying")
  for try await note in up.notifications {
    if try note.root.text == "request" {
      let answer = try await down.request(forwarding: note, timeout: .seconds(30))
      say("answered \(try answer.root.number)")
    } else {
      try await down.notify(forwarding: note, timeout: .seconds(30))
    }
    say("forwarded copied \(below.statistics.messagesCopied) \(below.statistics.bytesCopied)")
  }
}

/// A client of both: holds what the relay sends it until it is told to look again.
func listen(_ upstream: ServerApp, _ relay: ServerApp) async throws {
  let above = try await connect(upstream)
  let up = try await above.openChannel(Exchange.self)
  let session = try await connect(relay)
  let channel = try await session.openChannel(Exchange.self)
  var words = up.notifications.makeAsyncIterator()
  _ = try await words.next()
  say("mapped")
  let answering = Task {
    for try await request in channel.requests {
      var reply = try channel.makeMessage()
      reply.root.number = try touch(request.message)
      try await request.reply(reply)
    }
  }
  for try await note in channel.notifications {
    let places = note.placement.map { "\($0.inode):\($0.offset)" }
    say("got \(try touch(note)) \(places.joined(separator: " "))")
    _ = try await words.next()
    say("still \(try touch(note))")
  }
  answering.cancel()
}

/// A client of both: holds the first thing that the relay sends it, whatever becomes of the relay, until it is told twice.
func keep(_ upstream: ServerApp, _ relay: ServerApp) async throws {
  let above = try await connect(upstream)
  let up = try await above.openChannel(Exchange.self)
  let session = try await connect(relay)
  let channel = try await session.openChannel(Exchange.self)
  var words = up.notifications.makeAsyncIterator()
  _ = try await words.next()
  say("mapped")
  var notes = channel.notifications.makeAsyncIterator()
  do {
    guard let note = try await notes.next() else { throw PeerError("nothing came") }
    say("got \(try touch(note)) \(note.placement.map { "\($0.inode):\($0.offset)" }.joined(separator: " "))")
    _ = try await words.next()
    say("still \(try touch(note))")
    _ = try await words.next()
  }
  say("released")
  _ = try await words.next()
}

/// A client of the named kind that holds a message and lends one, until it is killed.
func holdNamed(_ app: ServerApp) async throws {
  let session = try await ClientSession.connect(ClientApp("test-client"), to: app, options: .named)
  let channel = try await session.openChannel(Exchange.self)
  var request = try channel.makeMessage()
  request.root.text = "payload"
  request.root.number = 100_000
  let response = try await channel.request(request, timeout: .seconds(60))
  say("holding \(session.name)")
  try await Task.sleep(for: .seconds(3600))  // until somebody kills this process
  withExtendedLifetime((request.segmentCount, response)) {}
}

extension SessionOptions {
  /// Both ends of the named kind.
  static var named: SessionOptions {
    var options = SessionOptions()
    options.segmentBacking = .named(.owner)
    return options
  }
}
