import Sluice
import Synchronization
import TestSchema
import TestSupport

/// Answers until standard input ends; then everything that its sessions brought must be gone.
func serve(_ setting: Setting) async throws {
  let server = try SessionServer(setting.app, options: setting.options)
  let cache = try (0..<Content.cachedCount).map { try CachedMessage(server, Content(cached: $0)) }
  let ledger = try Ledger()
  let counts = SessionCounts()
  // What a process holds for its first session and keeps is none of the sessions'.
  let before = try Possessions(of: setting.appName)
  let base = server.memory.inUseByteCount
  say("ready")
  let accepting = Task {
    for try await session in server.sessions {
      counts.opened.wrappingAdd(1, ordering: .relaxed)
      Task {
        await serve(session, of: server, cache, ledger)
        counts.ended.wrappingAdd(1, ordering: .relaxed)
      }
    }
  }
  await endOfInput()
  server.shutdown()
  try await accepting.value
  let opened = counts.opened.load(ordering: .relaxed)
  guard try await eventually({ counts.ended.load(ordering: .relaxed) == opened }) else {
    throw ChaosError("\(opened) sessions were opened, \(counts.ended.load(ordering: .relaxed)) ended")
  }
  guard try await eventually({ server.memory.inUseByteCount == base }) else {
    throw ChaosError("\(server.memory.inUseByteCount) bytes are in use server-wide; in the beginning they were \(base)")
  }
  server.trimMemory()
  let allowed = before.descriptors
  guard
    try await eventually({
      let now = try Possessions(of: setting.appName)
      return now.descriptors <= allowed && now.mappings <= max(before.mappings, server.memory.segmentCount)
    })
  else { throw ChaosError("left: \(try Possessions(of: setting.appName)); in the beginning: \(before)") }
  withExtendedLifetime(cache) {}
  // Whoever died with it, it can be had, and was never broken but by a death.
  try ledger.enter {}
  say("done \(opened) sessions, \(try ledger.entries) entries, \(try ledger.mended) mended")
}

/// A message that is built once, in server-wide memory.
private final class CachedMessage: Sendable {
  let message: MessageBuilder<Exchange>

  init(_ server: SessionServer, _ content: Content) throws {
    var message = try server.makeMessage(Exchange.self)
    content.write(to: message.root)
    self.message = message
  }
}

private final class SessionCounts: Sendable {
  let opened = Atomic(0)
  let ended = Atomic(0)
}

/// Serves one session to its end, and until it holds nothing of this process any more.
private func serve(
  _ session: Session, of server: SessionServer, _ cache: [CachedMessage], _ ledger: Ledger
) async {
  await withTaskGroup(of: Void.self) { group in
    group.addTask {
      // Ends with the session, in order or not.
      do {
        for try await channel in session.channels(of: Exchange.self) {
          Task {
            for try await request in channel.requests {
              Task { await answer(request, on: channel, server, cache, ledger) }
            }
          }
        }
      } catch {}
    }
    group.addTask { _ = await session.end() }
    await group.waitForAll()
  }
  do {
    guard try await eventually({ session.statistics.leasesOut == 0 && session.statistics.bytesInUse == 0 }) else {
      throw ChaosError(
        "a session that ended has \(session.statistics.leasesOut) leases and \(session.statistics.bytesInUse) bytes out"
      )
    }
  } catch {
    say("wrong: \(error)")
  }
}

private func answer(
  _ request: Request<Exchange>, on channel: Channel<Exchange>, _ server: SessionServer, _ cache: [CachedMessage],
  _ ledger: Ledger
) async {
  do {
    let (kind, number) = try request.message.read { root in (try root.text, root.number) }
    let content = Content(number: number)
    guard try content.matchesIfAny(request.message) else {
      return say("wrong: a request has other words than were sent")
    }
    switch kind {
    case "join":
      var reply = try channel.makeMessage()
      reply.root.number = UInt64(ledger.offset)
      try await request.reply(reply, handles: [try ledger.arena.handle.duplicated()])
    case "cached":
      try await request.reply(cache[Int(content.seed % UInt64(cache.count))].message)
    case "wide":
      var reply = try server.makeMessage(Exchange.self)
      content.write(to: reply.root)
      try await request.reply(reply)
    case "handle":
      var reply = try channel.makeMessage()
      content.write(to: reply.root)
      try await request.reply(reply, handles: [try Handle.open("/dev/null", .readOnly)])
    default:
      var reply = try channel.makeMessage()
      content.write(to: reply.root)
      try await request.reply(reply)
    }
  } catch ChannelError.sessionEnded {
    // Its client is dead.
  } catch ChannelError.closed {
    // Its client has gone.
  } catch ChannelError.withdrawn {
    // Its client died before the session was told.
  } catch {
    say("wrong: an answer failed: \(error)")
  }
}
