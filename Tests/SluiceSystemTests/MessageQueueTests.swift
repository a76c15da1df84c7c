import Glibc
import SluiceSystem
import SystemPackage
import Testing

@Suite("A message queue") struct MessageQueueTests {
  private let name = "/sluice-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"

  private func send(_ bytes: [UInt8], priority: UInt32 = 0, to queue: MessageQueue) throws -> Bool {
    try queue.trySend(bytes.span.bytes, priority: priority)
  }

  private func receive(from queue: MessageQueue) throws -> [UInt8]? {
    var bytes: [UInt8]?
    let isThere = try queue.tryReceive { message, _ in bytes = message.withUnsafeBytes { Array($0) } }
    #expect(isThere == (bytes != nil))
    return bytes
  }

  @Test("carries messages by priority, up to its capacity, also after its name is gone")
  func messages() throws {
    let queue = try MessageQueue.create(name, capacity: 3, maxMessageByteCount: 16)
    defer { _ = try? MessageQueue.unlink(name) }
    #expect(queue.capacity == 3 && queue.maxMessageByteCount == 16)
    #expect(fcntl(queue.handle.descriptor.rawValue, F_GETFD) == FD_CLOEXEC)
    let sender = try MessageQueue.open(name, access: .sending)
    #expect(try MessageQueue.unlink(name))
    #expect(try !MessageQueue.unlink(name))
    #expect(try receive(from: queue) == nil)
    #expect(try !Poll.isReady(queue.handle.descriptor, .readable))
    #expect(try send([1], to: sender))
    #expect(try send([2, 2], priority: 1, to: sender))
    #expect(try send([], to: sender))
    #expect(try !send([4], to: sender))
    #expect(try !Poll.isReady(sender.handle.descriptor, .writable))
    #expect(try Poll.isReady(queue.handle.descriptor, .readable))
    #expect(try receive(from: queue) == [2, 2])
    #expect(try receive(from: queue) == [1])
    #expect(try receive(from: queue) == [])
    #expect(throws: SystemError.self) { try receive(from: sender) }
    #expect(throws: SystemError(operation: "mq_timedsend", errno: .messageTooLong, detail: "17 bytes, limit 16")) {
      try send([UInt8](repeating: 0, count: 17), to: sender)
    }
  }

  @Test("says what stands in the way of making one")
  func errors() throws {
    let queue = try MessageQueue.create(name, capacity: 1, maxMessageByteCount: 8)
    defer { _ = try? MessageQueue.unlink(name) }
    #expect(throws: MessageQueueError.nameTaken(name)) {
      try MessageQueue.create(name, capacity: 1, maxMessageByteCount: 8)
    }
    #expect(throws: MessageQueueError.noSuchQueue(name + "y")) { try MessageQueue.open(name + "y") }
    for wrong in ["", "/", "x", "/a/b", "/" + String(repeating: "x", count: 255), "/a\0b"] {
      #expect(throws: MessageQueueError.invalidName(wrong, byteCountLimit: 254)) { try MessageQueue.open(wrong) }
    }
    for (capacity, size) in [(0, 8), (1, 0), (1_000_000, 8), (1, 1 << 30), (Int.max, Int.max)] {
      #expect(
        throws: MessageQueueError.sizeOutOfBounds(
          capacity: capacity, messageByteCount: size, capacityLimit: ResourceLimit.messagesPerQueue,
          messageByteCountLimit: ResourceLimit.queueMessageBytes)
      ) { try MessageQueue.create(name + "x", capacity: capacity, maxMessageByteCount: size) }
    }
    #expect((ResourceLimit.messagesPerQueue ?? 0) > 0 && (ResourceLimit.queueMessageBytes ?? 0) > 0)
    #expect(throws: SystemError(operation: "mq_getattr", errno: .badFileDescriptor)) {
      try MessageQueue(try EventCounter().handle)
    }
    withExtendedLifetime(queue) {}
  }

  @Test("names the limit of memory for all queues")
  func memoryLimit() async {
    await #expect(processExitsWith: .success) {
      var limit = rlimit(rlim_cur: 100, rlim_max: 100)
      #expect(setrlimit(__rlimit_resource_t(__RLIMIT_MSGQUEUE.rawValue), &limit) == 0)
      #expect(throws: MessageQueueError.queueMemoryExhausted(byteCount: 256, limit: 100)) {
        try MessageQueue.create("/sluice-test-limit-\(getpid())", capacity: 4, maxMessageByteCount: 64)
      }
    }
  }
}
