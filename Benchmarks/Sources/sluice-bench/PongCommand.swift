import ArgumentParser
import BenchSchema
import CBench
import Foundation
import Sluice
import Synchronization
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
    let servers = try [true, false].map { spinning in
      let options = try Meeting.options(spinning: spinning)
      return (server: try SessionServer(meeting.app(spinning: spinning), options: options), reactor: options.reactor)
    }
    defer { for (server, _) in servers { server.shutdown() } }
    let page = try meeting.mapPage()
    let listener = try UnixSocket.listen(at: meeting.socket)
    try UnixSocket.setBlocking(true, of: listener)
    let wires = try UnixSocket.listen(at: meeting.wires)
    try UnixSocket.setBlocking(true, of: wires)
    try FileHandle.standardOutput.write(contentsOf: Data("\(Self.readyMark)\n".utf8))

    let sessions = try servers.map { server, reactor in
      let answer = try Self.makeAnswer(server)
      return Task(executorPreference: reactor) { try await Self.serve(server, reactor, answer) }
    }
    defer { for task in sessions { task.cancel() } }
    try await withCheckedThrowingContinuation { (ended: CheckedContinuation<Void, any Error>) in
      Thread.detachNewThread { ended.resume(with: Result { try Self.answerOthers(listener, wires, page) }) }
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
  private static func serve(
    _ server: SessionServer, _ reactor: Reactor, _ answer: Answer
  ) async throws {
    for try await session in server.sessions {
      Task(executorPreference: reactor) {
        for try await channel in session.channels(of: Ping.self) { serve(channel, reactor, answer) }
      }
    }
  }

  private static func serve(_ channel: Channel<Ping>, _ reactor: Reactor, _ answer: Answer) {
    guard channel.metadata != .none else {
      Task(executorPreference: reactor) {
        for try await request in channel.requests { try await request.reply(answer.message) }
      }
      return
    }
    Thread.detachNewThread {
      do {
        while let request = try channel.nextRequestSync() { try request.replySync(answer.message) }
      } catch {
        // The measuring process has ended, and says why if there is a reason.
      }
    }
  }

  /// Answers other round trips as the measuring process asks for them: a byte for the technique, four for the count.
  private static func answerOthers(_ listener: Handle, _ wireListener: Handle, _ page: SharedPage) throws {
    guard let socket = try UnixSocket.accept(listener), let setup = try UnixSocket.accept(wireListener) else {
      throw BenchError("no connection")
    }
    try UnixSocket.setBlocking(true, of: socket)
    let wires = try Wires(over: SocketTransport(socket: setup), isPing: false)
    var command = [UInt8](repeating: 0, count: 5)
    while try command.withUnsafeMutableBytes({ try socket.descriptor.read(into: $0) }) == 5 {
      let count = command[1...].reversed().reduce(0) { $0 << 8 | Int($1) }
      guard let technique = Technique(code: command[0]) else { throw BenchError("no such technique") }
      try answer(technique, count, wires, socket, page)
    }
  }

  /// Blocks the calling thread until a task is done.
  private static func waiting(on executor: Reactor?, _ body: @escaping @Sendable () async throws -> Void) throws {
    let done = DispatchSemaphore(value: 0)
    let failure = Mutex<(any Error)?>(nil)
    let task = Task(executorPreference: executor) {
      do { try await body() } catch { failure.withLock { $0 = error } }
      done.signal()
    }
    done.wait()
    withExtendedLifetime(task) {}
    if let error = failure.withLock({ $0 }) { throw error }
  }

  private static func answer(
    _ technique: Technique, _ count: Int, _ wires: Wires, _ socket: Handle, _ page: SharedPage
  ) throws {
    switch technique {
    case .oneWay, .oneWayBatched:
      return try BlobExchange.oneWayPong(wires.ringBusy, count, batched: technique == .oneWayBatched)
    default: break
    }
    if let transport = wires.transport(for: technique) {
      guard let isOnReactor = technique.isOnReactor else { return try BlobExchange.pong(transport, count) }
      return try waiting(on: isOnReactor ? wires.reactor : nil) {
        try await BlobExchange.pong(transport, count, on: wires.reactor)
      }
    }
    let result: Int32
    switch technique {
    // One side's own.
    case .copy: result = 0
    case .cacheLine:
      bench_spin_pong(page.pointer, Int32(count))
      result = 0
    case .futex:
      bench_futex_pong(page.pointer, Int32(count))
      result = 0
    case .eventCounter:
      result = bench_eventfd_pong(
        wires.ownCounter.descriptor.rawValue, wires.peerCounter.descriptor.rawValue, Int32(count))
    case .messageQueue:
      result = bench_queue_pong(wires.ownQueue.descriptor.rawValue, wires.peerQueue.descriptor.rawValue, Int32(count))
    default: result = bench_stream_pong(socket.descriptor.rawValue, Int32(count))
    }
    guard result == 0 else { throw BenchError("\(technique.rawValue): \(Errno(rawValue: -result))") }
  }
}
