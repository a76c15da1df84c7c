import Glibc
import SluiceSystem
import SluiceTransport
import Synchronization
import SystemPackage
import Testing

/// A deadline that a passing test never meets: what it waits for has happened by then, or will not.
func patience() -> ContinuousClock.Instant { .now + .seconds(120) }

extension Transport {
  func trySend(_ bytes: [UInt8], handles: [Handle] = []) throws(TransportError) -> SendOutcome {
    try trySend(bytes.span.bytes, handles: handles)
  }

  func send(_ bytes: [UInt8], handles: [Handle] = []) throws(TransportError) {
    try send(bytes.span.bytes, handles: handles, deadline: patience())
  }

  /// The next frame, if it is there already.
  func tryReceiveFrame() throws(TransportError) -> ReceivedFrame? {
    var frame: ReceivedFrame?
    _ = try tryReceive { frame = ReceivedFrame($0, $1) }
    return frame
  }
}

/// A pipe whose writing end travels: its reading end sees the end of the stream when every copy is closed, whatever other
/// tests do to the descriptor table meanwhile.
struct Canary {
  let reading: Handle
  private(set) var writing: Handle?

  init() throws {
    let pipe = try FileDescriptor.pipe(options: .closeOnExec)
    reading = Handle(owning: pipe.readEnd)
    writing = Handle(owning: pipe.writeEnd)
  }

  /// Hands the writing end over.
  mutating func release() throws -> Handle {
    let handle = writing.take()
    return try #require(handle)
  }

  /// Whether a copy of the writing end is open somewhere.
  var isHeld: Bool { get throws { try !Poll.isReady(reading.descriptor, .readable) } }
}

func openDescriptorCount() throws -> Int { try FileSystem.entries(of: "/proc/self/fd").count }

/// A directory of the test's own, removed with it.
final class TemporaryDirectory {
  let path: FilePath

  init() throws {
    var template = Array("/tmp/sluice-test-XXXXXX".utf8CString)
    let made = try #require(mkdtemp(&template))
    path = FilePath(platformString: made)
  }

  deinit { try? FileSystem.removeTree(path) }
}

/// Lets a thread wait for another one, as often as it opens.
final class Gate: Sendable {
  private let counter: EventCounter

  init() throws { counter = try EventCounter() }

  func open() { counter.signal() }

  /// Waits until it is open; fails the test if that never happens.
  func pass(_ location: SourceLocation = #_sourceLocation) throws {
    let events = try Poll.wait(for: counter.descriptor, .readable, deadline: patience())
    #expect(!events.isEmpty, "nothing happened", sourceLocation: location)
    counter.reset()
  }
}

/// A value behind a lock, shared by closures.
final class Locked<Value: Sendable>: Sendable {
  let mutex: Mutex<Value>

  init(_ value: Value) { mutex = Mutex(value) }
}

/// A flag that is set once.
final class Flag: Sendable {
  private let value = Atomic<Bool>(false)

  var isSet: Bool { value.load(ordering: .sequentiallyConsistent) }

  func set() { value.store(true, ordering: .sequentiallyConsistent) }
}

extension FrameEncoder {
  func frame(_ bytes: [UInt8], handleCount: Int = 0) throws(TransportError) -> [UInt8] {
    try frame(bytes.span.bytes, handleCount: handleCount)
  }
}

extension FrameDecoder {
  func next(in bytes: [UInt8]) throws(FrameError) -> Step { try next(in: bytes.span.bytes) }
}
