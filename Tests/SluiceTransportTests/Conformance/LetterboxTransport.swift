import SluiceSystem
import SluiceTransport
import Synchronization
import SystemPackage

/// Frames within one process, through two boxes: the transport of Docs/transports.md.
final class LetterboxTransport: Transport {
  let kind = TransportKind(rawValue: "letterbox")
  let maxBlobSize: Int
  let carriesHandles = false
  private let outgoing: Letterbox
  private let incoming: Letterbox
  private let isClosed = Atomic<Bool>(false)

  private init(_ maxBlobSize: Int, outgoing: Letterbox, incoming: Letterbox) {
    self.maxBlobSize = maxBlobSize
    self.outgoing = outgoing
    self.incoming = incoming
  }

  static func pair(maxBlobSize: Int) throws -> (LetterboxTransport, LetterboxTransport) {
    let (there, back) = (try Letterbox(), try Letterbox())
    return (
      LetterboxTransport(maxBlobSize, outgoing: there, incoming: back),
      LetterboxTransport(maxBlobSize, outgoing: back, incoming: there)
    )
  }

  deinit { close() }

  func trySend(_ blob: RawSpan, handles: [Handle]) throws(TransportError) -> SendOutcome {
    guard blob.byteCount <= maxBlobSize else { throw .blobTooLarge(byteCount: blob.byteCount, limit: maxBlobSize) }
    guard handles.isEmpty else { throw .handlesNotCarried(kind) }
    try checkOpen()
    return try outgoing.put(blob.withUnsafeBytes { Array($0) }) ? .sent : .wouldBlock
  }

  func tryReceive(_ body: (RawSpan, [Handle]) -> Void) throws(TransportError) -> ReceiveOutcome {
    try checkOpen()
    let (letter, outcome) = incoming.take()
    if let letter { body(letter.span.bytes, []) }
    return outcome
  }

  // A frame is in the box or it is not: nothing is ever left over.
  func flush() throws(TransportError) -> Bool {
    try checkOpen()
    return true
  }
  var hasUnsentBytes: Bool { false }

  var readDescriptor: FileDescriptor { incoming.readable.descriptor }
  var writeDescriptor: FileDescriptor { outgoing.writable.descriptor }

  func finishSending() throws(TransportError) {
    try checkOpen()
    outgoing.finish()
  }

  func close() {
    if isClosed.exchange(true, ordering: .acquiringAndReleasing) { return }
    outgoing.finish()
    incoming.abandon()
  }

  private func checkOpen() throws(TransportError) {
    if isClosed.load(ordering: .acquiring) { throw .closed }
  }
}

/// One direction: a bounded list, and two counters whose descriptors show what can be done.
private final class Letterbox: Sendable {
  let readable: EventCounter
  let writable: EventCounter
  private let state = Mutex(State())
  private static let limit = 16

  private struct State {
    var letters: [[UInt8]] = []
    var isFinished = false
    var isAbandoned = false
  }

  init() throws {
    readable = try EventCounter()
    writable = try EventCounter()
  }

  func put(_ letter: [UInt8]) throws(TransportError) -> Bool {
    try state.withLock { (state) throws(TransportError) in
      if state.isFinished { throw .sendingFinished }
      if state.isAbandoned { throw .peerClosed }
      if state.letters.count == Self.limit { return false }
      state.letters.append(letter)
      readable.signal()
      // Not writable while it is full.
      if state.letters.count == Self.limit { writable.fill() }
      return true
    }
  }

  func take() -> ([UInt8]?, ReceiveOutcome) {
    state.withLock { state in
      guard !state.letters.isEmpty else { return (nil, state.isFinished ? .endOfStream : .wouldBlock) }
      if state.letters.count == Self.limit { writable.reset() }
      let letter = state.letters.removeFirst()
      // Readable as long as there is a letter, and for ever once there is the end.
      if state.letters.isEmpty && !state.isFinished { readable.reset() }
      return (letter, .received)
    }
  }

  func finish() {
    state.withLock { $0.isFinished = true }
    readable.signal()
  }

  func abandon() {
    state.withLock { state in
      state.isAbandoned = true
      state.letters.removeAll()
      // Whoever waits, on either side, wakes and learns why.
      writable.reset()
      readable.signal()
    }
  }
}
