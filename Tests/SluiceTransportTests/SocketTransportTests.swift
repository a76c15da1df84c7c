import Glibc
import SluiceSystem
import SluiceTransport
import SystemPackage
import Testing
import TestSupport

@Suite("A socket transport") struct SocketTransportTests {
  /// A transport whose peer is a bare socket, which sends what it likes.
  private func withBarePeer(maxBlobSize: Int = 1000) throws -> (SocketTransport, Handle) {
    let (ours, theirs) = try UnixSocket.pair()
    return (try SocketTransport(socket: ours, maxBlobSize: maxBlobSize), theirs)
  }

  private func write(_ bytes: [UInt8], handles: [Handle] = [], to socket: Handle) throws {
    #expect(try UnixSocket.send(on: socket, bytes.span.bytes, handles: handles) == bytes.count)
  }

  private let encoder = FrameEncoder(maxBlobSize: 1 << 20)

  @Test("assembles frames that arrive one byte at a time")
  func bytewise() throws {
    let (transport, peer) = try withBarePeer()
    var random = SeededGenerator(seed: 5)
    for size in [0, 1, 7, 8, 9, 300] {
      let blob = random.bytes(size)
      let frame = try encoder.frame(blob)
      for byte in frame.dropLast() {
        try write([byte], to: peer)
        #expect(try transport.tryReceive { _, _ in } == .wouldBlock)
      }
      try write([frame.last ?? 0], to: peer)
      #expect(try transport.tryReceiveFrame()?.bytes == blob)
    }
  }

