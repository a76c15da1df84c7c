import Glibc
import SluiceSystem
import SystemPackage
import Testing

@Suite("A Unix socket") struct UnixSocketTests {
  @Test("carries bytes, says when there are none, and ends")
  func bytes() throws {
    let (left, right) = try UnixSocket.pair()
    #expect(try UnixSocket.receive(on: right, 10) == nil)
    #expect(try UnixSocket.send(on: left, [1, 2, 3]) == 3)
    #expect(try UnixSocket.receive(on: right, 2)?.bytes == [1, 2])
    #expect(try UnixSocket.receive(on: right, 2)?.bytes == [3])
    try UnixSocket.finishSending(left)
    #expect(try UnixSocket.receive(on: right, 2)?.received.byteCount == 0)
    #expect(try UnixSocket.send(on: right, [4]) == 1)
    #expect(try UnixSocket.receive(on: left, 2)?.bytes == [4])
  }

  @Test("sends several spans as one")
  func gather() throws {
    let (left, right) = try UnixSocket.pair()
    let (head, body, tail): ([UInt8], [UInt8], [UInt8]) = ([1, 2], [], [3])
    let sent = try UnixSocket.send(on: left, head.span.bytes, body.span.bytes, tail.span.bytes)
    #expect(sent == 3)
    #expect(try UnixSocket.receive(on: right, 10)?.bytes == [1, 2, 3])
  }

  @Test("is close-on-exec and non-blocking, however it was made")
  func flags() throws {
    let directory = try TemporaryDirectory()
    let listener = try UnixSocket.listen(at: directory.path.appending("s"))
    let client = try UnixSocket.connect(to: directory.path.appending("s"))
    let server = try #require(try UnixSocket.accept(listener))
    let (left, right) = try UnixSocket.pair()
    for socket in [listener, client, server, left, right] {
      #expect(fcntl(socket.descriptor.rawValue, F_GETFD) == FD_CLOEXEC)
      #expect(fcntl(socket.descriptor.rawValue, F_GETFL) & O_NONBLOCK != 0)
    }
  }

  @Test("fails to send to a closed peer, without a signal")
  func brokenPipe() throws {
    let (left, right): (Handle, Handle?) = try UnixSocket.pair()
    withExtendedLifetime(right) {}
    _ = consume right
    #expect(throws: SystemError(operation: "sendmsg", errno: .brokenPipe)) { try UnixSocket.send(on: left, [1]) }
  }

  @Test("passes handles close-on-exec, with the bytes they were sent with")
  func handles() throws {
    let (left, right) = try UnixSocket.pair()
    let counter = try EventCounter()
    #expect(try UnixSocket.send(on: left, [1]) == 1)
    #expect(try UnixSocket.send(on: left, [2], handles: [counter.handle]) == 1)
    #expect(try UnixSocket.send(on: left, [3], handles: [counter.handle, counter.handle]) == 1)
    // Never across the border between bytes with different handles.
    let first = try #require(try UnixSocket.receive(on: right, 10))
    #expect(first.bytes == [1, 2] && first.received.handles.count == 1)
    let handle = try #require(first.received.handles.first)
    #expect(fcntl(handle.descriptor.rawValue, F_GETFD) == FD_CLOEXEC)
    EventCounter(handle).signal()
    #expect(counter.reset())
    let second = try #require(try UnixSocket.receive(on: right, 10))
    #expect(second.bytes == [3] && second.received.handles.count == 2 && !second.received.lostHandles)
  }

