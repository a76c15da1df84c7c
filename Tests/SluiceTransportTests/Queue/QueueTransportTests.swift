import Glibc
import SluiceSystem
import SluiceTransport
import SystemPackage
import Testing
import TestSupport

/// A queue transport whose peer is the test, which has the peer's handles and does with them what it likes.
struct QueueForger {
  let victim: QueueTransport
  /// The sending end of the queue that the victim receives from.
  let toVictim: MessageQueue
  /// The sending end of the queue that the victim sends to.
  let fromVictim: MessageQueue

  init(maxBlobSize: Int = 1000, size: QueueSize = QueueSize(capacity: 4, messageByteCount: 72)) throws {
    let ours = try QueueTransport.prepare(size: size, maxBlobSize: maxBlobSize)
    let forged = try QueueTransport.prepare(size: size, maxBlobSize: maxBlobSize)
    toVictim = try MessageQueue(ours.handles[0])
    fromVictim = try MessageQueue(forged.handles[0])
    victim = try QueueTransport(ours, peer: forged.announcement, handles: forged.handles)
  }

  func send(_ bytes: [UInt8]) throws { #expect(try toVictim.trySend(bytes.span.bytes)) }
}

@Suite("A queue transport") struct QueueTransportTests {
  @Test("splits blobs and joins them, at every size around the messages'")
  func sizes() throws {
    let (sender, receiver) = try QueueTransport.pair(
      size: QueueSize(capacity: 4, messageByteCount: 24), maxBlobSize: 200)
    var random = SeededGenerator(seed: 1)
    for size in 0...200 {
      let blob = random.bytes(size)
      #expect(try sender.trySend(blob) == .sent)
      var frame = try receiver.tryReceiveFrame()
      while frame == nil {
        try sender.flush()
        frame = try receiver.tryReceiveFrame()
      }
      #expect(frame?.bytes == blob)
    }
  }

  @Test("works with a message size that is no multiple of eight, and with two sizes")
  func oddSizes() throws {
    let left = try QueueTransport.prepare(size: QueueSize(capacity: 2, messageByteCount: 101), maxBlobSize: 5000)
    let right = try QueueTransport.prepare(size: QueueSize(capacity: 3, messageByteCount: 17), maxBlobSize: 3000)
    let (leftHandles, rightHandles) = (left.handles, right.handles)
    let (leftSays, rightSays) = (left.announcement, right.announcement)
    let pair = (
      try QueueTransport(left, peer: rightSays, handles: rightHandles),
      try QueueTransport(right, peer: leftSays, handles: leftHandles)
    )
    #expect(pair.0.maxBlobSize == 3000 && pair.1.maxBlobSize == 3000)
    var random = SeededGenerator(seed: 2)
    for (sender, receiver) in [pair, (pair.1, pair.0)] {
      let blob = random.bytes(3000)
      #expect(try sender.trySend(blob) == .sent)
      #expect(sender.hasUnsentBytes)
      var frame = try receiver.tryReceiveFrame()
      while frame == nil {
        try sender.flush()
        frame = try receiver.tryReceiveFrame()
      }
      #expect(frame?.bytes == blob)
    }
  }

  @Test("leaves no name behind")
  func noName() throws {
    let endpoint = try QueueTransport.prepare()
    // What the kernel shows of an open queue is its name, and that it is gone.
    let link = try linkTarget("/proc/self/fd/\(endpoint.handles[0].descriptor.rawValue)")
    #expect(link.hasSuffix("(deleted)"))
  }

