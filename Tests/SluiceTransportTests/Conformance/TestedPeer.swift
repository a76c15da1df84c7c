import Glibc
import SluiceSystem
import SluiceTransport
import SystemPackage
import Testing

/// What the other end of a tested pair does.
enum PeerScript: String, CaseIterable, Sendable, CustomTestStringConvertible {
  /// Sends every frame back, handles and all; at the end of the stream it ends its own.
  case echo
  /// Receives nothing until it is told of a number of frames; sends those back, and waits for the next number.
  case echoInTurns
  /// Receives nothing, and stays.
  case stall
  /// Sends a small frame and then a large one as far as it goes, and stays.
  case breakOff
  /// Sends a frame, ends its stream, and stays.
  case finish

  var testDescription: String { rawValue }

  /// Blocks until it is over: for those that stay, until the control connection ends.
  func run(_ transport: any Transport, control: SocketTransport?) throws {
    switch self {
    case .echo:
      while let frame = try transport.receive(deadline: patience()) {
        try transport.send(frame.bytes, handles: frame.handles)
      }
      try transport.finishSending()
      while try !transport.flush() { _ = try transport.waitToSend(byteCount: 0, deadline: patience()) }
    case .echoInTurns:
      while let word = try control?.receive(deadline: patience())?.bytes, word.count == 4 {
        for _ in 0..<word.reversed().reduce(0, { $0 << 8 | Int($1) }) {
          guard let frame = try transport.receive(deadline: patience()) else { return }
          try transport.send(frame.bytes)
        }
        while try !transport.flush() { _ = try transport.waitToSend(byteCount: 0, deadline: patience()) }
      }
      return
    case .stall: break
    case .breakOff:
      _ = try transport.trySend([1])
      _ = try transport.trySend([UInt8](repeating: 2, count: transport.maxBlobSize))
    case .finish:
      _ = try transport.trySend([1])
      try transport.finishSending()
    }
    // Who asks is told that everything is done; who does not may be gone.
    try? control?.send([2])
    _ = try? control?.receive(deadline: patience())
  }
}

/// Where the other end of a tested pair is.
enum PeerPlace: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case thread
  case process

  var testDescription: String { "peer is a \(rawValue)" }
}

/// A kind of pair, and where its other end is.
struct TestedPair: Sendable, CustomTestStringConvertible {
  let kind: PairKind
  let place: PeerPlace

  static let all: [TestedPair] =
    PairKind.allCases.map { TestedPair(kind: $0, place: .thread) }
    + PairKind.crossingProcesses.map { TestedPair(kind: $0, place: .process) }

  static let carryingHandles = all.filter { PairKind.carryingHandles.contains($0.kind) }

  var testDescription: String { "\(kind), \(place.rawValue)" }

  /// Runs `body` with one end of a pair whose other end follows the script, waits for that to be over, and checks that no
  /// descriptor is left behind.
  func run(
    _ script: PeerScript, maxBlobSize: Int = 4096, _ body: @escaping @Sendable (any Transport) async throws -> Void
  ) async throws {
    try await run(script, maxBlobSize: maxBlobSize) { transport, _ in try await body(transport) }
  }

  /// As above; the body may tell the peer something, where its script wants to be told.
  func run(
    _ script: PeerScript, maxBlobSize: Int,
    _ body: @escaping @Sendable (_ transport: any Transport, _ control: SocketTransport) async throws -> Void
  ) async throws {
    switch place {
    case .thread:
      let (ours, theirs) = try kind.pair(maxBlobSize: maxBlobSize)
      let (control, theirControl) = try SocketTransport.pair()
      let failure = Locked<(any Error)?>(nil)
      let peer = try WorkerThread(name: "peer") {
        let control = script == .echoInTurns ? theirControl : nil
        do { try script.run(theirs, control: control) } catch { failure.mutex.withLock { $0 = error } }
      }
      do {
        try await body(ours, control)
      } catch {
        control.close()
        ours.close()
        peer.join()
        throw error
      }
      control.close()
      peer.join()
      #expect(failure.mutex.withLock { $0 } == nil)
    case .process:
      try await PeerProcess.run(kind, script, maxBlobSize: maxBlobSize) { process in
        try await body(process.transport, process.control)
        process.control.close()
      }
    }
  }
}

/// The other end of a tested pair, in a process of its own.
struct PeerProcess: Sendable {
  let transport: any Transport
  /// Ends when the process does, and ends the process when closed.
  let control: SocketTransport
  let process: ProcessHandle

  /// Waits until the process has done what its script says.
  func isDone() async throws { #expect(try await control.receive(deadline: patience())?.bytes == [2]) }

  /// Starts a process, runs `body` beside it, and waits for its end: with success, or by SIGKILL if `body` kills it.
  static func run(
    _ kind: PairKind, _ script: PeerScript, maxBlobSize: Int, isKilled: Bool = false,
    _ body: @escaping @Sendable (PeerProcess) async throws -> Void
  ) async throws {
    let directory = try TemporaryDirectory()
    let path = directory.path.appending("control")
    let listener = try SocketListener(at: path)
    // Waiting for a process blocks a thread: one of its own, for tasks have few, and the body needs some.
    let waiter = try Reactor(name: "exit test")
    defer { waiter.shutdown() }
    let ending = Task(executorPreference: waiter) {
      await spawn(path.string, kind, script, maxBlobSize, isKilled)
    }
    var connection: Handle?
    while connection == nil {
      let outcome = await Reactor.shared.wait(for: listener.descriptor, .readable, deadline: patience())
      guard case .ready = outcome else { throw PeerError("the process did not connect: \(outcome)") }
      connection = try listener.tryAccept()
    }
    let control = try SocketTransport(socket: try #require(connection))
    do {
      let transport = try kind.end(over: control, isFirst: true, maxBlobSize: maxBlobSize)
      // The kernel knows who it is, not only what it says.
      #expect(try control.peerCredentials().uid == getuid())
      try await body(PeerProcess(transport: transport, control: control, process: try control.peerProcess()))
    } catch {
      try? control.peerProcess().kill()
      throw error
    }
    await ending.value
  }

  private static func spawn(
    _ path: String, _ kind: PairKind, _ script: PeerScript, _ maxBlobSize: Int, _ isKilled: Bool
  ) async {
    let condition: ExitTest.Condition = isKilled ? .signal(SIGKILL) : .success
    await #expect(processExitsWith: condition) {
      [
        path = path as String, kind = kind.rawValue as String, script = script.rawValue as String,
        maxBlobSize = maxBlobSize as Int
      ] in
      guard let kind = PairKind(rawValue: kind), let script = PeerScript(rawValue: script) else {
        throw PeerError("no such peer")
      }
      let control = try SocketTransport(socket: try UnixSocket.connect(to: FilePath(path), deadline: patience()))
      let transport = try kind.end(over: control, isFirst: false, maxBlobSize: maxBlobSize)
      try script.run(transport, control: control)
      transport.close()
    }
  }
}
