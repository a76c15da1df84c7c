/// What an owner reads of a borrower's return table: words that may be anything and may change at any time.
///
/// ``ReturnTableView`` reads them from shared memory; a test may make them up.
public protocol LeaseReturns: ~Copyable {
  /// Where the words stand.
  var layout: ReturnTableLayout { get }
  /// Loads one word, once, with acquire order. `level` and `index` lie within ``layout``.
  func loadWord(level: Int, index: Int) -> UInt32
  /// Loads each of the words `indices`, at most 16 of them, of `level` once, with acquire order. They lie within ``layout``.
  func loadWords(level: Int, _ indices: Range<Int>) -> ReturnWords
}

/// The words of one group of a return table, as they were loaded.
public typealias ReturnWords = InlineArray<16, UInt32>

extension LeaseReturns where Self: ~Copyable {
  /// One after the other.
  public func loadWords(level: Int, _ indices: Range<Int>) -> ReturnWords {
    var words = ReturnWords(repeating: 0)
    for index in indices { words[index - indices.lowerBound] = loadWord(level: level, index: index) }
    return words
  }
}

/// An owner's books about what it has lent to one borrower.
///
/// The books are private memory, and a value without locks or I/O: whoever holds it serialises access. The borrower
/// influences them in one way only, by what ``drain(_:_:)`` reads from its return table, and all that a lie can
/// bring about is that a loan of the same borrower ends early, or not before ``reclaimAll(_:)``.
///
/// Inlinable, so that it is compiled for the loan at hand: its cost is that of a few loads and stores.
///
/// `Loan` is what the owner has to let go of when a lease ends, such as a reference to the allocation.
public struct LeaseTable<Loan>: ~Copyable {
  /// How many leases can be out at once.
  public let capacity: Int
  /// How many leases are out.
  @inlinable public var outstandingCount: Int { lentCount }
  @usableFromInline var lentCount = 0
  @usableFromInline var slots: [Slot] = []
  /// The slot without a loan that was freed last: it is the likeliest to be in the cache. The others follow from there.
  @usableFromInline var firstFree = Slot.none
  /// The counters of the return table as the last drain saw them, level 1 first.
  @usableFromInline var seen: [[UInt32]]

  @usableFromInline struct Slot {
    /// No slot.
    @usableFromInline static var none: UInt32 { .max }
    /// In which it was lent last.
    @usableFromInline var generation: UInt32
    /// The next free slot, if it is free itself.
    @usableFromInline var nextFree: UInt32
    @usableFromInline var loan: Loan?

    @inlinable init(generation: UInt32, loan: consuming Loan) {
      self.generation = generation
      self.nextFree = Self.none
      self.loan = loan
    }
  }

  /// Makes empty books for at most `capacity` leases. Throws ``LeaseError/unsupportedCapacity(_:)``.
  public init(capacity: Int) throws(LeaseError) {
    let layout = try ReturnTableLayout(capacity: capacity)
    self.capacity = capacity
    seen = layout.levels.dropFirst().map { Array(repeating: 0, count: $0.wordCount) }
  }

  /// Books a loan, and names it. Throws ``LeaseError/limitReached(capacity:)``: drain first, then report the limit.
  /// Takes constant time; memory for the books grows up to `capacity` slots.
  @inlinable public mutating func lend(_ loan: consuming Loan) throws(LeaseError) -> Lease {
    guard firstFree == Slot.none else { return Self.lend(loan, &slots, &firstFree, &lentCount) }
    guard slots.count < capacity else { throw .limitReached(capacity: capacity) }
    slots.append(Slot(generation: 1, loan: loan))
    lentCount += 1
    return Lease(slot: UInt32(truncatingIfNeeded: slots.count - 1), generation: 1)
  }

  /// Lends in a free slot.
  @inlinable static func lend(
    _ loan: consuming Loan, _ slots: inout [Slot], _ firstFree: inout UInt32, _ lentCount: inout Int
  ) -> Lease {
    let free = firstFree
    // One look whether the array is shared, for all that follows; as below.
    var slots = slots.mutableSpan
    firstFree = slots[Int(free)].nextFree
    // A wrapped generation is as good as any other: the borrower orders generations by their difference.
    let generation = slots[Int(free)].generation &+ 1
    slots[Int(free)].generation = generation
    slots[Int(free)].loan = loan
    lentCount += 1
    return Lease(slot: free, generation: generation)
  }

