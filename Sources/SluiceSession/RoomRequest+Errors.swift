import SluiceChannel
import SluiceMemory

extension RoomRequest {
  /// A request that can be fulfilled at some time.
  static func checked(
    in arena: Arena, byteCount: Int, borrower: Lender?, lenders: @escaping @Sendable () -> [Lender],
    hasEnded end: @escaping @Sendable () -> SessionEnd?
  ) throws(SessionError) -> RoomRequest {
    guard (0...arena.byteLimit).contains(byteCount) else {
      throw .arena(.limitReached(byteLimit: arena.byteLimit, mapped: 0, requested: byteCount))
    }
    return RoomRequest(in: arena, byteCount: byteCount, borrower: borrower, lenders: lenders) { end() != nil }
  }

  /// What the end of a wait means.
  func check(_ outcome: Outcome, end: SessionEnd? = nil) throws(SessionError) {
    switch outcome {
    case .room: return
    case .timedOut: throw .timedOut
    case .cancelled: throw .cancelled
    case .ended: throw .sessionEnded(end ?? .closed)
    }
  }
}
