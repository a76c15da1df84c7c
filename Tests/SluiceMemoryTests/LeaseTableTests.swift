import Testing
import TestSupport

@testable import SluiceMemory

/// A return table in an array: what a borrower might write, without a process.
struct MadeUpReturns: LeaseReturns {
  let layout: ReturnTableLayout
  var words: [[UInt32]]

  init(capacity: Int) throws {
    layout = try ReturnTableLayout(capacity: capacity)
    words = layout.levels.map { Array(repeating: 0, count: $0.wordCount) }
  }

  func loadWord(level: Int, index: Int) -> UInt32 { words[level][index] }

  mutating func put(_ generation: UInt32, at slot: Int) {
    words[0][slot] = generation
    var index = slot
    for level in 1..<words.count {
      index /= 16
      words[level][index] &+= 1
    }
  }
}

@Suite struct LeaseTableTests {
  @Test func aReturnedLeaseEndsItsLoanOnce() throws {
    var table = try LeaseTable<String>(capacity: 4)
    var returns = try MadeUpReturns(capacity: 4)
    let lease = try table.lend("a")
    #expect(drained(&table, returns) == [])
    returns.put(lease.generation, at: Int(lease.slot))
    #expect(drained(&table, returns) == ["a"])
    #expect(table.outstandingCount == 0)
    returns.put(lease.generation, at: Int(lease.slot))
    #expect(drained(&table, returns) == [])
  }

  @Test func staleForgedAndUnknownGenerationsAreIgnored() throws {
    var table = try LeaseTable<String>(capacity: 4)
    var returns = try MadeUpReturns(capacity: 4)
    let first = try table.lend("first")
    returns.put(first.generation, at: 0)
    #expect(drained(&table, returns) == ["first"])
    let second = try table.lend("second")
    #expect(second.slot == first.slot && second.generation != first.generation)
    for forged in [0, first.generation, second.generation &+ 1, .max] { returns.put(forged, at: 0) }
    // Slots that carry no loan, or never did.
    for slot in 1..<4 { returns.put(1, at: slot) }
    #expect(drained(&table, returns) == [])
    returns.put(second.generation, at: 0)
    #expect(drained(&table, returns) == ["second"])
  }

  @Test func theLimitIsNamedAndAReturnMakesRoom() throws {
    var table = try LeaseTable<Int>(capacity: 3)
    var returns = try MadeUpReturns(capacity: 3)
    let leases = try (0..<3).map { try table.lend($0) }
    #expect(throws: LeaseError.limitReached(capacity: 3)) { try table.lend(9) }
    returns.put(leases[1].generation, at: 1)
    #expect(drained(&table, returns) == [1])
    #expect(try table.lend(9).slot == 1)
    #expect(throws: LeaseError.limitReached(capacity: 3)) { try table.lend(10) }
  }

  @Test func capacitiesOutsideTheRangeAreRefused() {
    for capacity in [Int.min, -1, 0, ReturnTableLayout.maximumCapacity + 1, .max] {
      #expect(throws: LeaseError.unsupportedCapacity(capacity)) { _ = try LeaseTable<Int>(capacity: capacity) }
      #expect(throws: LeaseError.unsupportedCapacity(capacity)) { try ReturnTableLayout(capacity: capacity) }
    }
  }

  @Test func aLeaseThatWasNeverSentCanBeTakenBack() throws {
    var table = try LeaseTable<Int>(capacity: 2)
    let lease = try table.lend(1)
    #expect(table.takeBack(Lease(slot: lease.slot, generation: lease.generation &+ 1)) == nil)
    #expect(table.takeBack(Lease(slot: 77, generation: 1)) == nil)
    #expect(table.takeBack(lease) == 1)
    #expect(table.takeBack(lease) == nil)
    #expect(table.outstandingCount == 0)
  }

  @Test func reclaimingEndsEveryLoanOnce() throws {
    var table = try LeaseTable<Int>(capacity: 100)
    var returns = try MadeUpReturns(capacity: 100)
    let leases = try (0..<50).map { try table.lend($0) }
    for lease in leases.prefix(10) { returns.put(lease.generation, at: Int(lease.slot)) }
    #expect(drained(&table, returns).count == 10)
    var reclaimed: [Int] = []
    table.reclaimAll { reclaimed.append($0) }
    #expect(reclaimed.sorted() == Array(10..<50))
    table.reclaimAll { _ in Issue.record("reclaimed twice") }
    #expect(table.outstandingCount == 0)
  }