  @Test("takes glued frames apart, however large the heap")
  func glued() throws {
    let (transport, peer) = try withBarePeer()
    var random = SeededGenerator(seed: 6)
    for _ in 0..<100 {
      let blobs = (0..<50).map { _ in random.bytes(.random(in: 0...1000, using: &random)) }
      try write(try blobs.flatMap { try encoder.frame($0) }, to: peer)
      for blob in blobs { #expect(try transport.tryReceiveFrame()?.bytes == blob) }
    }
  }

  @Test("binds handles to a frame that arrives in pieces, behind others")
  func handlesInPieces() throws {
    let (transport, peer) = try withBarePeer()
    let handle = try EventCounter().handle
    try write(try encoder.frame([1]), to: peer)
    let frame = try encoder.frame([2, 2, 2], handleCount: 2)
    try write(Array(frame.prefix(3)), handles: [handle, handle], to: peer)
    for byte in frame.dropFirst(3) { try write([byte], to: peer) }
    try write(try encoder.frame([3], handleCount: 1), handles: [handle], to: peer)
    for count in [0, 2, 1] { #expect(try transport.tryReceiveFrame()?.handles.count == count) }
  }

  @Test("keeps received handles close-on-exec")
  func closeOnExec() throws {
    let (left, right) = try SocketTransport.pair()
    #expect(try left.trySend([1], handles: [try EventCounter().handle]) == .sent)
    let handle = try #require(try right.tryReceiveFrame()?.handles.first)
    #expect(fcntl(handle.descriptor.rawValue, F_GETFD) == FD_CLOEXEC)
  }

  @Test("tells a stream that ends within a frame from one that ends", arguments: [1, 8, 12])
  func truncated(byteCount: Int) throws {
    let (transport, peer) = try withBarePeer()
    let frame = try encoder.frame([1, 2, 3, 4, 5])
    try write(frame, to: peer)
    try write(Array(frame.prefix(byteCount)), to: peer)
    try UnixSocket.finishSending(peer)
    #expect(try transport.tryReceiveFrame()?.bytes == [1, 2, 3, 4, 5])
    for _ in 0..<2 {
      #expect(throws: TransportError.truncatedFrame(receivedByteCount: byteCount)) { try transport.tryReceiveFrame() }
    }
  }

  @Test(
    "ends the connection at bytes that are no frame",
    arguments: [
      (Array("GET / HTTP/1.1\r\n".utf8), FrameError.wrongMagic(0x4547)),
      ([0xE1, 0x5A, 77, 0, 0, 0, 0, 0], .unknownKind(77)),
      ([0xE1, 0x5A, 1, 0, 0, 0, 1, 0], .blobTooLarge(byteCount: 65_536, limit: 1000)),
      ([0xE1, 0x5A, 1, 3, 0, 0, 0, 0], .handlesMismatch(announced: 3, received: 0)),
    ])
  func garbage(bytes: [UInt8], error: FrameError) throws {
    let (transport, peer) = try withBarePeer()
    try write(bytes, to: peer)
    for _ in 0..<2 {
      #expect(throws: TransportError.malformedFrame(error)) { try transport.tryReceiveFrame() }
    }
    // The peer learns of it.
    #expect(try Poll.wait(for: peer.descriptor, .readable, deadline: patience()).contains(.hungUp))
  }

  @Test("closes handles that a peer sends with the wrong bytes, and ends")
  func strayHandles() throws {
    let frame = try encoder.frame([UInt8](repeating: 9, count: 100))
    for place in 0..<2 {
      let (transport, peer) = try withBarePeer()
      var canary = try Canary()
      if place == 0 {
        try write(frame, handles: [try canary.release()], to: peer)
      } else {
        try write(Array(frame.prefix(20)), to: peer)
        #expect(try transport.tryReceiveFrame() == nil)
        try write(Array(frame[20..<40]), handles: [try canary.release()], to: peer)
      }
      #expect(throws: TransportError.malformedFrame(.handlesMismatch(announced: 0, received: 1))) {
        try transport.tryReceiveFrame()
      }
      #expect(try !canary.isHeld)
    }
  }

  @Test("survives any bytes at all", arguments: UInt64(0)..<20)
  func randomStream(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let (transport, peer) = try withBarePeer()
    var (valid, intact, hasBroken) = (0, 0, false)
    for _ in 0..<200 {
      let blob = random.bytes(.random(in: 0...100, using: &random))
      var bytes = try encoder.frame(blob)
      let isBroken = Int.random(in: 0..<50, using: &random) == 0
      hasBroken = hasBroken || isBroken
      if !hasBroken { intact += 1 }
      if isBroken { bytes[Int.random(in: 0..<8, using: &random)] ^= UInt8.random(in: 1...255, using: &random) }
      guard (try? UnixSocket.send(on: peer, bytes.span.bytes)) == bytes.count else { break }
      do {
        while let frame = try transport.tryReceiveFrame() {
          valid += 1
          #expect(frame.bytes.count <= 1000)
        }
      } catch {
        #expect(error.endsConnection)
        break
      }
    }
    // What came before the first broken frame was delivered.
    #expect(valid >= intact)
  }

  @Test("resumes partial writes at any byte")
  func partialWrites() async throws {
    let (ours, theirs) = try UnixSocket.pair()
    try UnixSocket.setSendBufferByteCount(1, of: ours)
    let size = 300_000
    let transport = try SocketTransport(socket: ours, maxBlobSize: size)
    let receiver = try SocketTransport(socket: theirs, maxBlobSize: size)
    var random = SeededGenerator(seed: 7)
    let blobs = (0..<10).map { _ in random.bytes(.random(in: size / 2...size, using: &random)) }
    var partial = 0
    for blob in blobs {
      #expect(try transport.trySend(blob) == .sent)
      if transport.hasUnsentBytes { partial += 1 }
      #expect(try transport.trySend([1]) == .wouldBlock)
      async let flushed: Void = {
        while try !transport.flush() {
          let outcome = await Reactor.shared.wait(for: transport.writeDescriptor, .writable, deadline: patience())
          guard case .ready = outcome else { throw TransportError.timedOut }
        }
      }()
      #expect(try await receiver.receive(deadline: patience())?.bytes == blob)
      try await flushed
    }
    #expect(partial == blobs.count)
  }

  @Test("half-closes only after the bytes left over")
  func finishAfterFlush() throws {
    let (ours, theirs) = try UnixSocket.pair()
    try UnixSocket.setSendBufferByteCount(1, of: ours)
    let transport = try SocketTransport(socket: ours, maxBlobSize: 100_000)
    let receiver = try SocketTransport(socket: theirs, maxBlobSize: 100_000)
    let blob = [UInt8](repeating: 6, count: 100_000)
    #expect(try transport.trySend(blob) == .sent)
    try transport.finishSending()
    #expect(transport.hasUnsentBytes)
    var frame: ReceivedFrame?
    while frame == nil {
      try transport.flush()
      frame = try receiver.tryReceiveFrame()
    }
    #expect(frame?.bytes == blob)
    #expect(try receiver.tryReceive { _, _ in } == .endOfStream)
  }

  @Test("says who is at the other end")
  func peer() throws {
    let (left, _) = try SocketTransport.pair()
    #expect(try left.peerCredentials() == PeerCredentials(pid: getpid(), uid: getuid(), gid: getgid()))
    #expect(try left.peerProcess().isAlive)
  }

  @Test("loses only the frame whose handles find no room in the descriptor table")
  func descriptorTableFull() async {
    await #expect(processExitsWith: .success) {
      let (sender, receiver) = try SocketTransport.pair()
      let handles = try (0..<8).map { _ in try EventCounter().handle }
      #expect(try sender.trySend([1], handles: handles) == .sent)
      #expect(try sender.trySend([2]) == .sent)
      // Full, whatever numbers are taken, but for three.
      var limit = rlimit(rlim_cur: 256, rlim_max: 256)
      #expect(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
      var hoard: [Handle] = []
      while let handle = try? handles[0].duplicated() { hoard.append(handle) }
      hoard.removeLast(3)
      do {
        _ = try receiver.tryReceive { _, _ in }
        Issue.record("the frame was delivered")
      } catch TransportError.descriptorTableFull(let expected, let received, let limit) {
        #expect(expected == 8 && received <= 3 && limit == 256)
      }
      #expect(try receiver.tryReceiveFrame()?.bytes == [2])
      #expect(try sender.trySend([3], handles: [handles[0]]) == .sent)
      #expect(try receiver.tryReceiveFrame()?.handles.count == 1)
    }
  }

  @Test("leaves no descriptor behind, whatever happens to it")
  func leaks() async {
    await #expect(processExitsWith: .success) {
      func round() throws {
        for kind in PairKind.allCases {
          let (left, right) = try kind.pair()
          let handles = left.carriesHandles ? [try EventCounter().handle] : []
          _ = try left.trySend([1], handles: handles + handles)
          _ = try left.trySend([2], handles: handles)
          _ = try right.tryReceive { _, _ in }
          if Bool.random() { left.close() }
        }
        let (ours, theirs) = try UnixSocket.pair()
        let transport = try SocketTransport(socket: ours)
        _ = try UnixSocket.send(on: theirs, Array("abc".utf8).span.bytes, handles: [theirs, theirs])
        _ = try? transport.tryReceive { _, _ in }
      }
      try round()
      let before = try openDescriptorCount()
      for _ in 0..<300 { try round() }
      // The runtime's own threads open a few, whenever they like; a leak would be one a round.
      #expect(try openDescriptorCount() < before + 30)
    }
  }
}
