import ArgumentParser
import BenchSchema
import Foundation
import Sluice
import SystemPackage

/// Round trips of a session whose two ends are two threads of this process: for profilers, which count its instructions.
struct ProfileCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "profile", shouldDisplay: false)

  @Option var count = 100_000
  @Flag var spinning = false

  func run() async throws {
    let meeting = try Meeting.create()
    defer { meeting.remove() }
    let app = meeting.app(spinning: spinning)
    let server = try SessionServer(app, options: try Meeting.options(spinning: spinning))
    defer { server.shutdown() }
    let serving = Task {
      for try await session in server.sessions {
        for try await channel in session.channels(of: Ping.self) {
          Thread.detachNewThread { try? Self.answer(channel, server) }
        }
      }
    }
    defer { serving.cancel() }
    let session = try await ClientSession.connect(
      Meeting.client, to: app, options: try Meeting.options(spinning: spinning))
    let channel = try await session.openChannel(Ping.self)
    try await withCheckedThrowingContinuation { (ended: CheckedContinuation<Void, any Error>) in
      Thread.detachNewThread { [count] in
        ended.resume(
          with: Result {
            let message = try channel.makeMessage()
            for _ in 0..<count { try exchange(channel, message) }
          })
      }
    }
  }

  private static func answer(_ channel: Channel<Ping>, _ server: SessionServer) throws {
    var message = try server.makeMessage(Ping.self)
    message.root.setPayload([UInt8](repeating: 7, count: 100_000))
    while let request = try channel.nextRequestSync() { try request.replySync(message) }
  }
}

/// One exchange, by its name in profiles.
@inline(never)
private func exchange(_ channel: Channel<Ping>, _ message: borrowing MessageBuilder<Ping>) throws {
  let response = try channel.requestSync(message)
  let root = try response.root
  let payload = try root.payload
  guard payload.byteCount == 100_000 else { throw BenchError("the response is not what the other side built") }
}
