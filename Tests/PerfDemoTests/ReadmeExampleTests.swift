import PerfDemoSchema
import Sluice
import Testing

@testable import perf_demo

/// The program that the readme shows, with both ends in one process.
@Suite struct ReadmeExampleTests {
  @Test func `the example compiles and delivers`() async throws {
    try await DemoProcess.withDirectory { demo in
      let app = ServerApp(
        "cache-server", allowing: ["cache-client"], runtimeDirectory: demo.directory.runtimeDirectory)
      let server = try SessionServer(app)
      defer { server.shutdown() }
      let serving = Task { try await serve(server, bytes: [1, 2, 3]) }
      defer { serving.cancel() }

      let session = try await ClientSession.connect(ClientApp("cache-client"), to: app)
      let channel = try await session.openChannel(Cache.self)
      var request = try channel.makeMessage()
      request.root.initGetCacheReq().fileName = "huge-file.bin"
      let response = try await channel.request(request, timeout: .seconds(60))
      let parts = try response.root.getCacheRsp.fileParts
      #expect(parts.count == 1)
      let data = try parts[0].data
      #expect((0..<data.byteCount).map { data.unsafeLoad(fromByteOffset: $0, as: UInt8.self) } == [1, 2, 3])
    }
  }

  private func serve(_ server: SessionServer, bytes: [UInt8]) async throws {
    for try await session in server.sessions {
      Task {
        for try await channel in session.channels(of: Cache.self) {
          for try await request in channel.requests {
            var reply = try channel.makeMessage()
            reply.root.initGetCacheRsp().initFileParts(1)[0].setData(bytes)
            try await request.reply(reply)
          }
        }
      }
    }
  }
}
