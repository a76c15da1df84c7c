import SluiceSystem
import Synchronization

/// The borrower's side of a return table: tells an owner which of its leases are over.
///
/// The table lives in a segment of the borrower's own, which the owner maps read-only; ``ReturnTableLayout`` draws it.
/// It can't fill up: each lease has a word of its own.
///
/// Threads: everything is safe from any thread. Cost of a return: one compare-and-exchange and one atomic add per
/// level; no lock, no system call, no allocation.
public final class ReturnTable: Sendable {
  /// The segment to announce to the owner.
  public let segment: Segment
  /// Where things stand in the segment.
  public let layout: ReturnTableLayout
  private let top: Int

  /// Makes a table in which every lease counts as not yet returned.
  /// - Parameters:
  ///   - name: the name of its segment.
  ///   - capacity: the number of leases agreed on with the owner.
  /// Throws ``LeaseError/unsupportedCapacity(_:)`` and ``LeaseError/segment(_:)``.
  public init(name: String, capacity: Int) throws(LeaseError) {
    layout = try ReturnTableLayout(capacity: capacity)
    top = layout.levels.count - 1
    do {
      segment = try Segment.create(name: name, byteCount: layout.byteCount)
    } catch {
      throw .segment(error)
    }
  }

  /// Whether the table has a slot for this lease. One without is a lie of the owner's, and can't be returned.
  public func covers(_ lease: Lease) -> Bool { lease.slot < layout.capacity }

  /// Gives a lease back: the owner may use the memory for something else from now on.
  ///
  /// What this thread has read through the lease is read before the owner can see the return. Returning twice, or late,
  /// when the slot carries a newer loan, does nothing; so does a lease that the table does not cover.
  public func returnLease(_ lease: Lease) {
    guard covers(lease) else { return }
    var index = Int(lease.slot)
    // Sound: `covers` checked the index, which only gets smaller than the level's size on the way up.
    let word = unsafe self.word(level: 0, index: index)
    var current = unsafe word.pointee.load(ordering: .relaxed)
    while true {
      // Generations of a slot are lent one after the other: the newer one is less than half the number range ahead.
      guard Int32(bitPattern: lease.generation &- current) > 0 else { return }
      let (exchanged, original) = unsafe word.pointee.weakCompareExchange(
        expected: current, desired: lease.generation, successOrdering: .releasing, failureOrdering: .relaxed)
      if exchanged { break }
      current = original
    }
    for level in 1...top {
      index /= ReturnTableLayout.fanout
      // The top one in one order with a look at the owner's flag, which may follow.
      unsafe self.word(level: level, index: index).pointee.wrappingAdd(1, ordering: .sequentiallyConsistent)
    }
  }

  /// As an owner that lends to who reads this table: asks for a ring at its next return. What came back before is to be
  /// looked for after this call.
  public func arm() {
    unsafe word(at: layout.ringByteOffset).pointee.wrappingAdd(1, ordering: .sequentiallyConsistent)
    atomicMemoryFence(ordering: .sequentiallyConsistent)
  }

  /// Says, once and for all, that of what was lent only the leases in these slots are held, and that nothing more will be
  /// taken. They are returned as before.
  public func end(holding slots: some Sequence<UInt32>) {
    for slot in slots where slot < layout.capacity {
      // Sound: the word lies in the table, since the slot does.
      let word = unsafe self.word(at: layout.heldByteOffset + Int(slot / 32) * ReturnTableLayout.wordByteCount)
      unsafe word.pointee.bitwiseOr(1 << (slot % 32), ordering: .relaxed)
    }
    unsafe self.word(at: layout.endByteOffset).pointee.store(1, ordering: .releasing)
  }

  /// Says that the message of a lease is about to be read by others in the owner's memory.
  func show(_ lease: Lease) {
    guard covers(lease) else { return }
    // Sound: the word lies in the table, since the slot does.
    let word = unsafe self.word(at: layout.shownByteOffset + Int(lease.slot) * ReturnTableLayout.wordByteCount)
    unsafe word.pointee.store(lease.generation, ordering: .releasing)
  }

  /// Counts a view of the owner's memory by way of others, or its end.
  func countView(_ isAdded: Bool) {
    let views = unsafe word(at: layout.viewsByteOffset)
    if isAdded {
      unsafe views.pointee.wrappingAdd(1, ordering: .sequentiallyConsistent)
    } else {
      // What was read is read before.
      unsafe views.pointee.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    }
  }

  @unsafe private func word(level: Int, index: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
    unsafe word(at: layout.levels[level].byteOffset + index * ReturnTableLayout.wordByteCount)
  }

  @unsafe private func word(at offset: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
    unsafe (segment.baseAddress + offset).assumingMemoryBound(to: Atomic<UInt32>.self)
  }
}
