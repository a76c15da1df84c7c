import SluiceSystem
import Synchronization

/// The owner's side of a return table: what ``LeaseTable/drain(_:_:)`` reads, in the borrower's segment.
///
/// The borrower can put anything there, at any time. The view only promises that each word is loaded once and that
/// nothing outside the segment is read.
public struct ReturnTableView: LeaseReturns, Sendable {
  /// The borrower's segment. It stays mapped as long as the view lives.
  public let segment: BorrowedSegment
  /// Where things stand in the segment.
  public let layout: ReturnTableLayout

  /// Looks at the borrower's table for `capacity` leases.
  ///
  /// Throws ``LeaseError/unsupportedCapacity(_:)`` and ``LeaseError/returnTableTooSmall(byteCount:required:)``.
  public init(segment: BorrowedSegment, capacity: Int) throws(LeaseError) {
    let layout = try ReturnTableLayout(capacity: capacity)
    guard segment.byteCount >= layout.byteCount else {
      throw .returnTableTooSmall(byteCount: segment.byteCount, required: layout.byteCount)
    }
    self.segment = segment
    self.layout = layout
  }

  /// Loads one word, once, with acquire order.
  @inlinable public func loadWord(level: Int, index: Int) -> UInt32 {
    precondition(layout.levels.indices.contains(level) && (0..<layout.levels[level].wordCount).contains(index))
    return loadWord(at: layout.levels[level].byteOffset + index * ReturnTableLayout.wordByteCount)
  }

  /// Loads each of up to 16 words once, with acquire order.
  @inlinable public func loadWords(level: Int, _ indices: Range<Int>) -> ReturnWords {
    precondition(layout.levels.indices.contains(level) && indices.count <= ReturnTableLayout.fanout)
    let place = layout.levels[level]
    precondition(indices.lowerBound >= 0 && indices.upperBound <= place.wordCount)
    return loadWords(at: place.byteOffset + indices.lowerBound * ReturnTableLayout.wordByteCount, count: indices.count)
  }

  @usableFromInline func loadWords(at offset: Int, count: Int) -> ReturnWords {
    var words = ReturnWords(repeating: 0)
    // Sound: as below.
    let first = unsafe (segment.baseAddress + offset).assumingMemoryBound(to: Atomic<UInt32>.self)
    for index in 0..<count { words[index] = unsafe first[index].load(ordering: .acquiring) }
    return words
  }

  /// Whether the borrower has ended: it takes nothing more.
  public var hasEnded: Bool { loadWord(at: layout.endByteOffset) == 1 }

  /// Whether the borrower, when it ended, held the lease in this slot.
  public func isHeld(slot: Int) -> Bool {
    precondition((0..<layout.capacity).contains(slot))
    let word = loadWord(at: layout.heldByteOffset + slot / 32 * ReturnTableLayout.wordByteCount)
    return word >> UInt32(slot % 32) & 1 == 1
  }

  /// Whether the borrower has shown the message of this lease to others.
  func isShown(_ lease: Lease) -> Bool {
    precondition(Int(lease.slot) < layout.capacity)
    return loadWord(at: layout.shownByteOffset + Int(lease.slot) * ReturnTableLayout.wordByteCount) == lease.generation
  }

  /// Whether the borrower reads, or may yet read, in the owner's memory what others have sent on.
  public var hasViews: Bool { loadWord(at: layout.viewsByteOffset) != 0 }

  /// A number that changes whenever the table's writer, as an owner, waits for a return, and is to be rung for.
  var ringWanted: UInt32 {
    // Sound: as below. In one order with the return before it: see ``ReturnTableLayout``.
    let word = unsafe (segment.baseAddress + layout.ringByteOffset).assumingMemoryBound(to: Atomic<UInt32>.self)
    return unsafe word.pointee.load(ordering: .sequentiallyConsistent)
  }

  @usableFromInline func loadWord(at offset: Int) -> UInt32 {
    // Sound: the layout fits into the segment, the callers checked their index, and each word is aligned. The mapping is
    // read-only, and a plain load is all that an atomic load of 32 bits does.
    let word = unsafe (segment.baseAddress + offset).assumingMemoryBound(to: Atomic<UInt32>.self)
    return unsafe word.pointee.load(ordering: .acquiring)
  }
}
