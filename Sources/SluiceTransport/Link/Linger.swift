import SluiceSystem
import Synchronization

/// Closes transports only after what was accepted for sending has gone, if the other end takes it in time.
package enum Linger {
  /// How long the other end has to take what is left.
  package static let patience = Duration.seconds(1)

  /// Sends `unsent` and what the transport holds, half-closes it, and closes it; without blocking the caller.
  package static func close(_ transport: any Transport, unsent: [([UInt8], [Handle])] = [], reactor: Reactor) {
    let closing = Closing(transport, unsent: unsent)
    if closing.advance() { return }
    closing.watch(on: reactor)
  }

  /// One transport that is being closed. It keeps itself, through its registrations, until it is done.
  private final class Closing: Sendable {
    private struct State {
      var unsent: ArraySlice<([UInt8], [Handle])>
      var writing: Registration?
      var patience: ScheduledAction?
      var isDone = false
    }

    private let transport: any Transport
    private let state: Mutex<State>

    init(_ transport: any Transport, unsent: [([UInt8], [Handle])]) {
      self.transport = transport
      state = Mutex(State(unsent: unsent[...]))
    }

    /// Sends what there is room for; true when the transport is closed.
    func advance() -> Bool {
      let isSent = state.withLock { state -> Bool in
        do {
          while try transport.flush(), let (bytes, handles) = state.unsent.first {
            guard try transport.trySend(bytes: bytes, handles: handles) == .sent else { return false }
            state.unsent.removeFirst()
          }
          return !transport.hasUnsentBytes
        } catch {
          return true  // nobody takes it any more
        }
      }
      if isSent { finish() }
      return isSent
    }

    func watch(on reactor: Reactor) {
      let patience = reactor.schedule(at: .now.advanced(by: Linger.patience)) { self.finish() }
      let writing = try? reactor.register(transport.writeDescriptor, for: .writable) { _ in _ = self.advance() }
      let isDone = state.withLock { state in
        if !state.isDone {
          state.patience = patience
          state.writing = writing
        }
        return state.isDone
      }
      if isDone {
        patience.cancel()
        writing?.cancel()
      } else if writing == nil {
        finish()
      }
    }

    private func finish() {
      let ended = state.withLock { state -> State in
        defer { state = State(unsent: [], isDone: true) }
        return state
      }
      guard !ended.isDone else { return }
      ended.patience?.cancel()
      ended.writing?.cancel()
      try? transport.finishSending()
      transport.close()
    }
  }
}
