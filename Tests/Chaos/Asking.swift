import Sluice
import Synchronization
import TestSchema

/// Asks and checks the answers until standard input ends, from session to session, however often the server is killed.
func ask(_ setting: Setting) async throws {
  let asker = Asker(setting)
  let watching = Task {
    await endOfInput()
    asker.isDone.store(true, ordering: .relaxed)
  }
  try await asker.run()
  await watching.value
  let (asked, answered, failed) = asker.counts.withLock { ($0.asked, $0.answered, $0.failed) }
  guard asked == answered + failed else {
    throw ChaosError("of \(asked) requests \(answered) were answered and \(failed) failed")
  }
  say("done \(asked) requests, \(failed) failed")
}

/// Goes up once.
private final class Flag: Sendable {
  private let isUp = Atomic(false)

  /// Whether it was down.
  func raise() -> Bool { !isUp.exchange(true, ordering: .relaxed) }
}

private final class Asker: Sendable {
  struct Counts {
    var asked = 0
    var answered = 0
    var failed = 0
    var sessions: UInt64 = 0
  }

  let isDone = Atomic(false)
  let counts = Mutex(Counts())
  private let setting: Setting
  /// Requests that are under way at once.
  private static let width = 4

  init(_ setting: Setting) { self.setting = setting }

  func run() async throws {
    var resources: Possessions?
    while !isDone.load(ordering: .relaxed) {
      guard let session = try await connect() else { continue }
      let number = counts.withLock { counts in
        counts.sessions += 1
        return counts.sessions
      }
      try await use(session, number)
      // What the first session brought and this process keeps is none of the next one's.
      if let first = resources {
        guard try await eventually({ try Possessions(of: setting.appName).descriptors <= first.descriptors }) else {
          throw ChaosError("left of a session: \(try Possessions(of: setting.appName)); of the first: \(first)")
        }
      } else {
        resources = try Possessions(of: setting.appName)
      }
    }
  }

  /// A session, or nil if there is no server now.
  private func connect() async throws -> Session? {
    do {
      return try await ClientSession.connect(
        ClientApp("asker"), to: setting.app, timeout: .seconds(20), options: setting.options)
    } catch SessionError.timedOut {
      throw ChaosError("a connection hung")
    } catch {
      // The server is dead, dying, or not yet there.
      await Task.yield()
      return nil
    }
  }

  private func use(_ session: Session, _ number: UInt64) async throws {
    let channel: Channel<Exchange>
    do {
      channel = try await session.openChannel(Exchange.self, timeout: .seconds(20))
    } catch SessionError.timedOut {
      throw ChaosError("the opening of a channel hung")
    } catch {
      return  // the server is dead
    }
    let first = Flag()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for lane in 0..<Self.width {
        let seed = setting.seed &+ number << 8 &+ UInt64(lane)
        group.addTask { try await self.exchange(on: channel, seed: seed, saying: first) }
      }
      try await group.waitForAll()
    }
    guard channel.statistics.requestsPending == 0 else {
      throw ChaosError("\(channel.statistics.requestsPending) requests neither answered nor failed")
    }
    if isDone.load(ordering: .relaxed) {
      guard try await eventually({ session.statistics.leasesOut == 0 }) else {
        throw ChaosError("the server holds \(session.statistics.leasesOut) requests that it has answered")
      }
      session.close(reason: "done")
    }
    guard await session.end() != nil else { throw ChaosError("a session does not end") }
  }

  /// Sends requests, one after the other, until the session or the run ends. Keeps some answers.
  private func exchange(on channel: Channel<Exchange>, seed: UInt64, saying first: Flag) async throws {
    var generator = SeededGenerator(seed: seed)
    var held: [Message<Exchange>] = []
    while !isDone.load(ordering: .relaxed) {
      let kind = ["fresh", "cached", "wide"][Int.random(in: 0..<3, using: &generator)]
      let bits = Int.random(in: 0...14, using: &generator)
      var content = Content(
        wordCount: Int.random(in: 1...(1 << bits), using: &generator),
        seed: UInt64.random(in: 0...(1 << 39), using: &generator))
      if kind == "cached" {
        let index = Int(content.seed % 8)
        content = Content(wordCount: content.wordCount, seed: UInt64(index))
      }
      let answer: Message<Exchange>
      do {
        answer = try await ask(kind, content, on: channel)
      } catch ChannelError.sessionEnded(let end) {
        counts.withLock { $0.failed += 1 }
        switch end {
        case .peerDied, .connectionLost: return
        default: throw ChaosError("the session ended otherwise than by death: \(end)")
        }
      }
      let expected = kind == "cached" ? Content(wordCount: 64 << Int(content.seed), seed: content.seed) : content
      guard try expected.matches(answer) else { throw ChaosError("a wrong answer: \(kind), \(expected)") }
      counts.withLock { $0.answered += 1 }
      if first.raise() { say("asking") }
      held.append(answer)
      if held.count > 8 { held.remove(at: Int.random(in: 0..<8, using: &generator)) }
    }
  }

  private func ask(_ kind: String, _ content: Content, on channel: Channel<Exchange>) async throws -> Message<Exchange>
  {
    var request = try channel.makeMessage()
    request.root.text = kind
    request.root.number = content.number
    // Some requests have a payload of their own.
    if content.seed % 3 == 0 { content.write(to: request.root) }
    request.root.number = content.number
    counts.withLock { $0.asked += 1 }
    return try await channel.request(request, timeout: .seconds(20))
  }
}
