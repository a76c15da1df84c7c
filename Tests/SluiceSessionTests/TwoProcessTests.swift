import Foundation
import Sluice
import SystemPackage
import TestSchema
import Testing

/// What a session must do between two real processes. The other process is `TestPeer`.
@Suite(.timeLimit(.minutes(2))) struct TwoProcessTests {
  /// Each test has a server app of its own.
  private func name(_ directory: FilePath) -> String { directory.lastComponent?.string ?? "" }

  private func app(_ directory: FilePath) -> ServerApp {
    ServerApp(name(directory), allowing: ["test-client"], runtimeDirectory: directory)
  }

  private func connect(_ directory: FilePath, _ link: LinkChoice) async throws -> Session {
    try await ClientSession.connect(ClientApp("test-client"), to: app(directory), options: SessionOptions().over(link))
  }

  private func ask(
    _ channel: Channel<Exchange>, _ text: String, _ number: UInt64 = 0, handles: [Handle] = []
  ) async throws -> Message<Exchange> {
    var request = try channel.makeMessage()
    request.root.text = text
    request.root.number = number
    return try await channel.request(request, handles: handles, timeout: .seconds(60))
  }

  private func number(_ message: Message<Exchange>) throws -> UInt64 {
    try message.read { $0.number }
  }

  // MARK: Exchanges

  @Test(arguments: LinkTests.kinds) func `a request is answered`(link: LinkChoice) async throws {
    try await withRuntimeDirectory { directory in
      let status = try await withPeer("serve", directory, "test-client", "link=\(link)") { peer in
        try await peer.line("ready")
        let session = try await connect(directory, link)
        let channel = try await session.openChannel(Exchange.self)
        for asked in 0..<100 as Range<UInt64> {
          let response = try await ask(channel, "echo", asked)
          #expect(try number(response) == asked + 1)
        }
        #expect(session.statistics.messagesReceived == 100)
        #expect(session.statistics.messagesCopied == 0)
        session.close()
        try await peer.line("ended closed by the other end")
      }
      #expect(status == .exited(0))
    }
  }

  @Test(arguments: LinkTests.kinds) func `a blocking request is answered, from many threads at once`(link: LinkChoice)
    async throws
  {
    try await withRuntimeDirectory { directory in
      try await withPeer("serve", directory, "test-client", "link=\(link)") { peer in
        try await peer.line("ready")
        let session = try ClientSession.connectSync(
          ClientApp("test-client"), to: app(directory), options: SessionOptions().over(link))
        let channel = try session.openChannelSync(Exchange.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
          for thread in 0..<4 as Range<UInt64> {
            group.addTask {
              try await onThread {
                for round in 0..<50 as Range<UInt64> {
                  var request = try channel.makeMessage()
                  request.root.text = "echo"
                  request.root.number = thread * 1000 + round
                  let response = try channel.requestSync(request, timeout: .seconds(60))
                  #expect(try number(response) == thread * 1000 + round + 1)
                }
              }
            }
          }
          try await group.waitForAll()
        }
      }
    }
  }

  @Test(arguments: LinkTests.kinds) func `a payload is read where the other process built it`(link: LinkChoice)
    async throws
  {
    try await withRuntimeDirectory { directory in
      try await withPeer("serve", directory, "test-client", "link=\(link)") { peer in
        try await peer.line("ready")
        let session = try await connect(directory, link)
        let channel = try await session.openChannel(Exchange.self)
        let size = 70 << 20
        let response = try await ask(channel, "payload", UInt64(size))
        // The other process says in which inodes it built the message, and where.
        let theirs = try response.root.text
        let ours = response.placement.map { "\($0.inode):\($0.offset)" }
        #expect(theirs.split(separator: " ").map(String.init) == ours)
        #expect(
          response.placement.allSatisfy {
            $0.segmentName.hasPrefix("sluice.\(name(directory)).\(session.name).server.")
          })
        try check(response, byteCount: size)
        #expect(session.statistics.bytesCopied == 0)
      }
    }
  }

  private func check(_ response: Message<Exchange>, byteCount: Int) throws {
    try response.read { root in
      let chunks = try root.chunks
      var total = 0
      for index in chunks.indices {
        let chunk = try chunks[index]
        for position in [0, 1, 4095, 4096, chunk.byteCount / 2, chunk.byteCount - 1] where position < chunk.byteCount {
          let byte = chunk.unsafeLoad(fromByteOffset: position, as: UInt8.self)
          #expect(byte == UInt8((position + index) % 251))
        }
        total += chunk.byteCount
      }
      #expect(total == byteCount)
    }
  }

  @Test(arguments: LinkTests.kinds) func `the receiver's private memory does not grow with the payload`(
    link: LinkChoice
  ) async throws {
    try await withRuntimeDirectory { directory in
      try await withPeer("serve", directory, "test-client", "link=\(link)") { server in
        try await server.line("ready")
        let size = 100_000_000
        let status = try await withPeer("memory", directory, "1000000", "\(size)") { client in
          let line = try await client.line("size \(size)")
          let grown = try #require(Int(line.split(separator: " ")[3]))
          #expect(grown < size / 50, "RssAnon grew by \(grown) bytes")
        }
        #expect(status == .exited(0))
      }
    }
  }

  @Test(arguments: LinkTests.kinds) func `either side opens a channel, and the other sees its metadata`(
    link: LinkChoice
  ) async throws {
    try await withRuntimeDirectory { directory in
      try await withPeer("serve", directory, "test-client", "link=\(link)") { peer in
        try await peer.line("ready")
        let session = try await connect(directory, link)
        let channel = try await session.openChannel(Exchange.self)
        async let response = ask(channel, "call back")
        var channels = session.channels(of: Exchange.self).makeAsyncIterator()
        let back = try #require(try await channels.next())
        #expect(back.metadata == Metadata("from the server".utf8))
        var requests = back.requests.makeAsyncIterator()
        let question = try #require(try await requests.next())
        var answer = try back.makeMessage()
        answer.root.number = try question.message.root.number + 1
        try await question.reply(answer)
        #expect(try number(try await response) == 21)
      }
    }
  }

  @Test(arguments: LinkTests.kinds) func `handles go both ways with their messages`(link: LinkChoice) async throws {
    try await withRuntimeDirectory { directory in
      try await withPeer("serve", directory, "test-client", "link=\(link)") { peer in
        try await peer.line("ready")
        let session = try await connect(directory, link)
        let channel = try await session.openChannel(Exchange.self)
        let pipe = try FileDescriptor.pipe()
        let response = try await ask(channel, "handle", handles: [Handle(owning: pipe.writeEnd)])
        #expect(try readText(pipe.readEnd) == "written by the peer")
        try pipe.readEnd.close()
        let files = response.takeHandles()
        #expect(files.count == 1)
        #expect(try readText(files[0].descriptor) == "TestPeer\n")
        #expect(response.takeHandles().isEmpty)
      }
    }
  }

  private func readText(_ file: FileDescriptor) throws -> String {
    try withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 1) { buffer in
      String(decoding: buffer.prefix(try file.read(into: buffer)), as: UTF8.self)
    }
  }

  // MARK: Failures

  @Test(arguments: LinkTests.kinds) func `a failure comes back with code and text`(link: LinkChoice) async throws {
    try await withRuntimeDirectory { directory in
      try await withPeer("serve", directory, "test-client", "link=\(link)") { peer in
        try await peer.line("ready")
        let channel = try await connect(directory, link).openChannel(Exchange.self)
        await #expect { try await ask(channel, "fail") } throws: { error in
          if case ChannelError.failed(code: 42, text: "as asked", details: Metadata([4, 2])) = error {
            true
          } else {
            false
          }
        }
        await #expect { try await ask(channel, "ignore") } throws: { error in
          if case ChannelError.failed(code: ChannelFailureCode.unanswered, _, _) = error { true } else { false }
        }
      }
    }
  }

  @Test(arguments: LinkTests.kinds) func `a request without an answer ends at its deadline, and the channel works on`(
    link: LinkChoice
  ) async throws {
    try await withRuntimeDirectory { directory in
      try await withPeer("serve", directory, "test-client", "link=\(link)") { peer in
        try await peer.line("ready")
        let session = try await connect(directory, link)
        let channel = try await session.openChannel(Exchange.self)
        await #expect {
          var request = try channel.makeMessage()
          request.root.text = "hang"
          return try await channel.request(request, timeout: .milliseconds(50))
        } throws: { error in
          if case ChannelError.timedOut = error { true } else { false }
        }
        #expect {
          var request = try channel.makeMessage()
          request.root.text = "hang"
          return try channel.requestSync(request, timeout: .milliseconds(50))
        } throws: { error in
          if case ChannelError.timedOut = error { true } else { false }
        }
        #expect(try number(try await ask(channel, "echo", 1)) == 2)
        #expect(channel.statistics.requestsPending == 0)
        peer.kill()
        #expect(await session.end() == .peerDied(pid: peer.processID))
      }
    }
  }

  @Test(arguments: LinkTests.kinds) func `a cancelled request is withdrawn, and the channel works on`(link: LinkChoice)
    async throws
  {
    try await withRuntimeDirectory { directory in
      try await withPeer("serve", directory, "test-client", "link=\(link)") { peer in
        try await peer.line("ready")
        let session = try await connect(directory, link)
        let channel = try await session.openChannel(Exchange.self)
        let asking = Task { try await ask(channel, "hang") }
        try await peer.line("hanging")
        asking.cancel()
        await #expect { try await asking.value } throws: { error in
          if case ChannelError.cancelled = error { true } else { false }
        }
        #expect(channel.statistics.requestsPending == 0)
        #expect(try number(try await ask(channel, "echo", 1)) == 2)
        peer.kill()
        #expect(await session.end() == .peerDied(pid: peer.processID))
      }
    }
  }

  // MARK: Death

  @Test(arguments: LinkTests.kinds) func `a server killed during requests fails each once, and leaves nothing`(
    link: LinkChoice
  ) async throws {
    try await withRuntimeDirectory { directory in
      try await withPeer("serve", directory, "test-client", "link=\(link)") { peer in
        try await peer.line("ready")
        let session = try await connect(directory, link)
        let channel = try await session.openChannel(Exchange.self)
        let held = try await ask(channel, "payload", 100_000)
        let failures = try await withThrowingTaskGroup(of: Bool.self) { group in
          for _ in 0..<5 {
            group.addTask {
              do {
                _ = try await ask(channel, "hang")
                return false
              } catch ChannelError.sessionEnded(.peerDied(pid: peer.processID)) {
                return true
              }
            }
          }
          for _ in 0..<5 { try await peer.line("hanging") }
          peer.kill()
          return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(failures == 5)
        #expect(await session.end() == .peerDied(pid: peer.processID))
        try check(held, byteCount: 100_000)  // what was received stays readable
        await #expect { try await ask(channel, "echo") } throws: { error in
          if case ChannelError.sessionEnded(.peerDied) = error { true } else { false }
        }
        // The client tidied up after the server it saw dying.
        #expect(entries(of: directory) == [])
      }
      try await Resources.expectNone(of: name(directory))
    }
  }

  @Test(arguments: LinkTests.kinds)
  func `a client killed with a request and a response open fails the one and returns the other`(link: LinkChoice)
    async throws
  {
    try await withRuntimeDirectory { directory in
      let server = try SessionServer(app(directory), options: SessionOptions().over(link))
      try await withPeer("hold", directory, "link=\(link)") { client in
        var sessions = server.sessions.makeAsyncIterator()
        let session = try #require(try await sessions.next())
        #expect(session.peer.credentials.pid == client.processID)
        var channels = session.channels(of: Exchange.self).makeAsyncIterator()
        let channel = try #require(try await channels.next())
        var requests = channel.requests.makeAsyncIterator()
        let request = try #require(try await requests.next())
        var response = try channel.makeMessage()
        response.root.setText(String(repeating: "x", count: 1_000_000))
        try await request.reply(response)
        try await client.line("holding")
        #expect(session.statistics.leasesOut == 1)

        let question = Task { try await ask(channel, "echo") }
        client.kill()
        await #expect { try await question.value } throws: { error in
          if case ChannelError.sessionEnded(.peerDied(pid: client.processID)) = error { true } else { false }
        }
        #expect(await session.end() == .peerDied(pid: client.processID))
        #expect(session.statistics.leasesOut == 0)
        await #expect(throws: ChannelError.self) { try await requests.next() }
        await #expect(throws: SessionError.self) { try await channels.next() }
      }
      server.shutdown()
      try await Resources.expectNone(of: name(directory))
    }
  }
}

extension Exchange.Builder {
  fileprivate func setText(_ text: String) { self.text = text }
}

/// Runs `body` on a thread of its own, as who may block.
func onThread(_ body: @escaping @Sendable () throws -> Void) async throws {
  try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
    Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
  }
}
