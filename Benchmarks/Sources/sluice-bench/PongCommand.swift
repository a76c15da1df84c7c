import ArgumentParser
import BenchSchema
import CBench
import Foundation
import Sluice
import SystemPackage

/// The answering process. It ends when the measuring one closes the control connection.
struct PongCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "pong", shouldDisplay: false)
  static let readyMark = "ready"

  @Option var directory: String
  @Option var placement: Placement

  func run() async throws {
    guard bench_pin(placement.processors.pong) == 0 else { throw BenchError("cannot bind to a processor") }
    let meeting = Meeting(directory: FilePath(directory))
    let server = try SessionServer(meeting.app)
    defer { server.shutdown() }
    let page = try meeting.mapPage()
    let listener = try UnixSocket.listen(at: meeting.socket)
    try UnixSocket.setBlocking(true, of: listener)
    try FileHandle.standardOutput.write(contentsOf: Data("\(Self.readyMark)\n".utf8))

    let answer = try Self.makeAnswer(server)
    let sessions = Task(executorPreference: Reactor.shared) { try await Self.serve(server, answer) }
    defer { sessions.cancel() }
    try await withCheckedThrowingContinuation { (ended: CheckedContinuation<Void, any Error>) in
      Thread.detachNewThread { ended.resume(with: Result { try Self.answerBareOnes(listener, page) }) }
    }
  }

  /// The response to all requests, built once.
  private final class Answer: Sendable {
    let message: MessageBuilder<Ping>

    init(_ message: consuming MessageBuilder<Ping>) { self.message = message }
  }

  private static func makeAnswer(_ server: SessionServer) throws -> Answer {
    var message = try server.makeMessage(Ping.self)
    message.root.setPayload([UInt8](repeating: 7, count: 100_000))
    return Answer(message)
  }

  /// Serves the channels of each session: those for `requestSync` with a blocking thread, the others with a task on the
  /// reactor.
  private static func serve(_ server: SessionServer, _ answer: Answer) async throws {
    for try await session in server.sessions {
      var channels = session.channels(of: Ping.self).makeAsyncIterator()
      if let channel = try await channels.next() {
        if channel.metadata.isEmpty {
          Task(executorPreference: Reactor.shared) {
            for try await request in channel.requests { try await request.reply(answer.message) }
          }
        } else {
          Thread.detachNewThread {
            do {
              while let request = try channel.nextRequestSync() { try request.replySync(answer.message) }
            } catch {
              // The measuring process has ended, and says why if there is a reason.
            }
          }
        }
      }
    }
  }

  /// Answers bare round trips as the measuring process asks for them: a byte for the technique, four for the count.
  private static func answerBareOnes(_ listener: Handle, _ page: SharedPage) throws {
    guard let socket = try UnixSocket.accept(listener) else { throw BenchError("no connection") }
    try UnixSocket.setBlocking(true, of: socket)
    var command = [UInt8](repeating: 0, count: 5)
    while try command.withUnsafeMutableBytes({ try socket.descriptor.read(into: $0) }) == 5 {
      let count = command[1...].reversed().reduce(Int32(0)) { $0 << 8 | Int32($1) }
      switch command[0] {
      case Technique.cacheLine.code: bench_spin_pong(page.pointer, count)
      case Technique.futex.code: bench_futex_pong(page.pointer, count)
      default:
        guard bench_stream_pong(socket.descriptor.rawValue, count) == 0 else { throw BenchError("the stream broke") }
      }
    }
  }
}
