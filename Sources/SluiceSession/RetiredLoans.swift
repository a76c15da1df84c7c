import SluiceChannel
import SluiceMemory
import SluiceSystem
import SluiceTransport
import Synchronization

/// Loans of sessions that have ended: their memory is not used again until each lease is back, or the borrower is dead.
final class RetiredLoans: Sendable {
  /// How often returns are looked for. Nobody rings for them any more: the session's sockets are gone.
  private static let interval = Duration.milliseconds(100)

  private let carrier: Carrier
  private let borrower: ProcessHandle?
  private let reactor: Reactor

  /// Keeps the loans of `carrier` as long as they must be kept.
  static func retire(_ carrier: Carrier, borrower: ProcessHandle?, reactor: Reactor) {
    RetiredLoans(carrier, borrower: borrower, reactor: reactor).settle()
  }

  private init(_ carrier: Carrier, borrower: ProcessHandle?, reactor: Reactor) {
    self.carrier = carrier
    self.borrower = borrower
    self.reactor = reactor
  }

  private func settle() {
    if let borrower, (try? borrower.isAlive) == false { return carrier.lender.reclaimAll() }
    carrier.lender.settle()
    guard carrier.lender.outstandingCount > 0 else { return }
    // The scheduled action keeps this object, and so the books and the arena.
    _ = reactor.schedule(at: .now.advanced(by: Self.interval)) { self.settle() }
  }
}