  @Test("tells the end to a receiver whose queue was full, after the last frame", arguments: [true, false])
  func closedWhileFull(isWithinFrame: Bool) throws {
    let (sender, receiver) = try QueueTransport.pair(
      size: QueueSize(capacity: 2, messageByteCount: 72), maxBlobSize: 1000)
    #expect(try sender.trySend([1]) == .sent)
    if isWithinFrame {
      #expect(try sender.trySend([UInt8](repeating: 2, count: 1000)) == .sent)
      #expect(sender.hasUnsentBytes)
    } else {
      #expect(try sender.trySend([2]) == .sent)
      #expect(try sender.trySend([3]) == .wouldBlock)
    }
    sender.close()
    #expect(try receiver.tryReceiveFrame()?.bytes == [1])
    #expect(try Poll.isReady(receiver.readDescriptor, .readable))
    if isWithinFrame {
      for _ in 0..<2 {
        #expect(throws: TransportError.truncatedFrame(receivedByteCount: 64)) { try receiver.tryReceiveFrame() }
      }
    } else {
      #expect(try receiver.tryReceiveFrame()?.bytes == [2])
      // The queue is empty, yet there is something to see.
      #expect(try Poll.isReady(receiver.readDescriptor, .readable))
      #expect(try receiver.tryReceive { _, _ in } == .endOfStream)
    }
    #expect(try Poll.isReady(receiver.readDescriptor, .readable))
  }

  @Test("half-closes only after the messages left over")
  func finishAfterFlush() throws {
    let (sender, receiver) = try QueueTransport.pair(
      size: QueueSize(capacity: 2, messageByteCount: 72), maxBlobSize: 1000)
    let blob = [UInt8](repeating: 6, count: 128)
    #expect(try sender.trySend([5]) == .sent)
    #expect(try sender.trySend(blob) == .sent)
    #expect(sender.hasUnsentBytes)
    try sender.finishSending()
    #expect(sender.hasUnsentBytes)
    #expect(try receiver.tryReceiveFrame()?.bytes == [5])
    #expect(try receiver.tryReceive { _, _ in } == .wouldBlock)
    #expect(try Poll.isReady(sender.writeDescriptor, .writable))
    #expect(try sender.flush())
    #expect(try receiver.tryReceiveFrame()?.bytes == blob)
    #expect(try receiver.tryReceive { _, _ in } == .endOfStream)
  }

  @Test("ends without room for the end")
  func finishWithoutRoom() throws {
    let (sender, receiver) = try QueueTransport.pair(
      size: QueueSize(capacity: 1, messageByteCount: 72), maxBlobSize: 64)
    #expect(try sender.trySend([5]) == .sent)
    try sender.finishSending()
    #expect(!sender.hasUnsentBytes)
    #expect(try receiver.tryReceiveFrame()?.bytes == [5])
    #expect(try Poll.isReady(receiver.readDescriptor, .readable))
    #expect(try receiver.tryReceive { _, _ in } == .endOfStream)
    #expect(try receiver.trySend([6]) == .sent)
    #expect(try sender.tryReceiveFrame()?.bytes == [6])
  }

  @Test("wakes senders that wait for room when either side closes", arguments: [true, false])
  func wakesSenders(ownClose: Bool) async throws {
    let (sender, receiver) = try QueueTransport.pair(
      size: QueueSize(capacity: 1, messageByteCount: 72), maxBlobSize: 64)
    #expect(try sender.trySend([1]) == .sent)
    let gate = try Gate()
    let blocked = Locked<TransportError?>(nil)
    let thread = try WorkerThread(name: "sender") {
      gate.open()
      // Again and again: a close of the receiver empties the queue, and one that has just looked finds room there.
      do throws(TransportError) { while true { try sender.send([2]) } } catch {
        blocked.mutex.withLock { $0 = error }
      }
    }
    let suspended = Task { () -> TransportError in
      do throws(TransportError) {
        while true { try await sender.send([3].span.bytes, deadline: patience()) }
      } catch {
        return error
      }
    }
    try gate.pass()
    (ownClose ? sender : receiver).close()
    thread.join()
    let expected: TransportError = ownClose ? .closed : .peerClosed
    #expect(blocked.mutex.withLock { $0 } == expected)
    #expect(await suspended.value == expected)
  }

