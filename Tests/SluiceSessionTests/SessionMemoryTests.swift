import Foundation
import Sluice
import SluiceWaiting
import SystemPackage
import TestSchema
import Testing

@testable import SluiceChannel
@testable import SluiceSession

/// What becomes of a session's memory between two and three real processes. The others are `TestPeer`.
@Suite(.timeLimit(.minutes(2))) struct SessionMemoryTests {
  private func app(_ directory: FilePath) -> ServerApp {
    ServerApp(directory.lastComponent?.string ?? "", allowing: ["test-client"], runtimeDirectory: directory)
  }

  /// A minute's worth of allocations with `SLUICE_LONG_TESTS`, else a second's.
  @Test func `after thousands of large allocations mappings and descriptors at both ends are where they began`()
    async throws
  {
    try await withRuntimeDirectory { directory in
      try await withPeer("serve", directory, "test-client") { server in
        try await server.line("ready")
        // Each request and each response has a segment of its own, given up right after.
        let isLong = ProcessInfo.processInfo.environment["SLUICE_LONG_TESTS"] != nil
        let rounds = isLong ? 50_000 : 1_000
        let status = try await withPeer("churn", directory, "\(rounds)") { client in
          let first = try await client.line("round 0 ").split(separator: " ").compactMap { Int($0) }
          let last = try await client.line("round \(rounds) ").split(separator: " ").compactMap { Int($0) }
          // Mappings, descriptors and segments here, segments and borrowed ones there. In the first round what was given up
          // may have been on its way.
          #expect(first.count == 6 && last.count == 6)
          #expect(zip(first, last).dropFirst().allSatisfy { $0 >= $1 }, "\(first) \(last)")
        }
        #expect(status == .exited(0))
      }
    }
  }

  @Test(arguments: ["", "-named"])
  func `in steady state an exchange of any size touches no new page and maps nothing`(backing: String) async throws {
    try await withRuntimeDirectory { directory in
      try await withPeer("serve\(backing)", directory, "test-client") { server in
        try await server.line("ready")
        let sizes = [64, 10_000, 1 << 20, 10 << 20, 100 << 20]
        let status = try await withPeer("steady\(backing)", directory, sizes.map { "\($0)" }) { client in
          for size in sizes {
            let words = try await client.line("size \(size) ").split(separator: " ")
            let (here, there) = (try #require(Int(words[3])), try #require(Int(words[5])))
            // Of pages that the exchanges have together there are far more: 400 of 64 bytes, 1,200 of 10,000, 256,000 of
            // 100 MiB. What private memory takes is not the point.
            #expect(here < 250 && there < 250, "\(size) bytes: \(here) and \(there) pages")
            #expect(words.last == "same")
          }
        }
        #expect(status == .exited(0))
      }
    }
  }

  private func message(
    on channel: Channel<Exchange>, byteCount: Int, of byte: UInt8
  ) throws -> MessageBuilder<Exchange> {
    var message = try channel.makeMessage()
    fillBytes(message.root, byteCount: byteCount, with: byte)
    return message
  }

  // MARK: Three processes

  @Test func `a message sent on is read in place from a server-wide segment, else copied and counted, and stays whole`()
    async throws
  {
    try await withRuntimeDirectory { directory in
      try await withRuntimeDirectory { relayed in
        let server = try SessionServer(app(directory))
        try await withPeer("relay", directory, relayed.string) { relay in
          try await relay.line("ready")
          try await withPeer("listen", directory, relayed.string) { listener in
            let third = try await server.nextChannel()
            #expect(third.session.peer.credentials.pid == listener.processID)
            let second = try await server.nextChannel()
            #expect(second.session.peer.credentials.pid == relay.processID)
            try await relay.line("relaying")
            // The third process maps the server-wide segment by reading something of it.
            do {
              var first = try server.makeMessage(Exchange.self)
              fillBytes(first.root, byteCount: 2000, with: 1)  // too large to go in its frame
              try await third.channel.notify(first)
            }
            try await listener.line("mapped")

            // In place: the third process reads the first one's memory.
            let size = 100 * 4096
            var places: [String] = []
            do {
              var shared = try server.makeMessage(Exchange.self)
              fillBytes(shared.root, byteCount: size, with: 5)
              places = second.channel.placement(of: shared).map { "\($0.inode):\($0.offset)" }
              try await second.channel.notify(shared)
            }  // the first owner has let go of it here
            #expect(try await relay.line("forwarded") == "forwarded copied 0 0")
            #expect(try await listener.line("got") == "got 500 " + places.joined(separator: " "))
            // Whatever is built now must not stand where that one does.
            for _ in 0..<20 {
              var more = try server.makeMessage(Exchange.self)
              fillBytes(more.root, byteCount: size, with: 9)
            }
            #expect(server.memory.inUseByteCount >= size)
            try await third.channel.notify(try third.channel.makeMessage())
            #expect(try await listener.line("still") == "still 500")

            // A copy: the third process may not map the memory of a session that is not its own.
            do {
              let own = try message(on: second.channel, byteCount: size, of: 6)
              try await second.channel.notify(own)
            }
            let copied = try await relay.line("forwarded copied 1 ")
            #expect((Int(copied.split(separator: " ")[3]) ?? 0) >= size)
            #expect(try await listener.line("got").hasPrefix("got 600 "))
            try await third.channel.notify(try third.channel.makeMessage())
            #expect(try await listener.line("still") == "still 600")

            // As a request, answered by the third process.
            do {
              var asked = try server.makeMessage(Exchange.self)
              asked.root.text = "request"
              fillBytes(asked.root, byteCount: size, with: 7)
              try await second.channel.notify(asked)
            }
            try await relay.line("answered 700")
            // Everything comes back: the relay's lease after the listener's.
            await second.session.allReturned()
            #expect(server.memory.inUseByteCount == 0)
            second.session.close()
            third.session.close()
          }
        }
        server.shutdown()
      }
    }
  }

  @Test func `a message sent on in place stays whole when who sent it on is killed, until it is released`() async throws
  {
    try await withRuntimeDirectory { directory in
      try await withRuntimeDirectory { relayed in
        let server = try SessionServer(app(directory))
        try await withPeer("relay", directory, relayed.string) { relay in
          try await relay.line("ready")
          try await withPeer("keep", directory, relayed.string) { keeper in
            let third = try await server.nextChannel()
            let second = try await server.nextChannel()
            try await relay.line("relaying")
            let size = 100 * 4096
            do {
              var first = try server.makeMessage(Exchange.self)
              fillBytes(first.root, byteCount: 2000, with: 1)
              try await third.channel.notify(first)
            }
            try await keeper.line("mapped")
            var places: [String] = []
            do {
              var unseen = try server.makeMessage(Exchange.self)
              fillBytes(unseen.root, byteCount: 3 * size, with: 4)
              var shared = try server.makeMessage(Exchange.self)
              fillBytes(shared.root, byteCount: size, with: 5)
              places = second.channel.placement(of: shared).map { "\($0.inode):\($0.offset)" }
              try await second.channel.notify(shared)
              #expect(try await relay.line("forwarded") == "forwarded copied 0 0")
              // Held by the relay at its death, but shown to nobody: it is stopped before it can look.
              try await relay.stopped()
              try await second.channel.notify(unseen)
            }
            #expect(try await keeper.line("got") == "got 500 " + places.joined(separator: " "))
            #expect(server.memory.inUseByteCount >= 4 * size)
            relay.kill()
            #expect(await second.session.end() == .peerDied(pid: relay.processID))
            // What it did not show comes back at once; what it did, stays.
            #expect((size..<2 * size).contains(server.memory.inUseByteCount))
            for _ in 0..<20 {
              var more = try server.makeMessage(Exchange.self)
              fillBytes(more.root, byteCount: size, with: 9)
            }
            try await third.channel.notify(try third.channel.makeMessage())
            #expect(try await keeper.line("still") == "still 500")
            try await third.channel.notify(try third.channel.makeMessage())
            try await keeper.line("released")
            while server.memory.inUseByteCount > 0 { await Task.yield() }
            third.session.close()
          }
        }
        server.shutdown()
      }
    }
  }

  // MARK: Named segments

  @Test func `named segments are used if both ends ask, and are gone with the session`() async throws {
    try await withRuntimeDirectory { directory in
      let prefix = "sluice.\(app(directory).name)."
      let server = try SessionServer(app(directory), options: named(.group))
      for (options, backing) in [(named(.owner), SegmentBacking.named(.group)), (SessionOptions(), .sealedMemory)] {
        let client = try await ClientSession.connect(ClientApp("test-client"), to: app(directory), options: options)
        async let opening = client.openChannel(Exchange.self)
        let (session, taken) = try await server.nextChannel()
        let channel = try await opening
        var notes = taken.notifications.makeAsyncIterator()
        try await channel.notify(try message(on: channel, byteCount: 100_000, of: 1))
        let arrived = try #require(try await notes.next())
        #expect(arrived.placement.allSatisfy { $0.segmentName == "\(prefix)\(client.name).client.0" })
        let segments = session.segments.filter { $0.name.hasSuffix(".client.0") }
        #expect(segments.map(\.backing) == [backing])
        let path = "/dev/shm/\(prefix)\(client.name).client.0"
        #expect(FileManager.default.fileExists(atPath: path) == (backing != .sealedMemory))
        // Server-wide memory is named: shown to who asked for such, copied for who did not.
        var back = channel.notifications.makeAsyncIterator()
        var shared = try server.makeMessage(Exchange.self)
        shared.root.number = 6
        fillBytes(shared.root, byteCount: 2000, with: 1)
        try await taken.notify(shared)
        let seen = try #require(try await back.next())
        #expect(try seen.read { $0.number } == 6)
        #expect(session.statistics.messagesCopied == (backing == .sealedMemory ? 1 : 0))
        client.close()
        _ = await session.end()
      }
      server.shutdown()
    }
  }

  @Test func `after both ends were killed the next start removes what they left, and nothing of the living`()
    async throws
  {
    try await withRuntimeDirectory { directory in
      try await withRuntimeDirectory { elsewhere in
        // A session of another app, alive all the time.
        let living = try SessionServer(app(elsewhere), options: named(.owner))
        let client = try await ClientSession.connect(
          ClientApp("test-client"), to: app(elsewhere), options: named(.owner))
        async let opening = client.openChannel(Exchange.self)
        let (_, channel) = try await living.nextChannel()
        _ = try await opening
        let kept = try message(on: channel, byteCount: 1000, of: 2)
        let aliveFiles = try files(elsewhere)
        #expect(aliveFiles.count >= 3)

        let name = app(directory).name
        try await withPeer("serve-named", directory) { server in
          try await server.line("ready")
          try await withPeer("hold-named", directory) { holder in
            try await holder.line("holding")
            let found = try files(directory)
            #expect(found.count >= 4, "segments and locks of both ends")
            // Both at once: no survivor can tidy up.
            holder.stop()
            server.kill()
            holder.kill()
          }
        }
        #expect(try files(directory).isEmpty == false, "SIGKILL leaves files: else this shows nothing")
        let next = try SessionServer(app(directory), options: named(.owner))
        #expect(try files(directory) == ["sluice.\(name).all.server.lock"])
        #expect(try files(elsewhere) == aliveFiles)
        next.shutdown()
        withExtendedLifetime(kept) {}
        client.close()
        living.shutdown()
      }
    }
  }

  @Test func `when one end is killed the other removes what it left`() async throws {
    try await withRuntimeDirectory { directory in
      let server = try SessionServer(app(directory), options: named(.owner))
      try await withPeer("hold-named", directory) { holder in
        let (session, channel) = try await server.nextChannel()
        var requests = channel.requests.makeAsyncIterator()
        let request = try #require(try await requests.next())
        try await request.reply(try message(on: channel, byteCount: 100_000, of: 1))
        let name = try #require(try await holder.line("holding").split(separator: " ").last)
        #expect(try files(directory).contains { $0.contains("\(name).client.0") })
        holder.kill()
        #expect(await session.end() == .peerDied(pid: holder.processID))
        #expect(try files(directory).filter { $0.contains("\(name).client.") } == [])
      }
      server.shutdown()
    }
  }

  private func files(_ directory: FilePath) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "/dev/shm").filter {
      $0.hasPrefix("sluice.\(app(directory).name).")
    }.sorted()
  }

  private func named(_ access: SegmentAccess) -> SessionOptions {
    var options = SessionOptions()
    options.segmentBacking = .named(access)
    return options
  }
}

extension Session {
  /// Waits until the other end has given everything back.
  func allReturned() async {
    let lender = core.parts.carrier.lender
    while true {
      let signal = OneShot<Bool>()
      let waiting = lender.waitForReturn { signal.fulfill(true) }
      defer { lender.stopWaiting(waiting) }
      if lender.outstandingCount == 0 { return }
      _ = await signal.wait(onCancel: false)
    }
  }
}

/// One chunk of `byteCount` bytes, all of them `byte`.
func fillBytes(_ root: Exchange.Builder, byteCount: Int, with byte: UInt8) {
  root.initChunks(1).initData(at: 0, byteCount: byteCount) { output in
    output.withUnsafeMutableBytes { bytes, count in
      if let base = bytes.baseAddress { memset(base, Int32(byte), byteCount) }
      count = byteCount
    }
  }
}
