import Glibc
import SluiceSystem
import Synchronization
import SystemPackage
import Testing

@Suite("A message queue's timed calls") struct MessageQueueWaitingTests {
  private func queue(capacity: Int = 1) throws -> MessageQueue {
    let name = MessageQueue.unguessableName()
    defer { _ = try? MessageQueue.unlink(name) }
    return try MessageQueue.create(name, capacity: capacity, maxMessageByteCount: 8)
  }

  private func receive(
    _ queue: MessageQueue, _ deadline: ContinuousClock.Instant?, _ interrupter: EventCounter? = nil
  ) throws -> (MessageQueue.WaitOutcome, [UInt8]?) {
    var bytes: [UInt8]?
    let outcome = try queue.receive(deadline: deadline, interruptedBy: interrupter) { message, _ in
      bytes = message.withUnsafeBytes { Array($0) }
    }
    return (outcome, bytes)
  }

  @Test("end at their deadline, and not before", arguments: [true, false])
  func deadlines(withInterrupter: Bool) throws {
    let queue = try queue()
    let interrupter = withInterrupter ? try EventCounter() : nil
    let start = ContinuousClock.now
    #expect(try receive(queue, start + .milliseconds(3), interrupter) == (.timedOut, nil))
    #expect(ContinuousClock.now >= start + .milliseconds(3))
    #expect(try queue.send(([1] as [UInt8]).span.bytes, deadline: patience(), interruptedBy: interrupter) == .done)
    #expect(try queue.send([2].span.bytes, deadline: .now, interruptedBy: interrupter) == .timedOut)
    #expect(try receive(queue, nil, interrupter) == (.done, [1]))
    #expect(try receive(queue, .now - .seconds(1), interrupter) == (.timedOut, nil))
  }

  @Test("wait for another thread's message, and for the room that it makes")
  func exchange() throws {
    let (there, back) = (try queue(), try queue())
    let echo = try WorkerThread(name: "echo") {
      for _ in 0..<200 {
        var bytes: [UInt8] = []
        _ = try? there.receive(deadline: patience()) { message, _ in bytes = message.withUnsafeBytes { Array($0) } }
        _ = try? back.send(bytes.span.bytes, deadline: patience())
      }
    }
    for number in UInt8(0)..<200 {
      #expect(try there.send(([number] as [UInt8]).span.bytes, deadline: patience()) == .done)
      #expect(try receive(back, patience()) == (.done, [number]))
    }
    echo.join()
  }

  @Test("are interrupted by another thread, and before they began, but not kept from what can be done")
  func interrupted() throws {
    let queue = try queue()
    let interrupter = try EventCounter()
    let started = try EventCounter()
    let results = Results()
    let waiter = try WorkerThread(name: "waiter") {
      started.signal()
      if let outcome = try? queue.receive(interruptedBy: interrupter, { _, _ in }) { results.append(outcome) }
    }
    #expect(try Poll.wait(for: started.descriptor, .readable, deadline: patience()) == .readable)
    interrupter.signal()
    waiter.join()
    #expect(results.all == [.interrupted])
    #expect(try receive(queue, nil, interrupter) == (.interrupted, nil))
    #expect(try queue.send(([1] as [UInt8]).span.bytes, interruptedBy: interrupter) == .done)
    #expect(try queue.send([2].span.bytes, interruptedBy: interrupter) == .interrupted)
    #expect(try receive(queue, nil, interrupter) == (.done, [1]))
    interrupter.reset()
    #expect(try receive(queue, .now, interrupter) == (.timedOut, nil))
  }

  @Test("do not block in the kernel when another process has made the open queue a blocking one")
  func blockingOpenFile() throws {
    let queue = try queue()
    #expect(fcntl(queue.handle.descriptor.rawValue, F_SETFL, 0) == 0)
    #expect(try !queue.tryReceive { _, _ in })
    #expect(try queue.trySend([1].span.bytes))
    #expect(try !queue.trySend([2].span.bytes))
    #expect(try queue.send([2].span.bytes, deadline: .now) == .timedOut)
  }
}

private final class Results: Sendable {
  private let outcomes = Mutex<[MessageQueue.WaitOutcome]>([])
  var all: [MessageQueue.WaitOutcome] { outcomes.withLock { $0 } }
  func append(_ outcome: MessageQueue.WaitOutcome) { outcomes.withLock { $0.append(outcome) } }
}
