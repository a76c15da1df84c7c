import CSteps
import Foundation
import Glibc
import SluiceSystem
import SluiceTransport
import Synchronization
import SystemPackage
import Testing

/// A peer that is killed as it enters its first, second, … system call of a whole conversation: the handshake, an exchange
/// there and back, one that finds no room, and the end. A tracer counts its calls. `SLUICE_KILL_ALL=1` tries each of them, and
/// not only some.
@Suite("A transport whose peer was killed at a system call", .serialized, .timeLimit(.minutes(5)))
struct KilledAtEachCallTests {
  private static let isThorough = ProcessInfo.processInfo.environment["SLUICE_KILL_ALL"] != nil
  /// How many calls apart the kills are.
  private static var stride: Int { isThorough ? 1 : 29 }
  private static let largestByteCount = 1 << 13
  /// How many frames of that size the peer sends: more than finds room at once, but for sockets.
  private static func frameCount(_ kind: PairKind) -> Int { kind == .queue ? 8 : 40 }

  @Test("lets nobody wait for it, and keeps nothing of it", arguments: PairKind.crossingProcesses)
  func killed(kind: PairKind) async throws {
    var call = 1
    while !(try await survive(kind, call)) { call += Self.stride }
    #expect(call > 20, "the conversation has more calls than that")
  }

  /// The transport of a conversation, which goes with it, and takes its descriptors along.
  private final class Trace: Sendable {
    private let state = Mutex(State())
    private struct State { weak var transport: (any Transport)? }
    func leads(to transport: any Transport) { state.withLock { $0.transport = transport } }
    var isLost: Bool { state.withLock { $0.transport == nil } }
  }

  /// Whether the peer got to the end of the conversation.
  private func survive(_ kind: PairKind, _ call: Int) async throws -> Bool {
    let directory = try TemporaryDirectory()
    let path = directory.path.appending("control")
    let listener = try SocketListener(at: path)
    // Waiting for a process blocks a thread: one of its own.
    let waiter = try Reactor(name: "exit test")
    defer { waiter.shutdown() }
    let ending = Task(executorPreference: waiter) { await Self.spawn(path.string, kind, call) }
    let outcome = await Reactor.shared.wait(for: listener.descriptor, .readable, deadline: patience())
    guard case .ready = outcome else { throw PeerError("the process did not connect: \(outcome)") }
    let control = try SocketTransport(socket: try #require(try listener.tryAccept()))
    let trace = Trace()
    let isComplete = try await converse(kind, control, trace)
    await ending.value
    // Who watched may be about to let go.
    while !trace.isLost { await Task.yield() }
    return isComplete
  }

  /// Goes through the conversation as far as the peer does; whether that was to its end.
  private func converse(_ kind: PairKind, _ control: SocketTransport, _ trace: Trace) async throws -> Bool {
    let process = try? control.peerProcess()
    let transport: any Transport
    do {
      transport = try kind.end(over: control, isFirst: true, maxBlobSize: Self.largestByteCount)
    } catch {
      return false
    }
    trace.leads(to: transport)
    // Who watches the peer closes the transport when it dies, as a session does.
    let watching = Task {
      guard let process else { return transport.close() }
      if case .ready = await Reactor.shared.wait(for: process.descriptor, .readable, deadline: patience()) {
        transport.close()
      }
    }
    defer { watching.cancel() }
    do throws(TransportError) {
      let first: [UInt8] = [1]
      try await transport.send(first.span.bytes, deadline: patience())
      var byteCount = 0
      while let frame = try await transport.receive(deadline: patience()) { byteCount += frame.bytes.count }
      let word = try await control.receive(deadline: patience())
      return byteCount == 1 + Self.frameCount(kind) * Self.largestByteCount && word?.bytes == [2]
    } catch {
      // Typed, and for good: it was not a deadline that ended this.
      #expect(error.endsConnection, "\(error)")
      #expect(throws: TransportError.self) { try transport.trySend([1]) }
      return false
    }
  }

  private static func spawn(_ path: String, _ kind: PairKind, _ call: Int) async {
    await #expect(processExitsWith: .signal(SIGKILL)) {
      [path = path as String, kind = kind.rawValue as String, call = call as Int] in
      guard let kind = PairKind(rawValue: kind) else { throw PeerError("no such kind") }
      let control = try SocketTransport(socket: try UnixSocket.connect(to: FilePath(path), deadline: patience()))
      let failure = steps_die_at(call)
      guard failure == 0 else { throw PeerError("nobody may trace this process: errno \(-failure)") }
      let transport = try kind.end(over: control, isFirst: false, maxBlobSize: Self.largestByteCount)
      _ = try transport.receive(deadline: patience())
      try transport.send([2])
      for _ in 0..<Self.frameCount(kind) {
        try transport.send([UInt8](repeating: 3, count: Self.largestByteCount))
      }
      try transport.finishSending()
      while try !transport.flush() { _ = try transport.waitToSend(byteCount: 0, deadline: patience()) }
      try control.send([2])
      // The conversation is over; so that all end alike.
      kill(getpid(), SIGKILL)
    }
  }
}