  @Test("is there in one direction alone")
  func halves() throws {
    let sending = try QueueSender.prepare(maxBlobSize: 300)
    let receiving = try QueueReceiver.prepare(size: QueueSize(capacity: 3, messageByteCount: 72), maxBlobSize: 200)
    let (senderHandles, senderSays) = (sending.handles, sending.announcement)
    let sender = try QueueSender(sending, peer: receiving.announcement, handles: receiving.handles)
    let receiver = try QueueReceiver(receiving, peer: senderSays, handles: senderHandles)
    #expect(sender.maxBlobSize == 200 && receiver.maxBlobSize == 200)
    let blob = [UInt8](0..<150)
    #expect(try sender.trySend(blob.span.bytes) == .sent)
    #expect(try sender.trySend(blob.span.bytes) == .wouldBlock)
    #expect(try !Poll.isReady(sender.descriptor, .writable))
    #expect(try receiver.wait(deadline: patience()))
    var received: [UInt8] = []
    #expect(try receiver.tryReceive { received = $0.withUnsafeBytes { Array($0) } } == .received)
    #expect(received == blob)
    #expect(try Poll.isReady(sender.descriptor, .writable))
    try sender.finishSending()
    #expect(try receiver.tryReceive { _ in } == .endOfStream)
    receiver.close()
    #expect(throws: TransportError.sendingFinished) { try sender.trySend([1].span.bytes) }
  }

  @Test(
    "ends the connection at messages that are none of its own",
    arguments: [
      ([], FrameError.fragmentTooShort(byteCount: 0)),
      (Array("GET / HTTP/1.1\r\n".utf8), .wrongMagic(0x4547)),
      ([0xE2, 0x5A, 77, 0, 0, 0, 0, 0], .unknownKind(77)),
      ([0xE2, 0x5A, 1, 0, 0, 0, 1, 0], .blobTooLarge(byteCount: 65_536, limit: 1000)),
      ([0xE2, 0x5A, 1, 0, 10, 0, 0, 0, 1], .wrongFragmentSize(byteCount: 1, expected: 10)),
      ([0xE2, 0x5A, 2, 0, 0, 0, 0, 0, 1], .misplacedFragment(offset: 0, expected: 0)),
    ])
  func garbage(bytes: [UInt8], error: FrameError) throws {
    let forger = try QueueForger()
    try forger.send([0xE2, 0x5A, 1, 0, 1, 0, 0, 0, 9])
    try forger.send(bytes)
    #expect(try forger.victim.tryReceiveFrame()?.bytes == [9])
    for _ in 0..<2 {
      #expect(throws: TransportError.malformedFrame(error)) { try forger.victim.tryReceiveFrame() }
      #expect(throws: TransportError.malformedFrame(error)) { try forger.victim.trySend([1]) }
      #expect(try Poll.isReady(forger.victim.readDescriptor, .readable))
    }
  }

  @Test("is not blocked by a peer that makes the open queues blocking ones, fills or empties them")
  func blockingEnds() throws {
    let forger = try QueueForger()
    let victim = forger.victim
    for queue in [forger.toVictim, forger.fromVictim] {
      #expect(fcntl(queue.handle.descriptor.rawValue, F_SETFL, 0) == 0)
    }
    // Filled by the peer: the victim's sending end is the very open file whose O_NONBLOCK is gone.
    while try forger.fromVictim.trySend([7].span.bytes) {}
    #expect(try victim.trySend([1]) == .wouldBlock)
    #expect(try !victim.waitToSend(byteCount: 1, deadline: .now))
    #expect(try victim.tryReceive { _, _ in } == .wouldBlock)
    // Emptied by the peer, through a receiving end that root can get.
    try forger.send([0xE2, 0x5A, 1, 0, 1, 0, 0, 0, 9])
    #expect(try Poll.isReady(victim.readDescriptor, .readable))
    let path = FilePath("/proc/self/fd/\(forger.toVictim.handle.descriptor.rawValue)")
    if let thief = try? MessageQueue(Handle.open(path, .readOnly)) {
      #expect(try thief.tryReceive { _, _ in })
      #expect(try victim.tryReceive { _, _ in } == .wouldBlock)
    }
    victim.close()
    #expect(throws: TransportError.closed) { try victim.tryReceiveFrame() }
  }

