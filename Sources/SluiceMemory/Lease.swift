import SluiceSystem

/// A receiver's right to read one lent allocation, as both ends name it on the wire.
///
/// The owner's ``LeaseTable`` gives it out, the borrower's ``ReturnTable`` gives it back. The generation tells the
/// loans apart that one slot carries one after the other, so that a late or repeated return does no harm.
///
/// Two words without a pointer: it may be copied freely, and any bits are a valid value.
public struct Lease: Hashable, Sendable, BitwiseCopyable {
  /// The slot in the owner's table, and in the borrower's return table.
  public let slot: UInt32
  /// Counts the loans of this slot, starting at 1, wrapping around.
  public let generation: UInt32

  /// A lease as it was read from a message. It proves nothing: check it with ``ReturnTable/covers(_:)``.
  @inlinable public init(slot: UInt32, generation: UInt32) {
    self.slot = slot
    self.generation = generation
  }
}

/// Why a lease table or a return table refused.
public enum LeaseError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Every slot is lent. Drain returns, then wait for the borrower to release messages, or agree on more leases.
  case limitReached(capacity: Int)
  /// A table of this many slots can't be made: at least 1, at most ``ReturnTableLayout/maximumCapacity``.
  case unsupportedCapacity(Int)
  /// The borrower's segment is too small for the return table that was agreed on.
  case returnTableTooSmall(byteCount: Int, required: Int)
  /// The borrower's segment could not be made.
  case segment(SegmentError)
  /// The borrower maps as many segments of this owner as it may. Send fewer, larger messages, or open another session.
  case tooManySegments(limit: Int)

  /// What happened, with the limit.
  public var description: String {
    switch self {
    case .limitReached(let capacity): "all \(capacity) leases of this borrower are out: it must release messages first"
    case .unsupportedCapacity(let capacity):
      "a lease table has 1 to \(ReturnTableLayout.maximumCapacity) slots, not \(capacity)"
    case .returnTableTooSmall(let byteCount, let required):
      "the return table's segment has \(byteCount) bytes where \(required) are needed"
    case .segment(let error): "no segment for the return table: \(error)"
    case .tooManySegments(let limit): "the borrower maps \(limit) segments, as many as it may"
    }
  }
}
