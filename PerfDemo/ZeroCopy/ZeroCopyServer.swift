import PerfDemoSchema
import Sluice

/// Serves files on sessions: responses stand in the server-wide arena, where every client reads them in place.
struct ZeroCopyServer: Sendable {
  /// A response that was built once and is sent many times.
  final class CachedResponse: Sendable {
    let message: MessageBuilder<Cache>

    init(_ message: consuming MessageBuilder<Cache>) { self.message = message }
  }

  let server: SessionServer
  /// By name of file.
  let responses: [String: CachedResponse]

  /// Serves every client until the server is shut down. One task per session and one per channel, on the reactor.
  func serve() async throws {
    for try await session in server.sessions {
      Task(executorPreference: Reactor.shared) {
        do {
          for try await channel in session.channels(of: Cache.self) {
            Task(executorPreference: Reactor.shared) { await serve(channel) }
          }
        } catch {
          Terminal.complain("a session ended: \(error)")
        }
      }
    }
  }

  private func serve(_ channel: Channel<Cache>) async {
    do {
      for try await request in channel.requests {
        if let response = try response(to: request) {
          try await request.reply(response.message)
        } else {
          var failure = try channel.makeMessage()
          failure.root.fail(.unknownFile, "there is no such file here")
          try await request.reply(failure)
        }
      }
    } catch {
      Terminal.complain("a channel ended: \(error)")
    }
  }

  private func response(to request: Request<Cache>) throws -> CachedResponse? {
    let message = request.message
    return responses[try message.root.getCacheReq.fileName]
  }
}
