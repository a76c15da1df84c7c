import Glibc
import SluiceSystem
import SluiceTransport
import SystemPackage
import Testing

@Suite("A socket listener") struct SocketListenerTests {
  @Test("accepts connections, and nothing when none waits")
  func accepts() throws {
    let directory = try TemporaryDirectory()
    let listener = try SocketListener(at: directory.path.appending("socket"))
    #expect(try listener.tryAccept() == nil)
    #expect(try !Poll.isReady(listener.descriptor, .readable))
    let client = try SocketTransport(socket: try UnixSocket.connect(to: listener.path))
    #expect(try Poll.isReady(listener.descriptor, .readable))
    let server = try SocketTransport(socket: try #require(try listener.tryAccept()))
    #expect(try server.peerCredentials().pid == getpid())
    #expect(try client.trySend([1]) == .sent)
    #expect(try server.tryReceiveFrame()?.bytes == [1])
  }

  @Test(
    "gives its path the permissions asked for", arguments: [FilePermissions(rawValue: 0o600), .init(rawValue: 0o666)])
  func permissions(permissions: FilePermissions) throws {
    let directory = try TemporaryDirectory()
    let listener = try SocketListener(at: directory.path.appending("socket"), permissions: permissions)
    #expect(try FileSystem.status(of: listener.path)?.permissions == permissions)
  }

  @Test("removes its path when it is closed or released, and then refuses")
  func removesPath() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path.appending("socket")
    let listener = try SocketListener(at: path)
    listener.close()
    #expect(throws: ListenerError.closed) { try listener.tryAccept() }
    #expect(try FileSystem.status(of: path) == nil)
    _ = try SocketListener(at: path)
    #expect(try FileSystem.status(of: path) == nil)
    #expect(throws: SystemError(operation: "connect", errno: .noSuchFileOrDirectory, detail: path.string)) {
      try UnixSocket.connect(to: path)
    }
  }

  @Test("leaves a path alone that is no longer its own")
  func foreignPath() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path.appending("socket")
    let first = try SocketListener(at: path)
    try FileSystem.rename(path, to: directory.path.appending("old"))
    let second = try SocketListener(at: path)
    first.close()
    #expect(try FileSystem.status(of: path) != nil)
    #expect(try UnixSocket.connect(to: path).descriptor.rawValue >= 0)
    second.close()
  }

  @Test("says that a path is in use, or too long")
  func errors() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path.appending("socket")
    let listener = try SocketListener(at: path)
    #expect(throws: ListenerError.addressInUse(path)) { try SocketListener(at: path) }
    #expect(try UnixSocket.connect(to: path).descriptor.rawValue >= 0)
    listener.close()
    let long = directory.path.appending(String(repeating: "x", count: 100))
    #expect(throws: ListenerError.pathTooLong(long, limit: 107)) { try SocketListener(at: long) }
  }

  @Test("refuses a connection that the descriptor table has no room for, and accepts the next one that it has")
  func descriptorTableFull() async {
    await #expect(processExitsWith: .success) {
      let directory = try TemporaryDirectory()
      let listener = try SocketListener(at: directory.path.appending("socket"))
      let refused = try UnixSocket.connect(to: listener.path)
      var hoard: [Handle] = []
      var limit = rlimit(rlim_cur: 64, rlim_max: 64)
      #expect(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
      while let handle = try? refused.duplicated() { hoard.append(handle) }
      #expect(throws: ListenerError.descriptorTableFull(limit: 64)) { try listener.tryAccept() }
      // It does not stay ready for ever, and the peer is told.
      #expect(try !Poll.isReady(listener.descriptor, .readable))
      #expect(try Poll.isReady(refused.descriptor, .peerFinished))
      hoard.removeAll()
      let next = try UnixSocket.connect(to: listener.path)
      #expect(try listener.tryAccept() != nil)
      withExtendedLifetime(next) {}
    }
  }
}