  @Test("takes 253 handles at once, and refuses 254")
  func handleLimit() throws {
    let (left, right) = try UnixSocket.pair()
    let handle = try EventCounter().handle
    #expect(throws: SystemError.self) {
      try UnixSocket.send(on: left, [1], handles: .init(repeating: handle, count: 254))
    }
    #expect(try UnixSocket.send(on: left, [1], handles: .init(repeating: handle, count: 253)) == 1)
    #expect(try UnixSocket.receive(on: right, 1)?.received.handles.count == 253)
  }

  @Test("reports handles that the descriptor table has no room for, and leaks none")
  func lostHandles() async {
    await #expect(processExitsWith: .success) {
      let (left, right) = try UnixSocket.pair()
      let handle = try EventCounter().handle
      #expect(try UnixSocket.send(on: left, [1], handles: .init(repeating: handle, count: 80)) == 1)
      // Full, whatever numbers are taken, but for 40. The runtime's own threads may take a few of them at any time.
      var limit = rlimit(rlim_cur: 256, rlim_max: 256)
      #expect(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
      #expect(ResourceLimit.openDescriptors == 256)
      var hoard: [Handle] = []
      while let duplicate = try? handle.duplicated() { hoard.append(duplicate) }
      hoard.removeLast(40)
      var received = try UnixSocket.receive(on: right, 10)
      #expect(received?.received.lostHandles == true && received?.bytes == [1])
      #expect((20...40).contains(received?.received.handles.count ?? 0))
      received = nil
      // None of them stayed open, or there would be no room.
      let again = (0..<20).map { _ in try? handle.duplicated() }
      #expect(again.allSatisfy { $0 != nil })
    }
  }

  @Test("knows who is at the other end")
  func peer() throws {
    let (left, right) = try UnixSocket.pair()
    #expect(try UnixSocket.peerCredentials(of: left) == PeerCredentials(pid: getpid(), uid: getuid(), gid: getgid()))
    let process = try UnixSocket.peerProcess(of: left)
    #expect(process.pid == getpid())
    #expect(try process.isAlive)
    withExtendedLifetime(right) {}
  }

  @Test("refuses paths that are too long, in use or not there")
  func paths() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path.appending("s")
    let long = directory.path.appending(String(repeating: "x", count: 100))
    #expect(throws: SystemError(operation: "bind", errno: .fileNameTooLong, detail: long.string)) {
      try UnixSocket.listen(at: long)
    }
    #expect(throws: SystemError(operation: "connect", errno: .noSuchFileOrDirectory, detail: path.string)) {
      try UnixSocket.connect(to: path)
    }
    var listener: Handle? = try UnixSocket.listen(at: path, permissions: [.ownerReadWrite, .groupReadWrite])
    #expect(try FileSystem.status(of: path)?.permissions.rawValue == 0o660)
    #expect(throws: SystemError(operation: "bind", errno: .addressInUse, detail: path.string)) {
      try UnixSocket.listen(at: path)
    }
    withExtendedLifetime(listener) {}
    listener = nil
    #expect(throws: SystemError(operation: "connect", errno: .connectionRefused, detail: path.string)) {
      try UnixSocket.connect(to: path)
    }
  }

  @Test("waits for room in a full backlog, until the deadline")
  func backlog() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path.appending("s")
    let listener = try UnixSocket.listen(at: path, backlog: 0)
    var clients = [try UnixSocket.connect(to: path)]
    let full = SystemError(operation: "connect", errno: .resourceTemporarilyUnavailable, detail: path.string)
    #expect(throws: full) { try UnixSocket.connect(to: path, deadline: .now) }
    let start = ContinuousClock.now
    #expect(throws: full) { try UnixSocket.connect(to: path, deadline: start + .milliseconds(20)) }
    #expect(ContinuousClock.now >= start + .milliseconds(20))
    let acceptor = try WorkerThread(name: "acceptor") { while (try? UnixSocket.accept(listener)) ?? nil == nil {} }
    clients.append(try UnixSocket.connect(to: path, deadline: patience()))
    acceptor.join()
    #expect(fcntl(clients[1].descriptor.rawValue, F_GETFL) & O_NONBLOCK != 0)
  }

  @Test("has a send buffer of the size asked for")
  func sendBuffer() throws {
    let (left, _) = try UnixSocket.pair()
    try UnixSocket.setSendBufferByteCount(50_000, of: left)
    #expect(try UnixSocket.sendBufferByteCount(of: left) == 100_000)
  }

  @Test("tells waiters here and there when it is finished")
  func finish() throws {
    let (left, right) = try UnixSocket.pair()
    #expect(try UnixSocket.send(on: left, [1]) == 1)
    try UnixSocket.finish(left)
    #expect(try Poll.wait(for: left.descriptor, .readable, deadline: patience()).contains(.hungUp))
    #expect(try Poll.wait(for: right.descriptor, .readable, deadline: patience()).contains(.hungUp))
    #expect(try UnixSocket.receive(on: right, 2)?.bytes == [1])
  }
}
