import Foundation
import Synchronization

/// The process was asked to end by a signal; it ends with the status that a shell expects.
struct Terminated: Error, Equatable {
  let signal: Int32

  var exitCode: Int32 { 128 + signal }
}

/// Turns SIGINT and SIGTERM into cancellation, so that what was made for a run is removed on the way out.
final class Termination: Sendable {
  private static let signals = [SIGINT, SIGTERM]

  private let received = Mutex<Int32?>(nil)

  private init() {}

  /// Runs the body in a task that the first SIGINT or SIGTERM cancels; a second one ends the process at once.
  ///
  /// - Throws: `Terminated` when a signal came, once the body has ended; else what the body throws.
  static func cancelling(_ body: @escaping @Sendable () async throws -> Void) async throws {
    let termination = Termination()
    let task = Task(operation: body)
    let sources = signals.map { termination.watch($0) { task.cancel() } }
    defer { for source in sources { source.cancel() } }
    let result = await task.result
    if let signal = termination.received.withLock({ $0 }) { throw Terminated(signal: signal) }
    try result.get()
  }

  private func watch(_ number: Int32, _ action: @escaping @Sendable () -> Void) -> any DispatchSourceSignal {
    // The default action would end the process before the source could tell.
    signal(number, SIG_IGN)
    let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
    source.setEventHandler {
      let isFirst = self.received.withLock { received in
        defer { received = received ?? number }
        return received == nil
      }
      if isFirst { action() } else { exit(Terminated(signal: number).exitCode) }
    }
    source.resume()
    return source
  }
}
