import Sluice
import SystemPackage
import TestSchema

/// A third process's server, whose messages are sent on from where they stand. In the process of the survivor.
enum Upstream {
  /// Serves one message, which it makes once for all.
  static func serve(_ setting: Setting) throws -> SessionServer {
    var options = setting.options
    options.segmentBacking = .sealedMemory
    let server = try SessionServer(setting.upstream, options: options)
    Task {
      for try await session in server.sessions {
        Task {
          for try await channel in session.channels(of: Exchange.self) {
            Task {
              for try await request in channel.requests {
                var answer = try server.makeMessage(Exchange.self)
                // What it asks for when it is sent on as a request.
                answer.root.text = "echo"
                answer.root.initChunks(1).initData(at: 0, byteCount: 4096) { $0.append(1, as: UInt8.self) }
                try await request.reply(answer)
              }
            }
          }
        }
      }
    }
    return server
  }

  /// A message of that server. Its session lives as long as it does.
  static func message(_ setting: Setting) async throws -> Message<Exchange> {
    var options = setting.options
    options.segmentBacking = .sealedMemory
    let session = try await ClientSession.connect("talker", to: setting.upstream, options: options)
    let channel = try await session.openChannel(Exchange.self)
    let question = try channel.makeMessage()
    let message = try await channel.request(question, timeout: .seconds(30))
    Self.kept.append((session, channel))
    return message
  }

  /// To the end of the process.
  private nonisolated(unsafe) static var kept: [(Session, Channel<Exchange>)] = []
}
