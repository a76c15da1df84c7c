import DequeModule
import SluiceSystem
import SluiceTransport
import SluiceWaiting
import Synchronization

/// The control socket of a session: sends ``Control`` messages in order without ever blocking, and delivers what arrives.
///
/// Thread-safe. Delivers on the reactor's thread.
final class ControlConnection: Sendable {
  /// What the connection says to its owner.
  enum Event {
    case received(Control, [Handle])
    /// The stream ended, or the transport failed: why, if it did.
    case ended(String?)
    case violation(String)
  }

  private struct Queued {
    let bytes: [UInt8]
    let handles: [Handle]
    /// For a message that the next of its kind replaces: which it is.
    var replaceable: Control?
  }

  /// A function in a struct: bare in a mutex, it would be wrapped once more at each access.
  private struct Handler {
    var handle: (@Sendable (Event) -> Void)?
  }

  private struct State {
    var unsent: Deque<Queued> = []
    var roomWaiters: [OneShot<Bool>] = []
    var reading: Registration?
    var writing: Registration?
    var isClosed = false
  }

  /// Above so many unsent messages, those that can wait have to.
  private static let backlogLimit = 256

  private let transport: any Transport
  private let reactor: Reactor
  private let state = Mutex(State())
  private let handler = Mutex(Handler())

  init(over transport: any Transport, reactor: Reactor) {
    self.transport = transport
    self.reactor = reactor
  }

  /// Begins to deliver, first what came with the handshake.
  func start(_ handler: @escaping @Sendable (Event) -> Void) throws(SystemError) {
    self.handler.withLock { $0.handle = handler }
    let registration = try reactor.register(transport.drainDescriptor, for: .readable) { [weak self] _ in
      self?.drain()
    }
    let isLate = state.withLock { state in
      if !state.isClosed { state.reading = registration }
      return state.isClosed
    }
    // It was closed meanwhile, and nobody would cancel it any more.
    if isLate { return registration.cancel() }
    reactor.perform { [weak self] in self?.drain() }
  }

  // MARK: Sending

  /// How many messages wait for the other end to read.
  var unsentCount: Int { state.withLock { $0.unsent.count } }

  /// Sends, now or as soon as there is room. After the end, nothing.
  func send(_ control: Control, handles: [Handle] = []) {
    send(control, handles: handles, isReplaceable: false)
  }

  /// Sends a message instead of an earlier one that says less, if that waits: however often it is to be said, it takes the room
  /// of one.
  func sendInsteadOfEarlier(_ control: Control) {
    send(control, handles: [], isReplaceable: true)
  }

  private func send(_ control: Control, handles: [Handle], isReplaceable: Bool) {
    let bytes: [UInt8]
    do {
      bytes = try control.encoded()
    } catch {
      return reportSoon(.ended("a message of our own cannot be encoded: \(error)"))
    }
    send(encoded: bytes, handles: handles, replacing: isReplaceable ? control : nil)
  }

  /// Sends what is encoded already.
  func send(encoded bytes: [UInt8], handles: [Handle], replacing control: Control? = nil) {
    let outcome = state.withLock { state -> Result<Bool, TransportError> in
      guard !state.isClosed else { return .success(true) }
      let queued = Queued(bytes: bytes, handles: handles, replaceable: control)
      if let control, let earlier = state.unsent.firstIndex(where: { $0.replaceable.map(control.replaces) == true }) {
        state.unsent[earlier] = queued
        return .success(false)
      }
      if state.unsent.isEmpty {
        do throws(TransportError) {
          if try transport.trySend(bytes: bytes, handles: handles) == .sent {
            return .success(!transport.hasUnsentBytes)
          }
        } catch {
          return .failure(error)
        }
      }
      state.unsent.append(queued)
      return .success(false)
    }
    finishSend(outcome)
  }

  /// Sends if there is room; else the signal to wait for. False: the connection is closed.
  func sendUnlessBusy(_ control: Control, handles: [Handle]) -> OneShot<Bool>? {
    let signal = state.withLock { state -> OneShot<Bool>? in
      guard state.unsent.count >= Self.backlogLimit, !state.isClosed else { return nil }
      let signal = OneShot<Bool>()
      state.roomWaiters.append(signal)
      return signal
    }
    if let signal { return signal }
    send(control, handles: handles)
    return nil
  }

  private func finishSend(_ outcome: Result<Bool, TransportError>) {
    switch outcome {
    case .success(true): return
    case .success(false): watchForRoom()
    case .failure(let error): reportSoon(.ended("\(error)"))
    }
  }

  private func watchForRoom() {
    let isWatched = state.withLock { state in
      if state.writing == nil, !state.isClosed {
        state.writing = try? reactor.register(transport.writeDescriptor, for: .writable) { [weak self] _ in
          self?.roomAppeared()
        }
      }
      return state.writing != nil || state.isClosed
    }
    if !isWatched { reportSoon(.ended("the control socket cannot be watched")) }
  }

  private func roomAppeared() {
    let outcome = state.withLock { state -> Result<Bool, TransportError> in
      do throws(TransportError) {
        guard try transport.flush() else { return .success(false) }
        while let next = state.unsent.first {
          guard try transport.trySend(bytes: next.bytes, handles: next.handles) == .sent else {
            return .success(false)
          }
          state.unsent.removeFirst()
        }
        return .success(!transport.hasUnsentBytes)
      } catch {
        return .failure(error)
      }
    }
    if case .failure(let error) = outcome { return report(.ended("\(error)")) }
    let (waiters, registration) = state.withLock { state -> ([OneShot<Bool>], Registration?) in
      let isIdle = state.unsent.isEmpty && !transport.hasUnsentBytes
      defer {
        if isIdle { state.writing = nil }
        state.roomWaiters = []
      }
      return (state.roomWaiters, isIdle ? state.writing : nil)
    }
    registration?.cancel()
    for waiter in waiters { waiter.fulfill(true) }
  }

  // MARK: Receiving

  private func drain() {
    while !state.withLock({ $0.isClosed }) {
      var arrived: ([UInt8], [Handle])?
      do {
        let outcome = try transport.tryReceive { frame, handles in
          arrived = (frame.copied(), handles)
        }
        switch outcome {
        case .received: break
        case .wouldBlock: return
        case .endOfStream: return report(.ended(nil))
        }
      } catch {
        return report(.ended("\(error)"))
      }
      guard let (bytes, handles) = arrived else { continue }
      do {
        let control = try Control(decoding: bytes, handleCount: handles.count)
        handler.withLock { $0.handle }?(.received(control, handles))
      } catch {
        return report(.violation("\(error)"))
      }
    }
  }

  // MARK: The end

  /// For senders, who may hold locks that the end of a session needs.
  private func reportSoon(_ event: Event) {
    reactor.perform { [weak self] in self?.report(event) }
  }

  private func report(_ event: Event) {
    stopReading()
    handler.withLock { $0.handle }?(event)
  }

  /// Reads no more; what is unsent still goes.
  private func stopReading() {
    state.withLock { state in
      defer { state.reading = nil }
      return state.reading
    }?.cancel()
  }

  /// Closes, after what is unsent has gone, or `Linger.patience` has passed.
  func close() {
    let closed = state.withLock { state -> State in
      defer {
        state = State(isClosed: true)
      }
      return state
    }
    closed.reading?.cancel()
    closed.writing?.cancel()
    handler.withLock { $0.handle = nil }
    for waiter in closed.roomWaiters { waiter.fulfill(false) }
    guard !closed.isClosed else { return }
    Linger.close(transport, unsent: closed.unsent.map { ($0.bytes, $0.handles) }, reactor: reactor)
  }
}