  /// Ends the loans that the borrower has returned since the last drain, and hands each to `released`, once.
  ///
  /// Costs at most 16 words per level of the table for each return, and one word when there is none; never more than
  /// one pass over the table, whatever it holds. Stale, forged and repeated generations are ignored.
  /// - Returns: how many loans ended.
  @discardableResult
  @inlinable public mutating func drain(
    _ returns: borrowing some LeaseReturns & ~Copyable, _ released: (consuming Loan) -> Void
  ) -> Int {
    let layout = returns.layout
    // A table of another shape than agreed on says nothing about these leases.
    guard layout.capacity == capacity else { return 0 }
    return drain(level: seen.count, group: 0, returns, released)
  }

  /// Looks at the words of `level` below the word `group` of the next level.
  @inlinable mutating func drain(
    level: Int, group: Int, _ returns: borrowing some LeaseReturns & ~Copyable, _ released: (consuming Loan) -> Void
  ) -> Int {
    let first = group * ReturnTableLayout.fanout
    let bound = min(first + ReturnTableLayout.fanout, level == 0 ? slots.count : seen[level - 1].count)
    guard first < bound else { return 0 }
    // Loaded and remembered before the words of the level below: what changes after this is seen by the next drain.
    let words = returns.loadWords(level: level, first..<bound)
    guard level > 0 else { return Self.end(first..<bound, words, &slots, &firstFree, &lentCount, released) }
    var count = 0
    for index in first..<bound {
      let word = words[index - first]
      guard word != seen[level - 1][index] else { continue }
      seen[level - 1][index] = word
      count += drain(level: level - 1, group: index, returns, released)
    }
    return count
  }

  /// Ends the loans of the slots in `range` that are lent in the generation that `words` have.
  @inlinable static func end(
    _ range: Range<Int>, _ words: ReturnWords, _ slots: inout [Slot], _ firstFree: inout UInt32,
    _ lentCount: inout Int, _ released: (consuming Loan) -> Void
  ) -> Int {
    var slots = slots.mutableSpan
    var count = 0
    for index in range where words[index - range.lowerBound] == slots[index].generation {
      guard let loan = slots[index].loan.take() else { continue }
      slots[index].nextFree = firstFree
      firstFree = UInt32(truncatingIfNeeded: index)
      released(loan)
      count += 1
    }
    lentCount -= count
    return count
  }

  /// Takes a lease back that never reached the borrower, because sending it failed.
  /// - Returns: the loan, or nil when this lease is not out.
  @inlinable public mutating func takeBack(_ lease: Lease) -> Loan? {
    guard let index = Int(exactly: lease.slot), slots.indices.contains(index),
      slots[index].generation == lease.generation
    else { return nil }
    return end(slot: index)
  }

  /// Ends the loans that the borrower, when it ended, did not hold: it never took them. Does nothing before its end.
  public mutating func reclaimUntaken(_ returns: ReturnTableView, _ released: (consuming Loan) -> Void) {
    guard returns.layout.capacity == capacity, returns.hasEnded else { return }
    for index in slots.indices where slots[index].loan != nil && !returns.isHeld(slot: index) {
      if let loan = end(slot: index) { released(loan) }
    }
  }

  /// Ends every loan. Call it only once the borrower can read no more: its process is dead, or its mappings are known
  /// to be gone.
  @inlinable public mutating func reclaimAll(_ released: (consuming Loan) -> Void) {
    for index in slots.indices {
      if let loan = end(slot: index) { released(loan) }
    }
  }

  /// Ends the loans of a dead borrower that it did not show to others.
  public mutating func reclaimUnshown(_ returns: ReturnTableView, _ released: (consuming Loan) -> Void) {
    guard returns.layout.capacity == capacity else { return }
    for index in slots.indices where slots[index].loan != nil {
      let lease = Lease(slot: UInt32(truncatingIfNeeded: index), generation: slots[index].generation)
      if !returns.isShown(lease), let loan = end(slot: index) { released(loan) }
    }
  }

  /// Hands each loan that is out to `body`, with its lease.
  public func forEachOutstanding(_ body: (Lease, Loan) -> Void) {
    for (index, slot) in slots.enumerated() {
      guard let loan = slot.loan else { continue }
      body(Lease(slot: UInt32(truncatingIfNeeded: index), generation: slot.generation), loan)
    }
  }

  @inlinable mutating func end(slot index: Int) -> Loan? {
    guard let loan = slots[index].loan.take() else { return nil }
    slots[index].nextFree = firstFree
    firstFree = UInt32(truncatingIfNeeded: index)
    lentCount -= 1
    return loan
  }
}
