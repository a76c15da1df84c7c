import Foundation
import Sluice
import SystemPackage
import TestSchema
import TestSupport

// Many sessions, one after the other and at once.

/// Asks something small, and something that is read in place.
private func converse(_ session: Session) async throws {
  let channel = try await session.openChannel(Exchange.self)
  let answer = try await ask(channel, "echo", 1)
  guard try answer.read({ $0.number }) == 2 else { throw PeerError("a wrong answer") }
  _ = try touch(try await ask(channel, "payload", 100_000))
}

/// What both ends take, the server last. Asked in a session of its own, until neither has more descriptors than `most`: the
/// other end hears a little later of what ends. Given up after ten seconds; then it is as it is.
private func footprints(_ app: ServerApp, most: Int = .max) async throws -> String {
  let session = try await connect(app)
  let channel = try await session.openChannel(Exchange.self)
  let deadline = ContinuousClock.now.advanced(by: .seconds(10))
  while true {
    let there = try await ask(channel, "footprint").read { try $0.text }
    let here = try Footprint()
    let descriptors = max(here.descriptors, there.split(separator: " ").first.flatMap { Int($0) } ?? .max)
    guard descriptors > most, ContinuousClock.now < deadline else {
      session.close()
      _ = await session.end()
      return "here \(here) there \(there)"
    }
  }
}

/// Opens and closes sessions one after the other, and says what both ends take before and after.
func reopen(_ app: ServerApp, count: Int) async throws {
  func cycle(_ count: Int) async throws {
    for _ in 0..<count {
      let session = try await connect(app)
      try await converse(session)
      session.close()
    }
  }
  // Those of a process with one session.
  let mostDescriptors = 24
  // What is made once and kept, as pools and threads are.
  try await cycle(max(50, count / 10))
  say("before \(try await footprints(app, most: mostDescriptors))")
  try await cycle(count)
  say("after \(try await footprints(app, most: mostDescriptors))")
}

/// Opens sessions, uses each while all are open, says what both ends take, and closes them all.
func openMany(_ app: ServerApp, count: Int, inOneProcess: Bool) async throws {
  let server = inOneProcess ? try SessionServer(app) : nil
  if let server {
    Task {
      for try await session in server.sessions { Task { try await serveChannels(of: session) } }
    }
  }
  var sessions: [Session] = []
  for _ in 0..<count { sessions.append(try await connect(app)) }
  for _ in 0..<2 {
    for session in sessions { try await converse(session) }
  }
  say("open \(sessions.count) \(try await footprints(app))")
  for session in sessions { session.close() }
  sessions = []
  say("closed \(try await footprints(app, most: 40))")
  server?.shutdown()
}

/// Opens channels of one session, uses each, and says what both ends take.
func openChannels(_ app: ServerApp, count: Int) async throws {
  let session = try await connect(app)
  var channels: [Channel<Exchange>] = []
  say("before \(try await footprints(app))")
  while channels.count < count {
    // A few at a time, as who opens many would.
    let more = try await withThrowingTaskGroup(of: Channel<Exchange>.self) { group in
      for _ in 0..<min(256, count - channels.count) { group.addTask { try await session.openChannel(Exchange.self) } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    channels += more
  }
  for (index, channel) in channels.enumerated() {
    let answer = try await ask(channel, "echo", UInt64(index))
    guard try answer.read({ $0.number }) == UInt64(index) + 1 else { throw PeerError("a wrong answer") }
  }
  say("open \(session.statistics.channelsOpen) \(try await footprints(app))")
  channels = []
  let last = try await session.openChannel(Exchange.self)
  _ = try await ask(last, "echo")
  say("closed \(session.statistics.channelsOpen) \(try await footprints(app))")
  session.close()
}
