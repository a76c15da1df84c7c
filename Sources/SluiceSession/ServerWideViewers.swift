import SluiceMemory
import SluiceSystem
import SluiceTransport
import Synchronization

/// Who may read what, in the memory that a server of this process shows to all, by way of a client that passes messages on.
///
/// When such a client dies, what it passed on is kept until no other client reads anything that came in this way. So each
/// is on the list from its first moment until it has said that it takes nothing more, or its process is dead.
final class ServerWideViewers: Sendable {
  /// Those of this process.
  static let shared = ServerWideViewers()

  /// How often one is looked at whose session has ended and who has not said yet that it knows.
  private static let interval = Duration.milliseconds(100)

  private struct Viewer {
    let arena: ObjectIdentifier
    let lender: Lender
    let process: ProcessHandle?

    var isAlive: Bool { process.map { (try? $0.isAlive) != false } ?? true }
    /// Whether it will never read anything that way, and does not now.
    var hasLeft: Bool { lender.borrowerHasEnded && !lender.isViewed || !isAlive }
  }

  private let viewers = Mutex<[ObjectIdentifier: Viewer]>([:])

  /// A client of a server that may have server-wide memory, before it can learn of any.
  func add(_ parts: SessionCore.Parts) {
    guard let arena = parts.carrier.serverWideArena else { return }
    let lender = parts.carrier.lender
    let viewer = Viewer(arena: ObjectIdentifier(arena), lender: lender, process: parts.peer.process)
    viewers.withLock { $0[ObjectIdentifier(lender)] = viewer }
  }

  /// Its session has ended: it is forgotten as soon as it may be.
  func retire(_ lender: Lender, on reactor: Reactor) {
    let isGone = viewers.withLock { viewers in
      guard viewers[ObjectIdentifier(lender)]?.hasLeft != false else { return false }
      viewers[ObjectIdentifier(lender)] = nil
      return true
    }
    guard !isGone else { return }
    _ = reactor.schedule(at: .now.advanced(by: Self.interval)) { self.retire(lender, on: reactor) }
  }

  /// Whether anybody but the client of `parts` reads what clients of the same server have passed on.
  func hasOthers(than parts: SessionCore.Parts) -> Bool {
    guard let arena = parts.carrier.serverWideArena.map({ ObjectIdentifier($0) }) else { return false }
    return viewers.withLock { viewers in
      viewers.values.contains {
        $0.arena == arena && $0.lender !== parts.carrier.lender && $0.lender.isViewed && $0.isAlive
      }
    }
  }
}
