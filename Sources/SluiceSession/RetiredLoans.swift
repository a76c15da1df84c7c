import SluiceChannel
import SluiceMemory
import SluiceSystem
import SluiceTransport
import Synchronization

/// Loans of sessions that have ended: their memory is not used again until each lease is back, or the borrower is dead and
/// nobody reads what it sent on.
final class RetiredLoans: Sendable {
  /// How often returns are looked for. Nobody rings for them any more: the session's sockets are gone.
  private static let interval = Duration.milliseconds(100)

  private let parts: SessionCore.Parts
  private let hasReported = Atomic<Bool>(false)

  /// All that there are.
  private static let all = Mutex<[ObjectIdentifier: RetiredLoans]>([:])

  static var reports: [LeaseReport] {
    all.withLock { Array($0.values) }.map { LeaseReport($0.parts, hasEnded: true) }.filter { !$0.leases.isEmpty }
  }

  /// Keeps the loans of an ended session as long as they must be kept.
  static func retire(_ parts: SessionCore.Parts) {
    RetiredLoans(parts).settle()
  }

  private init(_ parts: SessionCore.Parts) {
    self.parts = parts
  }

  private func settle() {
    let lender = parts.carrier.lender
    if let borrower = parts.peer.process, (try? borrower.isAlive) == false {
      lender.reclaimAll(unlessShown: true)
      // What it has sent on stays as long as somebody may be reading such messages.
      if lender.outstandingCount > 0, !ServerWideViewers.shared.hasOthers(than: parts) { lender.reclaimAll() }
    } else {
      lender.settle()
    }
    guard lender.outstandingCount > 0 else {
      return Self.all.withLock { $0[ObjectIdentifier(self)] = nil }
    }
    let isNew = Self.all.withLock { $0.updateValue(self, forKey: ObjectIdentifier(self)) == nil }
    // At first, the other end may not have heard of the end. What is out at the second look, somebody holds.
    if !isNew, !hasReported.exchange(true, ordering: .relaxed) { report() }
    // The scheduled action keeps this object, and so the books and the arena.
    _ = parts.reactor.schedule(at: .now.advanced(by: Self.interval)) { self.settle() }
  }

  private func report() {
    let report = LeaseReport(parts, hasEnded: true)
    parts.logger.notice(
      "messages are held after the end of their session",
      metadata: [
        "session": "\(report.session)", "peer": "\(report.peerApp)", "pid": "\(report.peerProcessID)",
        "messages": "\(report.leases.count)", "bytes": "\(report.byteCount)",
        "oldest": "\(report.oldestAge ?? .zero)",
      ])
  }
}
