import Foundation
import Sluice
import SluiceSystem
import SluiceTransport
import SystemPackage
import TestSchema
import Testing

@testable import SluiceSession

/// How servers and clients meet, or do not. Both ends in this process, unless a test says otherwise.
@Suite(.timeLimit(.minutes(2))) struct RendezvousTests {
  private func app(_ directory: FilePath, allowing clients: [ClientApp] = ["test-client"], uid: UInt32? = nil)
    -> ServerApp
  {
    ServerApp(directory.lastComponent?.string ?? "", allowing: clients, uid: uid, runtimeDirectory: directory)
  }

  private let client = ClientApp("test-client")

  @Test func `without a server, a client fails at once`() async throws {
    try await withRuntimeDirectory { directory in
      await #expect { try await ClientSession.connect(client, to: app(directory)) } throws: { error in
        if case SessionError.serverNotRunning = error { true } else { false }
      }
    }
  }

  @Test func `clients that wait for room in a full backlog hold up no other task, and go on when there is some`()
    async throws
  {
    try await withRuntimeDirectory { directory in
      let app = app(directory)
      let rendezvous = try Rendezvous(of: app)
      let listener = try rendezvous.listen(for: app)
      var waiting: [Handle] = []
      #expect(throws: SystemError.self) {
        while true { waiting.append(try UnixSocket.connect(to: listener.path, deadline: .now)) }
      }
      #expect(waiting.count > 1)
      let reactor = try Reactor(name: "backlog")
      defer { reactor.shutdown() }
      var options = SessionOptions()
      options.reactor = reactor
      // More than there are threads for tasks.
      let count = Processors.allowedCount + 2
      try await withThrowingTaskGroup(of: Void.self) { [options] group in
        for _ in 0..<count {
          group.addTask {
            await expectSessionError("serverBusy") { error in
              if case .refused(.serverBusy, _) = error { true } else { false }
            } _: {
              try await ClientSession.connect(client, to: app, timeout: .seconds(60), options: options)
            }
          }
        }
        // This task goes on, while all of them wait: each for its next attempt.
        while reactor.pendingCount < count { await Task.yield() }
        waiting = []
        for _ in 0..<count { try await refuseNext(listener) }
        try await group.waitForAll()
      }
      listener.close()
      withExtendedLifetime(rendezvous) {}
    }
  }

  /// Refuses the next client that says anything.
  private func refuseNext(_ listener: SocketListener) async throws {
    let refusal = Control.Refusal(reason: .serverBusy, message: "busy", versions: .current)
    while true {
      guard case .ready = await Reactor.shared.wait(for: listener.descriptor, .readable),
        let socket = try listener.tryAccept()
      else { continue }
      let transport = try SocketTransport(socket: socket, maxBlobSize: Control.largestByteCount)
      defer { transport.close() }
      let deadline = ContinuousClock.now.advanced(by: .seconds(30))
      guard try await transport.receive(deadline: deadline, on: .shared) != nil else { continue }
      let answer = try Control.refusal(refusal).encoded()
      return try await transport.send(answer.span.bytes, handles: [], deadline: deadline, on: .shared)
    }
  }

  @Test func `a second server is refused with the pid of the first, which is unharmed`() async throws {
    try await withRuntimeDirectory { directory in
      try await withPeer("serve", directory, "test-client") { peer in
        try await peer.line("ready")
        #expect { try SessionServer(app(directory)) } throws: { error in
          if case SessionError.serverAlreadyRunning(_, pid: peer.processID) = error { true } else { false }
        }
        let session = try await ClientSession.connect(client, to: app(directory))
        _ = try await session.openChannel(Exchange.self)
      }
    }
  }

  @Test func `a second server in the same process is refused, too`() async throws {
    try await withRuntimeDirectory { directory in
      let server = try SessionServer(app(directory))
      #expect { try SessionServer(app(directory)) } throws: { error in
        if case SessionError.serverAlreadyRunning(_, pid: getpid()) = error { true } else { false }
      }
      _ = try await ClientSession.connect(client, to: app(directory))
      server.shutdown()
    }
  }

  @Test func `the next server takes the place of a killed one, and leaves nothing`() async throws {
    try await withRuntimeDirectory { directory in
      try await withPeer("serve", directory, "test-client") { peer in
        try await peer.line("ready")
        peer.kill()
      }
      #expect(entries(of: directory).contains { $0.hasSuffix("/socket") })
      let server = try SessionServer(app(directory))
      _ = try await ClientSession.connect(client, to: app(directory))
      server.shutdown()
    }
  }

  @Test func `a client that meets the socket of a dead server removes what it left`() async throws {
    try await withRuntimeDirectory { directory in
      try await withPeer("serve", directory, "test-client") { peer in
        try await peer.line("ready")
        peer.kill()
      }
      await #expect { try await ClientSession.connect(client, to: app(directory)) } throws: { error in
        if case SessionError.serverNotRunning = error { true } else { false }
      }
      #expect(entries(of: directory) == [])
    }
  }

  @Test func `a client app that is not allowed is refused with that reason`() async throws {
    try await withRuntimeDirectory { directory in
      let server = try SessionServer(app(directory, allowing: ["somebody-else"]))
      await #expect { try await ClientSession.connect(client, to: app(directory)) } throws: { error in
        if case SessionError.refused(.clientNotAllowed, let message) = error {
          message.contains("test-client")
        } else {
          false
        }
      }
      server.shutdown()
    }
  }

  @Test func `without a common version, both ranges are named`() async throws {
    try await withRuntimeDirectory { directory in
      var options = SessionOptions()
      options.versions = ProtocolVersions(lowest: 7, highest: 9)
      let server = try SessionServer(app(directory), options: options)
      await #expect { try await ClientSession.connect(client, to: app(directory)) } throws: { error in
        if case SessionError.versionMismatch(ours: .current, let theirs) = error {
          theirs == ProtocolVersions(lowest: 7, highest: 9)
        } else {
          false
        }
      }
      server.shutdown()
    }
  }

  @Test(arguments: ["", "a/b", ".hidden", "ü", String(repeating: "x", count: 65)])
  func `a name that is not one for an app is refused`(name: String) async throws {
    #expect { try SessionServer(ServerApp(name, allowing: [])) } throws: { error in
      if case SessionError.invalidAppName(name) = error { true } else { false }
    }
    await #expect { try await ClientSession.connect(ClientApp(name), to: ServerApp("s", allowing: [])) } throws: {
      error in
      if case SessionError.invalidAppName(name) = error { true } else { false }
    }
  }

  @Test func `a runtime directory that others can write to is refused`() async throws {
    try await withRuntimeDirectory { directory in
      try FileManager.default.createDirectory(atPath: directory.string, withIntermediateDirectories: false)
      chmod(directory.string, 0o777)
      #expect { try SessionServer(app(directory)) } throws: { error in
        if case SessionError.runtimeDirectory(path: directory.string, _) = error { true } else { false }
      }
    }
  }

  @Test func `garbage, half a handshake, or nothing ends that connection alone`() async throws {
    try await withRuntimeDirectory { directory in
      var options = SessionOptions()
      options.handshakeTimeout = .milliseconds(200)
      let server = try SessionServer(app(directory), options: options)
      let socket = directory.appending("\(directory.lastComponent?.string ?? "")/socket")
      // Nothing; garbage; the beginning of a frame.
      for bytes in [[], Array("GET / HTTP/1.1\r\n\r\n".utf8), [1, 2]] as [[UInt8]] {
        let connection = try UnixSocket.connect(to: socket)
        if !bytes.isEmpty { _ = try connection.descriptor.writeAll(bytes) }
        #expect(try await readToEnd(connection))
      }
      _ = try await ClientSession.connect(client, to: app(directory))
      server.shutdown()
    }
  }

  /// Waits until the other end has closed; whether it did.
  private func readToEnd(_ connection: Handle) async throws -> Bool {
    try await onThreadReturning {
      var poll = pollfd(fd: connection.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
      var buffer = [UInt8](repeating: 0, count: 4096)
      while Glibc.poll(&poll, 1, 10_000) == 1 {
        let count = read(connection.descriptor.rawValue, &buffer, buffer.count)
        if count == 0 || (count < 0 && errno == ECONNRESET) { return true }
      }
      return false
    }
  }
}

/// As `onThread`, with a result.
func onThreadReturning<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
  try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<T, any Error>) in
    Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
  }
}