  @Test func drainingCostsWhatWasReturned() throws {
    let capacity = 1 << 16
    var table = try LeaseTable<Int>(capacity: capacity)
    var returns = try MadeUpReturns(capacity: capacity)
    let leases = try (0..<capacity).map { try table.lend($0) }
    let counter = CountingReturns(returns)
    #expect(table.drain(counter) { _ in } == 0)
    #expect(counter.loads.count == 1, "one word says that nothing came back")
    for slot in [5, 40_000] { returns.put(leases[slot].generation, at: slot) }
    let second = CountingReturns(returns)
    #expect(table.drain(second) { _ in } == 2)
    #expect(second.loads.count <= 2 * 16 * returns.layout.levels.count)
  }

  @Test func aTableOfAnotherShapeReturnsNothing() throws {
    var table = try LeaseTable<Int>(capacity: 32)
    var returns = try MadeUpReturns(capacity: 64)
    let lease = try table.lend(1)
    returns.put(lease.generation, at: 0)
    #expect(table.drain(returns) { _ in } == 0)
  }

  /// Random words everywhere, changing between drains: only what is lent ends, once, at a bounded cost.
  @Test(arguments: [11, 12, 13] as [UInt64])
  func aHostileTableEndsOnlyWhatIsLentAtABoundedCost(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let capacity = 1_000
    var table = try LeaseTable<Int>(capacity: capacity)
    var returns = try MadeUpReturns(capacity: capacity)
    let wordCount = returns.layout.levels.reduce(0) { $0 + $1.wordCount }
    var lent: Set<Int> = []
    var next = 0
    for _ in 0..<300 {
      while table.outstandingCount < capacity / 2, Bool.random(using: &random) {
        _ = try table.lend(next)
        lent.insert(next)
        next += 1
      }
      for level in returns.words.indices {
        for index in returns.words[level].indices where Bool.random(using: &random) {
          // Small numbers hit live generations often.
          returns.words[level][index] = Bool.random(using: &random) ? .random(in: 0...9, using: &random) : random.next()
        }
      }
      let counter = CountingReturns(returns)
      let count = table.drain(counter) { #expect(lent.remove($0) != nil) }
      #expect(counter.loads.count <= wordCount)
      #expect(count >= 0 && table.outstandingCount == lent.count)
    }
  }

  /// Lend, return, drain, take back, reclaim at random, against a dictionary.
  @Test(arguments: [21, 22, 23, 24] as [UInt64])
  func randomSequencesAgreeWithAModel(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let capacity = 300
    var table = try LeaseTable<Int>(capacity: capacity)
    var returns = try MadeUpReturns(capacity: capacity)
    var held: [Lease: Int] = [:]
    var returned: Set<Int> = []
    for loan in 0..<20_000 {
      switch Int.random(in: 0..<100, using: &random) {
      case 0..<50:
        if held.count + returned.count == capacity {
          #expect(throws: LeaseError.limitReached(capacity: capacity)) { try table.lend(loan) }
        } else {
          let lease = try table.lend(loan)
          #expect(held.updateValue(loan, forKey: lease) == nil)
        }
      case 50..<90:
        guard let (lease, loan) = held.randomElement(using: &random) else { continue }
        held[lease] = nil
        returned.insert(loan)
        returns.put(lease.generation, at: Int(lease.slot))
      case 90..<95:
        guard let (lease, loan) = held.randomElement(using: &random) else { continue }
        held[lease] = nil
        #expect(table.takeBack(lease) == loan)
      case 95..<99:
        #expect(Set(drained(&table, returns)) == returned)
        returned = []
      default:
        var reclaimed: Set<Int> = []
        table.reclaimAll { reclaimed.insert($0) }
        #expect(reclaimed == returned.union(held.values))
        held = [:]
        returned = []
      }
      #expect(table.outstandingCount == held.count + returned.count)
    }
  }

  private func drained<Loan>(_ table: inout LeaseTable<Loan>, _ returns: MadeUpReturns) -> [Loan] {
    var loans: [Loan] = []
    let count = table.drain(returns) { loans.append($0) }
    #expect(count == loans.count)
    return loans
  }
}

/// Counts how many words a drain looks at.
private struct CountingReturns: LeaseReturns {
  final class Loads { var count = 0 }
  let returns: MadeUpReturns
  let loads = Loads()

  init(_ returns: MadeUpReturns) { self.returns = returns }
  var layout: ReturnTableLayout { returns.layout }
  func loadWord(level: Int, index: Int) -> UInt32 {
    loads.count += 1
    return returns.loadWord(level: level, index: index)
  }
}