  @Test("survives any messages at all", arguments: UInt64(0)..<10)
  func randomMessages(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    for _ in 0..<30 {
      let forger = try QueueForger()
      var failure: TransportError?
      for _ in 0..<50 where failure == nil {
        var message = random.bytes(.random(in: 0...64, using: &random))
        if Bool.random(using: &random), message.count >= 8 {
          message.replaceSubrange(0..<4, with: [0xE2, 0x5A, .random(in: 1...2, using: &random), 0])
          message.replaceSubrange(5..<8, with: [0, 0, 0])
        }
        try forger.send(message)
        do {
          while let frame = try forger.victim.tryReceiveFrame() { #expect(frame.bytes.count <= 1000) }
        } catch {
          failure = error
        }
      }
      #expect(failure?.endsConnection == true)
    }
  }

  @Test("refuses announcements and handles that are not what they should be")
  func setup() throws {
    let counter = try EventCounter().handle
    func refused(_ peer: QueueAnnouncement, _ handles: [Handle]) -> QueueSetupError? {
      do {
        _ = try QueueTransport(try QueueTransport.prepare(), peer: peer, handles: handles)
        return nil
      } catch {
        return error
      }
    }
    let other = try QueueTransport.prepare()
    let good = other.handles
    let says = other.announcement
    #expect(refused(says, good) == nil)
    #expect(refused(QueueAnnouncement(maxBlobSize: 0), good) == .invalidMaxBlobSize(0, limit: 1 << 30))
    #expect(refused(says, [good[0], good[1]]) == .wrongHandleCount(2, expected: 3))
    guard case .notAQueue? = refused(says, [counter, good[1], good[2]]) else { return _ = Issue.record("taken") }
    guard case .segment? = refused(says, [good[0], counter, good[2]]) else { return _ = Issue.record("taken") }
    let name = MessageQueue.unguessableName()
    defer { _ = try? MessageQueue.unlink(name) }
    let deaf = try MessageQueue.create(name, capacity: 1, maxMessageByteCount: 64, access: .receiving)
    guard case .notAQueue? = refused(says, [deaf.handle, good[1], good[2]]) else { return _ = Issue.record("taken") }
    let narrow = try MessageQueue.create(name + "b", capacity: 1, maxMessageByteCount: 15)
    try MessageQueue.unlink(name + "b")
    #expect(refused(says, [narrow.handle, good[1], good[2]]) == .messagesTooSmall(byteCount: 15, least: 16))
    #expect(throws: QueueSetupError.messagesTooSmall(byteCount: 15, least: 16)) {
      _ = try QueueTransport.prepare(size: QueueSize(capacity: 1, messageByteCount: 15)).announcement
    }
  }

  @Test("names the limit that stands in the way")
  func limits() async {
    await #expect(processExitsWith: .success) {
      var descriptors = rlimit(rlim_cur: 64, rlim_max: 64)
      #expect(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &descriptors) == 0)
      var hoard: [Handle] = []
      while let handle = try? EventCounter().handle { hoard.append(handle) }
      #expect(throws: QueueSetupError.queue(.descriptorTableFull(limit: 64))) {
        _ = try QueueTransport.prepare(size: QueueSize(capacity: 1, messageByteCount: 16)).announcement
      }
      // With each number of descriptors that does not suffice, the failure is typed, and nothing leaks.
      var made = false
      while !made && !hoard.isEmpty {
        hoard.removeLast()
        do {
          _ = try QueueTransport.pair(size: QueueSize(capacity: 1, messageByteCount: 16))
          made = true
        } catch {
          let text = "\(error)"
          #expect(text.contains("RLIMIT_NOFILE is 64") || text.contains("errno 24"), "\(text)")
        }
      }
      #expect(made)
      hoard.removeAll()
      // What counts is what all processes of this user have made.
      var limit = rlimit(rlim_cur: 3000, rlim_max: 3000)
      #expect(setrlimit(__rlimit_resource_t(__RLIMIT_MSGQUEUE.rawValue), &limit) == 0)
      #expect(throws: QueueSetupError.queue(.queueMemoryExhausted(byteCount: 10_240, limit: 3000))) {
        _ = try QueueTransport.prepare().announcement
      }
    }
  }
}

/// What a symbolic link points to.
func linkTarget(_ path: String) throws -> String {
  var buffer = [CChar](repeating: 0, count: 4096)
  let count = readlink(path, &buffer, buffer.count)
  try #require(count >= 0)
  return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
