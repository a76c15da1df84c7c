import Sluice
import Synchronization
import TestSchema
import TestSupport

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

/// One client: a session at a time, with several requests under way in it.
final class Asker: Sendable {
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
    var first: Possessions?
    while !isDone.load(ordering: .relaxed) {
      // In a function of its own, which releases the session at its end.
      guard try await useSession() else { continue }
      // What the first session brought and this process keeps is none of the next one's.
      let allowed = try first ?? Possessions(of: setting.appName)
      first = allowed
      guard try await eventually({ try Possessions(of: setting.appName).descriptors <= allowed.descriptors }) else {
        throw ChaosError("left of a session: \(try Possessions(of: setting.appName)); of the first: \(allowed)")
      }
    }
  }

  /// Opens a session and uses it to its end; false if there is no server now.
  private func useSession() async throws -> Bool {
    guard let session = try await connect() else { return false }
    let number = counts.withLock { counts in
      counts.sessions += 1
      return counts.sessions
    }
    try await use(session, number)
    return true
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
    guard let channel = try await openChannel(in: session) else { return }
    guard let ledger = try await join(channel) else { return }
    let isHeard = Flag()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for lane in 0..<Self.width {
        let seed = setting.seed &+ number << 8 &+ UInt64(lane)
        // Half of them block a thread each.
        var exchanges = Exchanges(
          asker: self, ledger: lane % 2 == 1 ? ledger : nil, isHeard: isHeard, seed: seed)
        group.addTask { try await exchanges.run(on: channel) }
      }
      group.addTask { try await self.openAndClose(in: session) }
      try await group.waitForAll()
    }
    guard channel.statistics.requestsPending == 0 else {
      throw ChaosError("\(channel.statistics.requestsPending) requests neither answered nor failed")
    }
    // What it has lent comes back: from a server that lives since it answered, from a dead one since it is dead.
    guard try await eventually({ session.statistics.leasesOut == 0 && session.statistics.bytesInUse == 0 }) else {
      throw ChaosError(
        "the server holds \(session.statistics.leasesOut) requests, \(session.statistics.bytesInUse) bytes are in use")
    }
    if isDone.load(ordering: .relaxed) { session.close(reason: "done") }
    guard await session.end() != nil else { throw ChaosError("a session does not end") }
  }

  /// Joins the server's read-write memory; nil if the session has ended.
  private func join(_ channel: Channel<Exchange>) async throws -> Ledger? {
    do {
      var question = try channel.makeMessage()
      question.root.text = "join"
      return try Ledger(joining: try await channel.request(question, timeout: .seconds(20)))
    } catch ChannelError.timedOut {
      throw ChaosError("joining the read-write arena hung")
    } catch ChannelError.sessionEnded {
      return nil
    }
  }

  /// Opens channels, asks once on each, and closes it, until the session or the run ends.
  private func openAndClose(in session: Session) async throws {
    var turn: UInt64 = 0
    let isHeard = Flag()
    _ = isHeard.raise()
    while !isDone.load(ordering: .relaxed),
      // Every third one has a link of its own.
      let channel = try await openChannel(in: session, link: turn % 3 == 2 ? .own() : .shared)
    {
      turn += 1
      var exchanges = Exchanges(asker: self, ledger: nil, isHeard: isHeard, seed: setting.seed &+ turn << 40)
      guard try await exchanges.once(on: channel) else { return }
      channel.close()
    }
  }

  /// A channel; nil if the session has ended.
  private func openChannel(in session: Session, link: ChannelLink = .shared) async throws -> Channel<Exchange>? {
    do {
      return try await session.openChannel(Exchange.self, link: link, timeout: .seconds(20))
    } catch SessionError.timedOut {
      throw ChaosError("the opening of a channel hung")
    } catch SessionError.sessionEnded {
      return nil
    }
  }
}

/// Goes up once.
final class Flag: Sendable {
  private let isUp = Atomic(false)

  /// Whether it was down.
  func raise() -> Bool { !isUp.exchange(true, ordering: .relaxed) }
}
