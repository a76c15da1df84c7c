import SluiceSystem
import SluiceTransport
import Synchronization

/// A connection from which the server expects a client's introduction, within a deadline.
///
/// Whatever else comes ends this connection alone. Handled on the reactor's thread.
final class IncomingConnection: Sendable {
  /// How the introduction went. Reported once.
  enum Outcome {
    /// The client introduced itself, and sent these.
    case hello(Control.Hello, [Handle])
    /// It did not: why.
    case failed(String)
  }

  typealias Report = @Sendable (IncomingConnection, Outcome) -> Void

  private struct State {
    var transport: (any Transport)?
    var registration: Registration?
    var timer: ScheduledAction?
    var report: Report?
  }

  /// Who connected, on the kernel's word.
  let peer: PeerIdentity
  private let reactor: Reactor
  private let state: Mutex<State>

  init(_ socket: Handle, options: SessionOptions, report: @escaping Report) throws {
    peer = try PeerIdentity(of: socket)
    reactor = options.reactor
    let transport = try SocketTransport(socket: socket, maxBlobSize: Control.largestByteCount)
    state = Mutex(State(transport: options.tapped(transport, as: .control), report: report))
  }

  /// Begins to wait for the introduction.
  func start(timeout: Duration) {
    guard let descriptor = state.withLock({ $0.transport?.drainDescriptor }) else { return }
    let timer = reactor.schedule(at: .now.advanced(by: timeout)) { [weak self] in
      self?.finish(.failed("the client did not introduce itself within \(timeout)"))
    }
    do {
      let registration = try reactor.register(descriptor, for: .readable) { [weak self] _ in self?.receive() }
      state.withLock { state in
        state.timer = timer
        state.registration = registration
      }
    } catch {
      finish(.failed("\(error)"))
    }
  }

  private func receive() {
    guard let transport = state.withLock({ $0.transport }) else { return }
    var outcome: Outcome?
    do {
      let received = try transport.tryReceive { frame, handles in
        outcome = Self.decode(frame, handles)
      }
      if case .endOfStream = received { outcome = .failed("the client went without introducing itself") }
    } catch {
      outcome = .failed("\(error)")
    }
    if let outcome { finish(outcome) }
  }

  /// What stands in the way of the session that the client asked for while others decided about it; nil if nothing does.
  ///
  /// Nothing may follow the introduction, so that what can be read is the end of the connection, or a breach.
  var problem: String? {
    guard let transport = state.withLock({ $0.transport }) else { return "the connection has been closed" }
    guard (try? Poll.isReady(transport.readDescriptor, .readable)) == true else { return nil }
    return "the client went, or spoke, before it was answered"
  }

  private static func decode(_ frame: RawSpan, _ handles: [Handle]) -> Outcome {
    let bytes = frame.copied()
    do {
      guard case .hello(let hello) = try Control(decoding: bytes, handleCount: handles.count) else {
        return .failed("the client's first message is not its introduction")
      }
      return .hello(hello, handles)
    } catch {
      return .failed("\(error)")
    }
  }

  private func finish(_ outcome: Outcome) {
    stop()?(self, outcome)
  }

  /// Waits no more; who is to be told, if nobody was.
  private func stop() -> Report? {
    let stopped = state.withLock { state in
      defer {
        state.timer = nil
        state.registration = nil
        state.report = nil
      }
      return state
    }
    stopped.timer?.cancel()
    stopped.registration?.cancel()
    return stopped.report
  }

  /// Says no, and closes.
  func refuse(_ reason: RefusalReason, _ message: String, versions: ProtocolVersions = .current) {
    _ = stop()
    guard let transport = state.withLock({ $0.transport.take() }) else { return }
    let refusal = Control.refusal(Control.Refusal(reason: reason, message: message, versions: versions))
    // A refusal that cannot be encoded is still a refusal: the connection is closed.
    let unsent = (try? refusal.encoded()).map { [($0, [Handle]())] } ?? []
    Linger.close(transport, unsent: unsent, reactor: reactor)
  }

  /// Gives the connection to the session that begins on it.
  func handOver() throws(SessionError) -> any Transport {
    guard let transport = state.withLock({ $0.transport.take() }) else {
      throw .protocolViolation("the connection has been closed")
    }
    return transport
  }
}
