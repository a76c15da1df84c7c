import Foundation
import Sluice
import SystemPackage
import Testing

/// Containers that are lent over a session, and read in the memory of who built them.
@Suite(.timeLimit(.minutes(1))) struct TravelTests {
  typealias Prices = SharedRoot<SharedDictionary<SharedString, SharedArray<Double>>>
  typealias Sums = SharedRoot<SharedDictionary<SharedString, Double>>

  private func withSession(
    _ link: LinkChoice = .ring, readWrite: (server: Bool, client: Bool) = (false, false),
    types: [ChannelType]? = nil, _ body: (_ server: Session, _ client: Session) async throws -> Void
  ) async throws {
    let directory = FilePath("/tmp/sluice-test-\(UUID().uuidString.prefix(13))")
    defer { try? FileManager.default.removeItem(atPath: directory.string) }
    let app = ServerApp("containers", allowing: ["test-client"], runtimeDirectory: directory)
    var options = SessionOptions()
    options.link = link
    // Small, so that there is room for those of many tests.
    options.queueSize = QueueSize(capacity: 2, messageByteCount: 256)
    options.readWriteArenas = readWrite.server
    options.channelTypes = types
    let server = try SessionServer(app, options: options)
    defer { server.shutdown() }
    var sessions = server.sessions.makeAsyncIterator()
    options.readWriteArenas = readWrite.client
    options.channelTypes = nil
    let client = try await ClientSession.connect(ClientApp("test-client"), to: app, options: options)
    try await body(try #require(try await sessions.next()), client)
    client.close()
  }

  private func channel<Value: SharedValue & ~Escapable>(
    _ server: Session, _ client: Session, _ root: SharedRoot<Value>.Type
  ) async throws -> (client: Channel<SharedRoot<Value>>, server: Channel<SharedRoot<Value>>) {
    async let opened = client.openChannel(root)
    var channels = server.channels(of: root).makeAsyncIterator()
    let taken = try #require(try await channels.next())
    return (try await opened, taken)
  }

  private func next<Value: SharedValue & ~Escapable>(
    _ channel: Channel<SharedRoot<Value>>
  ) async throws -> Message<SharedRoot<Value>>? {
    var notifications = channel.notifications.makeAsyncIterator()
    return try await notifications.next()
  }

  @Test(arguments: [LinkChoice.ring, .socket, .queue])
  func `a lent dictionary is read in place, and its memory comes back`(link: LinkChoice) async throws {
    try await withSession(link) { server, client in
      let ends = try await channel(server, client, Prices.self)
      let prices = Dictionary(
        uniqueKeysWithValues: (0..<100).map { ("share \($0)", [Double](repeating: 1, count: $0)) })
      do {
        var message = try ends.server.makeMessage()
        try message.root.set(prices)
        try await ends.server.notify(message)
        let received = try #require(try await next(ends.client))
        #expect(received.placement == ends.server.placement(of: message))
        for (name, expected) in prices {
          let root = try received.root
          let found = try root.value
          var copy: [Double]?
          if let series = try found[name] { copy = series.copy() }
          #expect(copy == expected)
        }
        #expect(server.statistics.leasesOut == 1)
      }
      // The thread that delivered it may hold it a moment longer; the suite's time limit is the end of that.
      while server.statistics.leasesOut > 0 { await Task.yield() }
      #expect(server.statistics.messagesCopied == 0)
    }
  }

  @Test func `a container stays readable after its session has ended`() async throws {
    var held: Message<Prices>?
    try await withSession { server, client in
      let ends = try await channel(server, client, Prices.self)
      var message = try ends.server.makeMessage()
      try message.root.set(["ACME": [1.5]])
      try await ends.server.notify(message)
      held = try await next(ends.client)
      server.close()
      _ = await client.end()
    }
    let message = try #require(held)
    let root = try message.root
    let prices = try root.value
    var copy: [Double]?
    if let series = try prices["ACME"] { copy = series.copy() }
    #expect(copy == [1.5])
  }

  @Test func `ends that disagree on the type get no channel`() async throws {
    #expect(Prices.typeID != Sums.typeID)
    #expect(Prices.typeName == "SharedRoot<dictionary<string,array<f64>>>")
    try await withSession(types: [ChannelType(Sums.self)]) { server, client in
      await #expect {
        try await client.openChannel(Prices.self)
      } throws: { error in
        if case SessionError.channelRefused(.unknownType, _) = error { true } else { false }
      }
      // It is only about the type.
      _ = try await channel(server, client, Sums.self)
    }
  }

  @Test func `memory that both ends write to goes with a message, if both ask for it`() async throws {
    try await withSession(readWrite: (true, true)) { server, client in
      let ends = try await channel(server, client, Sums.self)
      let arena = try server.makeReadWriteArena(byteCount: 1 << 16)
      let offset = try arena.allocate(byteCount: 8)
      var message = try ends.server.makeMessage()
      try message.root.set(["offset": Double(offset)])
      try await ends.server.notify(message, handles: [arena.handle])
      let received = try #require(try await next(ends.client))
      let joined = try client.joinReadWriteArena(try #require(received.takeHandles().first))
      try joined.atomic(UInt64.self, at: offset).store(42)
      #expect(try arena.atomic(UInt64.self, at: offset).load() == 42)
      // Both ends name it, and list it as what it is.
      let name = "sluice.containers.\(server.name).server-shared.0"
      let (own, borrowed) = (server.segments.filter(\.isReadWrite), client.segments.filter(\.isReadWrite))
      #expect(own.map(\.name) == [name] && borrowed.map(\.name) == [name])
      #expect(own.allSatisfy { !$0.isBorrowed } && borrowed.allSatisfy(\.isBorrowed))
      #expect(
        try server.makeReadWriteArena(byteCount: 8192).segment.name
          == "sluice.containers.\(server.name).server-shared.1")
    }
  }

  @Test(arguments: [(true, false), (false, true), (false, false)])
  func `memory that both ends write to is refused unless both ask for it`(server: Bool, client: Bool) async throws {
    try await withSession(readWrite: (server, client)) { server, client in
      let arena = try ReadWriteArena(name: "unasked", byteCount: 8192)
      for session in [server, client] {
        #expect(!session.allowsReadWriteArenas)
        #expect {
          _ = try session.makeReadWriteArena(byteCount: 8192)
        } throws: { error in
          if case SessionError.readWriteNotAgreed = error { true } else { false }
        }
        #expect {
          _ = try session.joinReadWriteArena(arena.handle)
        } throws: { error in
          if case SessionError.readWriteNotAgreed = error { true } else { false }
        }
      }
    }
  }

  @Test func `no address of the builder stands in a container`() async throws {
    try await withSession { server, client in
      let ends = try await channel(server, client, Prices.self)
      var message = try ends.server.makeMessage()
      try message.root.set(["ACME": [Double](repeating: 0, count: 2000)])
      try await ends.server.notify(message)
      let received = try #require(try await next(ends.client))
      let root = try received.root
      let blob = try root.raw.data(at: 0)
      // Every mapping of this process lies in the lower half of the addresses, above 2^32.
      let words = (0..<(blob.byteCount / 8)).map { blob.unsafeLoadUnaligned(fromByteOffset: $0 * 8, as: UInt.self) }
      let maps = try String(contentsOfFile: "/proc/self/maps", encoding: .utf8).split(separator: "\n").compactMap {
        line -> ClosedRange<UInt>? in
        let ends = line.prefix { $0 != " " }.split(separator: "-").compactMap { UInt($0, radix: 16) }
        return ends.count == 2 ? ends[0]...ends[1] : nil
      }
      #expect(maps.count > 10 && !words.contains { word in maps.contains { $0.contains(word) } })
    }
  }
}
