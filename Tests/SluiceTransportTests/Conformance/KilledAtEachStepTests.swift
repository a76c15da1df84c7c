import Glibc
import SluiceSystem
import SluiceTransport
import SystemPackage
import Testing

/// A peer that is killed at each step of its way: within the handshake, before and after each frame, within one, and around
/// its end. It kills itself, so that it is always the same step.
@Suite("A transport whose peer was killed at a step") struct KilledAtEachStepTests {
  enum Step: Int, CaseIterable, Sendable, CustomTestStringConvertible {
    case connected, announced, completed, received, answered, midFrame, finished, closed

    var testDescription: String { "\(self)" }

    /// Ends this process if it is the step.
    func reach(_ step: Step) {
      if step == self { kill(getpid(), SIGKILL) }
    }
  }

  @Test("lets nobody wait for it", arguments: PairKind.crossingProcesses, Step.allCases)
  func killed(kind: PairKind, step: Step) async throws {
    let directory = try TemporaryDirectory()
    let path = directory.path.appending("control")
    let listener = try SocketListener(at: path)
    // Waiting for a process blocks a thread: one of its own.
    let waiter = try Reactor(name: "exit test")
    defer { waiter.shutdown() }
    let ending = Task(executorPreference: waiter) { await Self.spawn(path.string, kind, step) }
    let outcome = await Reactor.shared.wait(for: listener.descriptor, .readable, deadline: patience())
    guard case .ready = outcome else { throw PeerError("the process did not connect: \(outcome)") }
    let control = try SocketTransport(socket: try #require(try listener.tryAccept()))
    // A peer that has died already is known by its end only.
    let process = try? control.peerProcess()
    try await survive(kind, step, control, process)
    await ending.value
  }

  /// What the survivor goes through.
  private func survive(
    _ kind: PairKind, _ step: Step, _ control: SocketTransport, _ process: ProcessHandle?
  ) async throws {
    let transport: any Transport
    do {
      transport = try kind.end(over: control, isFirst: true, maxBlobSize: 1 << 16)
    } catch {
      // Only a peer that is gone before it has completed its own end leaves nothing to make a transport of.
      #expect(step == .connected || step == .announced, "\(error)")
      return
    }
    let ended = Locked<[TransportError?]>([])
    let thread = try WorkerThread(name: "receiver") {
      var failure: TransportError?
      do throws(TransportError) { while try transport.receive() != nil {} } catch { failure = error }
      let outcome = failure
      ended.mutex.withLock { $0.append(outcome) }
    }
    let task = Task { () -> TransportError? in
      do throws(TransportError) {
        while try await transport.receive(deadline: patience()) != nil {}
        return nil
      } catch {
        return error
      }
    }
    // Whether it finds the peer alive is the step's to say; that it ends is ours.
    do throws(TransportError) { try transport.send([1]) } catch { #expect(error == .peerClosed, "\(error)") }
    if let process {
      let outcome = await Reactor.shared.wait(for: process.descriptor, .readable, deadline: patience())
      guard case .ready = outcome else { throw PeerError("the process lives: \(outcome)") }
    }
    transport.close()
    thread.join()
    for error in ended.mutex.withLock({ $0 }) + [await task.value] { #expect(error?.endsConnection ?? true) }
    #expect(throws: TransportError.closed) { try transport.trySend([1]) }
  }

  private static func spawn(_ path: String, _ kind: PairKind, _ step: Step) async {
    await #expect(processExitsWith: .signal(SIGKILL)) {
      [path = path as String, kind = kind.rawValue as String, step = step.rawValue as Int] in
      guard let kind = PairKind(rawValue: kind), let step = Step(rawValue: step) else {
        throw PeerError("no such step")
      }
      let control = try SocketTransport(socket: try UnixSocket.connect(to: FilePath(path), deadline: patience()))
      step.reach(.connected)
      if step == .announced {
        try control.send([1], handles: try kind.announcedHandles(maxBlobSize: 1 << 16))
        step.reach(.announced)
      }
      let transport = try kind.end(over: control, isFirst: false, maxBlobSize: 1 << 16)
      step.reach(.completed)
      _ = try transport.receive(deadline: patience())
      step.reach(.received)
      try transport.send([2])
      step.reach(.answered)
      // More than finds room, so that a part of a frame is with the kernel, where a kind has such a thing.
      for _ in 0..<8 { _ = try transport.trySend([UInt8](repeating: 3, count: 1 << 16)) }
      step.reach(.midFrame)
      try transport.finishSending()
      step.reach(.finished)
      transport.close()
      step.reach(.closed)
    }
  }
}
