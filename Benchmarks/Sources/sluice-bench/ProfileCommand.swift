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
  @Flag(help: "Tasks on reactors instead of threads.") var suspending = false

  func run() async throws {
    let meeting = try Meeting.create()
    defer { meeting.remove() }
    let app = meeting.app(spinning: spinning)
    let (options, serverOptions) = (try Meeting.options(spinning: spinning), try Meeting.options(spinning: spinning))
    let server = try SessionServer(app, options: serverOptions)
    defer { server.shutdown() }
    let serving = Task {
      for try await session in server.sessions {
        for try await channel in session.channels(of: Ping.self) {
          if suspending {
            Task(executorPreference: serverOptions.reactor) { try await Self.answer(channel, server) }
          } else {
            Thread.detachNewThread { try? Self.answer(channel, server) }
          }
        }
      }
    }
    defer { serving.cancel() }
    let session = try await ClientSession.connect(
      Meeting.client, to: app, options: options)
    let channel = try await session.openChannel(Ping.self)
    if suspending {
      let message = try channel.makeMessage()
      let task = Task(executorPreference: options.reactor) { [count] in
        for _ in 0..<count { try await suspendedExchange(channel, message) }
      }
      return try await task.value
    }
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

extension ProfileCommand {
  private static func answer(_ channel: Channel<Ping>, _ server: SessionServer) async throws {
    var message = try server.makeMessage(Ping.self)
    message.root.setPayload([UInt8](repeating: 7, count: 100_000))
    for try await request in channel.requests { try await request.reply(message) }
  }
}

/// The same for a task.
@inline(never)
private func suspendedExchange(_ channel: Channel<Ping>, _ message: borrowing MessageBuilder<Ping>) async throws {
  try check(try await channel.request(message))
}

/// One exchange, by its name in profiles.
@inline(never)
private func exchange(_ channel: Channel<Ping>, _ message: borrowing MessageBuilder<Ping>) throws {
  try check(try channel.requestSync(message))
}

private func check(_ response: Message<Ping>) throws {
  let root = try response.root
  let payload = try root.payload
  guard payload.byteCount == 100_000 else { throw BenchError("the response is not what the other side built") }
}
