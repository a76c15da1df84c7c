import Foundation
import Sluice
import SystemPackage
import TestSchema
import Testing
import TestSupport

@testable import SluiceChannel
@testable import SluiceSession

/// What another process finds in memory that it borrowed, how long, and what it cannot do there. The borrower is `TestPeer`.
@Suite(.timeLimit(.minutes(2))) struct BorrowerTests {
  private func nextRequest(_ channel: Channel<Exchange>) async throws -> Request<Exchange> {
    var requests = channel.requests.makeAsyncIterator()
    return try #require(try await requests.next())
  }

  private func message(
    on channel: Channel<Exchange>, byteCount: Int, of byte: UInt8
  ) throws -> MessageBuilder<Exchange> {
    var message = try channel.makeMessage()
    fillBytes(message.root, byteCount: byteCount, with: byte)
    return message
  }

  @Test func `a response of 1 GiB is read at the same offset of the same inode, and not copied`() async throws {
    try await withRuntimeDirectory { directory in
      let server = try SessionServer(testApp(directory))
      try await withPeer("gigabyte", directory) { client in
        let (session, channel) = try await server.nextChannel()
        try await nextRequest(channel).reply(try message(on: channel, byteCount: 100_000, of: 1))
        let request = try await nextRequest(channel)
        var response = try channel.makeMessage()
        fillGigabyte(response.root)
        let places = try placesOfChunks(response)
        try await request.reply(response)
        let words = try await client.line("read ").split(separator: " ").dropFirst().map(String.init)
        // Not what the library says of itself: what the kernel says of the addresses that both ends read and wrote.
        #expect(Array(words.prefix(4)) == places)
        #expect(places.allSatisfy { $0.hasSuffix(":\(256 << 20):3") } && Set(places).count == 4)
        #expect(try #require(words.last.flatMap { Int($0) }) < 64 << 20, "the client has a copy of its own")
        #expect(session.statistics.bytesCopied == 0)
      }
      server.shutdown()
    }
  }

  /// Where each chunk of a message that is being built stands, by the kernel's list of this process's mappings.
  private func placesOfChunks(_ message: borrowing MessageBuilder<Exchange>) throws -> [String] {
    let maps = try ProcessFile.text("/proc/self/maps").split(separator: "\n").map { $0.split(separator: " ") }
    return try message.read { root in
      let chunks = try root.chunks
      var places: [String] = []
      for index in chunks.indices {
        try chunks[index].withUnsafeBytes { bytes in
          let address = UInt(bitPattern: bytes.baseAddress)
          for words in maps where words.count > 5 {
            let bounds = words[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
            guard bounds.count == 2, (bounds[0]..<bounds[1]).contains(address) else { continue }
            let offset = try #require(UInt(words[2], radix: 16)) + address - bounds[0]
            places.append("\(words[4]):\(offset):\(bytes.count):\(bytes[0])")
          }
        }
      }
      return places
    }
  }

  @Test(arguments: LinkTests.kinds)
  func `messages outlive their session in another process, and then nothing is left at either end`(
    link: LinkChoice
  ) async throws {
    try await withRuntimeDirectory { directory in
      let app = testApp(directory)
      do {
        let server = try SessionServer(app, options: SessionOptions().over(link))
        try await withPeer("outlive", directory, "link=\(link)") { client in
          let first = try await server.nextChannel()
          try await nextRequest(first.channel).reply(try message(on: first.channel, byteCount: 100_000, of: 1))
          first.session.close()
          let (session, channel) = try await server.nextChannel()
          do {
            let own = try message(on: channel, byteCount: 300_000, of: 2)
            try await nextRequest(channel).reply(own)
            var shared = try server.makeMessage(Exchange.self)
            fillBytes(shared.root, byteCount: 400_000, with: 3)
            try await channel.notify(shared)
          }
          try await client.line("holding")
          session.close()
          try await client.line("ended")
          #expect((400_000..<500_000).contains(server.memory.inUseByteCount))
          // What is built now stands elsewhere.
          var others: [Built] = []
          for _ in 0..<20 { others.append(Built(try server.makeMessage(Exchange.self), byteCount: 400_000, of: 9)) }
          try await client.say("look")
          let before = try await client.line("sums ")
          #expect(before.hasPrefix("sums 600000 1200000 left "))
          others = []
          try await client.say("release")
          let after = try await client.line("sums ")
          #expect(after.hasPrefix("sums  left ") && after.hasSuffix(", 0 mappings"))
          // Segments' descriptors are closed once they are mapped: none is more, or fewer, for what was held.
          #expect(descriptors(after) <= descriptors(before))
          while server.memory.inUseByteCount > 0 { await Task.yield() }
        }
        server.shutdown()
      }
      try await Resources.expectNone(of: app.name)
    }
  }

  private func descriptors(_ line: String) -> Int {
    line.split(separator: " ").dropLast(3).last.flatMap { Int($0) } ?? -1
  }

  @Test func `a borrower at any uid that writes, reopens, truncates or punches fails, and it alone`() async throws {
    try await withRuntimeDirectory { directory in
      let server = try SessionServer(testApp(directory))
      let bystander = try await ClientSession.connect(testClient, to: testApp(directory))
      async let opening = bystander.openChannel(Exchange.self)
      let (_, unharmed) = try await server.nextChannel()
      var notes = try await opening.notifications.makeAsyncIterator()
      let status = try await withPeer("attack", directory) { attacker in
        let (session, channel) = try await server.nextChannel()
        let request = try await nextRequest(channel)
        let response = try message(on: channel, byteCount: 1 << 20, of: 0x5a)
        let segment = try #require(session.core.parts.carrier.arena.segments.first)
        try await request.reply(response, handles: [segment.handle])
        for user in isRoot ? ["owner", "nobody"] : ["owner"] {
          for name in ["write", "shrink", "grow", "punch", "map", "protect", "remove"] {
            let line = try await attacker.line("attack \(user) \(name)")
            #expect(line == "attack \(user) \(name) failed")
          }
          let reopened = try await attacker.line("attack \(user) reopen")
          if reopened.hasSuffix("opened") {
            for name in ["write", "shrink", "grow", "punch", "map", "protect", "remove"] {
              let line = try await attacker.line("attack \(user)-reopened \(name)")
              #expect(line == "attack \(user)-reopened \(name) failed")
            }
          }
          // The arena, the return table, and the ring, twice.
          let line = try await attacker.line("attack \(user) all ")
          let words = line.split(separator: " ", omittingEmptySubsequences: false)
          #expect(try #require(Int(words[3])) >= 3)
          #expect(words.dropFirst(4) == ["worked", ""])
        }
        try await attacker.line("writing")
        #expect(await session.end() == .peerDied(pid: attacker.processID))
        // Nothing was changed, and what it held is the owner's again.
        let isWhole = try response.read { root in
          let chunk = try root.chunks[0]
          return chunk.withUnsafeBytes { bytes in bytes.count == 1 << 20 && bytes.allSatisfy { $0 == 0x5a } }
        }
        #expect(isWhole)
        #expect(session.statistics.leasesOut == 0)
      }
      #expect(status == .signaled(SIGSEGV), "it wrote where it may not")
      // Another session goes on.
      try await unharmed.notify(try message(on: unharmed, byteCount: 100_000, of: 7))
      let note = try #require(try await notes.next())
      #expect(try note.read { root in try root.chunks[0].byteCount } == 100_000)
      bystander.close()
      server.shutdown()
    }
  }

  @Test func `a borrower that reads all it may map finds nothing of another session and no pointer, within the limit`()
    async throws
  {
    try await withRuntimeDirectory { directory in
      let limit = 2 << 20
      var options = SessionOptions()
      options.arenaByteLimit = limit
      options.serverWideByteLimit = limit
      let server = try SessionServer(testApp(directory), options: options)
      // Sessions full of a byte of their own: one that has ended, whose memory may be used again, and one that lives.
      for round in 0..<2 {
        let other = try await ClientSession.connect(testClient, to: testApp(directory))
        async let opening = other.openChannel(Exchange.self)
        let (session, channel) = try await server.nextChannel()
        var notes = try await opening.notifications.makeAsyncIterator()
        for byteCount in [100, 2000, 20_000, 200_000, 400_000] {
          try await channel.notify(try message(on: channel, byteCount: byteCount, of: 178))
          _ = try await notes.next()
        }
        if round == 0 {
          other.close()
          _ = await session.end()
        } else {
          try await scan(server, directory, limit)
        }
      }
      server.shutdown()
    }
  }

  private func scan(
    _ server: SessionServer, _ directory: FilePath, _ limit: Int
  ) async throws {
    let status = try await withPeer("scan", directory, "161", "162", "178") { client in
      let (session, channel) = try await server.nextChannel()
      try await nextRequest(channel).reply(try message(on: channel, byteCount: 300_000, of: 161))
      var shared = try server.makeMessage(Exchange.self)
      fillBytes(shared.root, byteCount: 100_000, with: 162)
      try await channel.notify(shared)
      try await client.line("holding")
      // Some of all sizes, which are free again.
      for byteCount in [100, 1000, 5000, 50_000, 500_000] {
        _ = try message(on: channel, byteCount: byteCount, of: 161)
      }
      let arena = session.core.parts.carrier.arena
      #expect(arena.statistics.residentByteCount < arena.statistics.mappedByteCount, "there is something to touch")
      try await client.say("scan")
      let words = try await client.line("scanned").split(separator: " ")
      #expect(words.dropFirst(2) == ["pointers", "0", "found", "161", "162"])
      // All was touched now: what is resident is at most what the arena may take.
      for memory in [arena.statistics, server.memory] {
        #expect(memory.mappedByteCount <= limit)
        #expect(memory.residentByteCount == memory.mappedByteCount)
      }
      #expect(try #require(Int(words[1])) > arena.statistics.mappedByteCount + server.memory.mappedByteCount)
      // It would be found, if there were one, at whatever offset.
      var betraying = try channel.makeMessage()
      let address = UInt(bitPattern: Unmanaged.passUnretained(session).toOpaque())
      betraying.root.initChunks(1).initData(at: 0, byteCount: 10_000) { output in
        for _ in 0..<5 { output.append(0, as: UInt8.self) }
        output.append(address, as: UInt.self)
      }
      try await channel.notify(betraying)
      try await client.say("take")
      #expect(try await client.line("scanned").contains(" pointers 1 found 161 162"))
    }
    #expect(status == .exited(0))
  }
}

/// A message that is kept.
private final class Built {
  private let message: MessageBuilder<Exchange>

  init(_ message: consuming MessageBuilder<Exchange>, byteCount: Int, of byte: UInt8) {
    fillBytes(message.root, byteCount: byteCount, with: byte)
    self.message = message
  }
}

private func fillGigabyte(_ root: Exchange.Builder) {
  let chunks = root.initChunks(4)
  for index in chunks.indices {
    chunks.initData(at: index, byteCount: 256 << 20) { output in
      output.withUnsafeMutableBytes { bytes, count in
        if let base = bytes.baseAddress { memset(base, 3, 256 << 20) }
        count = 256 << 20
      }
    }
  }
}
