import SluiceSystem
import Synchronization
import SystemPackage

/// Where a blocked thread that has a link's turn looks and waits for frames.
protocol DrainedSource {
  /// Whether a look may find something. Costs no system call.
  var mayHaveFrames: Bool { get }
  /// Blocks until there may be frames, or the wait is interrupted; false when the deadline passed first.
  func wait(deadline: ContinuousClock.Instant?, unless isInterrupted: () -> Bool) throws(TransportError) -> Bool
}

extension RingReceiver: DrainedSource {}

/// Any transport but a ring: its descriptor is polled, beside one that interrupts the wait.
final class PolledSource: DrainedSource, Sendable {
  private let transport: any Transport
  private let descriptor: FileDescriptor
  private let interruption: EventCounter
  /// The descriptor was ready, and nobody has looked since.
  private let isReady = Atomic<Bool>(false)

  init(_ transport: any Transport) throws(SystemError) {
    self.transport = transport
    descriptor = transport.drainDescriptor
    interruption = try EventCounter()
  }

  var mayHaveFrames: Bool { isReady.exchange(false, ordering: .relaxed) || !transport.isDrained }

  func wait(deadline: ContinuousClock.Instant?, unless isInterrupted: () -> Bool) throws(TransportError) -> Bool {
    if isInterrupted() { return true }
    do {
      let ready = try Poll.wait(
        for: descriptor, .readable, or: interruption.descriptor, .readable, deadline: deadline)
      // Who interrupts has first changed what the caller looks at next.
      if !ready.second.isEmpty { interruption.reset() }
      if !ready.first.isEmpty { isReady.store(true, ordering: .relaxed) }
      return !ready.first.isEmpty || !ready.second.isEmpty
    } catch {
      throw .failed(error)
    }
  }

  /// Makes a thread that waits look whether it is interrupted.
  func wakeSleepers() { interruption.signal() }
}
