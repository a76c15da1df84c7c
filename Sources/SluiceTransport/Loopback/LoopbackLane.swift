import DequeModule
import SluiceSystem
import Synchronization

/// One frame on its way: a copy of its bytes, 8-byte aligned, and its handles.
struct LoopbackFrame: Sendable {
  private let words: [UInt64]
  private let byteCount: Int
  let handles: [Handle]

  init(_ blob: RawSpan, handles: [Handle]) {
    byteCount = blob.byteCount
    self.handles = handles
    let wordCount = (blob.byteCount + 7) / 8
    // Sound: the words have room for the blob's bytes; all of them are initialised, the last one wholly.
    guard wordCount > 0 else {
      words = []
      return
    }
    words = unsafe blob.withUnsafeBytes { source in
      unsafe Array(unsafeUninitializedCapacity: wordCount) { words, count in
        unsafe words.initializeElement(at: wordCount - 1, to: 0)
        unsafe UnsafeMutableRawBufferPointer(words).copyMemory(from: source)
        count = wordCount
      }
    }
  }

  func read(_ body: (RawSpan) -> Void) {
    // Sound: integers have no padding.
    body(unsafe words.span.bytes.extracting(first: byteCount))
  }
}

/// One direction of a loopback: a bounded queue whose state two descriptors show. Thread-safe.
final class LoopbackLane: Sendable {
  /// Readable when there is a frame, or the end.
  let readable: EventCounter
  /// Writable when there is room, or nobody to read.
  let writable: EventCounter
  private let limit: Int
  private let state = Mutex(State())

  private struct State {
    var frames: Deque<LoopbackFrame> = []
    var isFinished = false
    var isAbandoned = false
  }

  /// What `pop` found.
  enum Popped: Sendable {
    case frame(LoopbackFrame)
    case empty
    case end
  }

  init(limit: Int) throws(SystemError) {
    self.limit = limit
    readable = try EventCounter()
    writable = try EventCounter()
  }

  /// Whether there was room for the frame.
  func push(_ frame: LoopbackFrame) throws(TransportError) -> Bool {
    try state.withLock { (state) throws(TransportError) in
      if state.isFinished { throw .sendingFinished }
      if state.isAbandoned { throw .peerClosed }
      guard state.frames.count < limit else { return false }
      state.frames.append(frame)
      if state.frames.count == 1 { readable.signal() }
      if state.frames.count == limit { writable.fill() }
      return true
    }
  }

  func pop() -> Popped {
    state.withLock { state in
      guard let frame = state.frames.popFirst() else { return state.isFinished ? .end : .empty }
      if state.frames.isEmpty && !state.isFinished { readable.reset() }
      if state.frames.count == limit - 1 { writable.reset() }
      return .frame(frame)
    }
  }

  /// The sender sends no more. From now on the lane stays readable.
  func finish() {
    state.withLock { state in
      guard !state.isFinished else { return }
      state.isFinished = true
      readable.signal()
    }
  }

  /// The receiver receives no more. From now on the lane stays writable, so that the sender learns of it.
  func abandon() {
    state.withLock { state in
      guard !state.isAbandoned else { return }
      state.isAbandoned = true
      if state.frames.count >= limit { writable.reset() }
      state.frames.removeAll()
      readable.signal()
    }
  }
}
