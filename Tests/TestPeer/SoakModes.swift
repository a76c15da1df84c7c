import Foundation
import Sluice
import Synchronization
import SystemPackage
import TestSchema
import TestSupport

// Clients that talk for minutes: one that behaves, and those that do not.

/// One of everything, small and large; how long the small request took.
private func mix(_ channel: Channel<Exchange>, _ round: Int) async throws -> Duration {
  let start = ContinuousClock.now
  let answer = try await ask(channel, "echo", UInt64(round))
  let took = ContinuousClock.now - start
  guard try answer.read({ $0.number }) == UInt64(round) + 1 else { throw PeerError("a wrong answer") }
  var note = try channel.makeMessage()
  note.root.text = String(repeating: "x", count: round % 1000)
  try await channel.notify(note, timeout: .seconds(60))
  if round % 4 == 0 { _ = try touch(try await ask(channel, "payload", UInt64(1000 << (round / 4 % 11)))) }
  if round % 8 == 0 {
    var question = try channel.makeMessage()
    question.root.text = "stream"
    question.root.number = 20
    let stream = try await channel.requestStream(question, timeout: .seconds(60))
    var next: UInt64 = 0
    for try await item in stream {
      guard try item.read({ $0.number }) == next else { throw PeerError("an item out of order") }
      next += 1
    }
    guard next == 20 else { throw PeerError("\(next) items of a stream of 20") }
  }
  if round % 16 == 0 {
    var question = try channel.makeMessage()
    question.root.text = "handle"
    let pipe = try FileDescriptor.pipe()
    let reading = Handle(owning: pipe.readEnd)
    let answer = try await channel.request(question, handles: [Handle(owning: pipe.writeEnd)], timeout: .seconds(60))
    guard answer.takeHandles().count == 1 else { throw PeerError("no handle came back") }
    withExtendedLifetime(reading) {}
  }
  return took
}

/// What standard input asks for, line by line.
private final class Wishes: Sendable {
  private let state = Mutex((lines: [String](), isDone: false))

  init() {
    Thread.detachNewThread { [self] in
      while let line = readLine() { state.withLock { $0.lines.append(line) } }
      state.withLock { $0.isDone = true }
    }
  }

  /// What was asked for since the last time, and whether nothing more will be.
  func take() -> (lines: [String], isDone: Bool) {
    state.withLock { state in
      defer { state.lines = [] }
      return state
    }
  }
}

/// Talks until standard input ends. At a line `how`, says how long small requests took since the last one, and what both ends
/// take; at `rounds N`, says so when it has done so many more.
func soak(_ app: ServerApp) async throws {
  let session = try await connect(app)
  let channel = try await session.openChannel(Exchange.self, metadata: Metadata("heard".utf8))
  let wishes = Wishes()
  say("soaking")
  var times: [Duration] = []
  var goals: [Int] = []
  var round = 0
  while true {
    times.append(try await mix(channel, round))
    round += 1
    while let goal = goals.first, goal <= round {
      goals.removeFirst()
      say("went")
    }
    let wanted = wishes.take()
    for line in wanted.lines {
      if line.hasPrefix("rounds ") {
        goals.append(round + (Int(line.dropFirst("rounds ".count)) ?? 0))
        continue
      }
      guard !times.isEmpty else { throw PeerError("asked twice at once") }
      times.sort()
      func microseconds(_ time: Duration) -> Int { Int(time / .microseconds(1)) }
      let (middle, late) = (times[times.count / 2], times[times.count * 99 / 100])
      session.trimMemory()
      let there = try await ask(channel, "footprint")
      say(
        "figures \(times.count) p50 \(microseconds(middle)) p99 \(microseconds(late)) here \(try Footprint()) "
          + "there \(try there.read { try $0.text })")
      times = []
    }
    if wanted.isDone { break }
  }
  session.close()
}

/// Asks and tells as much as it can, and takes little of what comes.
func flood(_ app: ServerApp) async throws {
  let session = try await connect(app)
  say("flooding")
  try await withThrowingTaskGroup(of: Void.self) { group in
    for kind in ["unheard", "echo", "echo", "echo", "payload", "payload", "stream"] {
      group.addTask {
        let channel = try await session.openChannel(Exchange.self)
        while true {
          var message = try channel.makeMessage()
          message.root.text = kind
          message.root.number = 50_000
          do {
            switch kind {
            case "unheard": try await channel.notify(message)
            // Not read: its sender is held back.
            case "stream": _ = try await channel.requestStream(message, timeout: .milliseconds(20)).next()
            default: _ = try await channel.request(message, timeout: .seconds(60))
            }
          } catch ChannelError.timedOut {
          }
        }
      }
    }
    try await group.waitForAll()
  }
}
