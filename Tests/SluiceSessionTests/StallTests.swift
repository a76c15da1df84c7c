import Sluice
import SystemPackage
import TestSchema
import Testing

/// What a session does whose other end does not receive.
@Suite(.timeLimit(.minutes(2))) struct StallTests {
  @Test func `a session over a socket ends when no byte finds room for too long`() async throws {
    try await withRuntimeDirectory { directory in
      try await withPeer("serve", directory, "test-client") { peer in
        try await peer.line("ready")
        var options = SessionOptions()
        options.link = .socket
        options.socketSendBufferByteCount = 4096
        options.socketStallTimeout = .milliseconds(20)
        let session = try await ClientSession.connect(testClient, to: testApp(directory), options: options)
        let channel = try await session.openChannel(Exchange.self)
        // Its process lives, so nothing but the room it does not make tells.
        peer.stop()
        do {
          // Fewer than the channel has credit for fill the buffer.
          while true { try await Self.notify(channel) }
        } catch {
          #expect("\(error)".contains("no room"), "\(error)")
        }
        let end = await session.end()
        #expect("\(end as Any)".contains("no room"), "\(end as Any)")
        peer.goOn()
      }
    }
  }

  private static func notify(_ channel: Channel<Exchange>) async throws {
    var note = try channel.makeMessage()
    note.root.text = String(repeating: "x", count: 400)
    try await channel.notify(note)
  }
}
