import SluiceSystem
import Testing
import TestSupport

@testable import SluiceMemory

/// An allocation of the owner's, shared by all who were lent it; it goes when the last of them lets go.
private final class Lent {
  let buffer: UnsafeMutableRawBufferPointer
  let word: UInt64
  private let arena: Arena

  init(_ arena: Arena, byteCount: Int, word: UInt64) throws {
    self.arena = arena
    self.word = word
    buffer = try arena.allocate(byteCount: byteCount)
    buffer.storeBytes(of: word, as: UInt64.self)
    buffer.storeBytes(of: word, toByteOffset: buffer.count - 8, as: UInt64.self)
  }

  deinit {
    if let base = buffer.baseAddress { arena.deallocate(base) }
  }
}

/// One borrower, both ends of it.
private struct Borrower: ~Copyable {
  var books: LeaseTable<Lent>
  let table: ReturnTable
  let view: ReturnTableView
  /// What it holds: the owner's word for each lease.
  var held: [Lease: UInt64] = [:]
  /// What it returned and the owner may not have seen.
  var returned: Set<Lease> = []
  /// Everything that it ever held, to return again.
  var past: [Lease] = []
  /// Which word each lease that is out carries, as the model has it.
  var out: [Lease: UInt64] = [:]

  static func make(capacity: Int) throws -> Borrower {
    let table = try ReturnTable(name: "test.model.returns", capacity: capacity)
    let segment = try BorrowedSegment(
      table.segment.handle, name: table.segment.name, byteCount: table.segment.byteCount)
    let view = try ReturnTableView(segment: segment, capacity: capacity)
    return Borrower(books: try LeaseTable(capacity: capacity), table: table, view: view)
  }
}

/// Random sequences of allocate, lend (to several borrowers), return (also twice, late, and what was never lent), drain
/// and reclaim, against a model: after each step, the arena's bytes in use are exactly those of the allocations that
/// somebody still holds, and all of them are whole.
@Suite struct MemoryModelTests {
  @Test(arguments: [71, 72, 73] as [UInt64])
  func bytesInUseAreAlwaysThoseOfTheModel(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let arena = try Arena(name: "test.model", scope: .serverWide, byteLimit: 256 << 20)
    let capacity = 40
    var first = try Borrower.make(capacity: capacity)
    var second = try Borrower.make(capacity: capacity)
    var own: [Lent] = []
    /// Bytes of each allocation that is alive, by its word.
    var sizes: [UInt64: Int] = [:]
    var nextWord: UInt64 = 1

    for _ in 0..<4_000 {
      switch Int.random(in: 0..<100, using: &random) {
      case 0..<30:
        let byteCount = max(8, 1 << Int.random(in: 3..<21, using: &random) - Int.random(in: 0...7, using: &random))
        let lent = try Lent(arena, byteCount: byteCount, word: nextWord)
        sizes[nextWord] = lent.buffer.count
        own.append(lent)
        nextWord += 1
      case 30..<60:
        guard let lent = own.randomElement(using: &random) else { continue }
        if Bool.random(using: &random) {
          try lend(lent, to: &first, capacity: capacity)
        } else {
          try lend(lent, to: &second, capacity: capacity)
        }
      case 60..<70:
        guard !own.isEmpty else { continue }
        own.remove(at: Int.random(in: own.indices, using: &random))
      case 70..<90:
        if Bool.random(using: &random) {
          giveBack(&first, &random)
        } else {
          giveBack(&second, &random)
        }
      case 90..<98:
        drain(&first)
        drain(&second)
      case 98:
        reclaim(&first)
      default:
        arena.trim()
      }
      let alive = Set(own.map(\.word)).union(first.out.values).union(second.out.values)
      let expected = alive.reduce(0) { $0 + (sizes[$1] ?? 0) }
      #expect(arena.statistics.inUseByteCount == expected)
      #expect(first.books.outstandingCount == first.out.count)
      #expect(second.books.outstandingCount == second.out.count)
      #expect(own.allSatisfy { isWhole($0) })
    }
    own = []
    reclaim(&first)
    reclaim(&second)
    #expect(arena.statistics.inUseByteCount == 0)
    arena.trim()
    #expect(arena.statistics.mappedByteCount == 0)
  }

  private func isWhole(_ lent: Lent) -> Bool {
    lent.buffer.load(as: UInt64.self) == lent.word
      && lent.buffer.load(fromByteOffset: lent.buffer.count - 8, as: UInt64.self) == lent.word
  }

  private func lend(_ lent: Lent, to borrower: inout Borrower, capacity: Int) throws {
    do throws(LeaseError) {
      let lease = try borrower.books.lend(lent)
      borrower.held[lease] = lent.word
      borrower.out[lease] = lent.word
    } catch {
      #expect(error == .limitReached(capacity: capacity))
      #expect(borrower.out.count == capacity)
    }
  }

  private func giveBack(_ borrower: inout Borrower, _ random: inout SeededGenerator) {
    switch Int.random(in: 0..<10, using: &random) {
    case 0..<7:
      guard let (lease, _) = borrower.held.randomElement(using: &random) else { return }
      borrower.held[lease] = nil
      borrower.table.returnLease(lease)
      borrower.returned.insert(lease)
      borrower.past.append(lease)
    case 7..<9:
      if let lease = borrower.past.randomElement(using: &random) { borrower.table.returnLease(lease) }
    default:
      borrower.table.returnLease(Lease(slot: .random(in: 40...99, using: &random), generation: 1))
    }
  }

  private func drain(_ borrower: inout Borrower) {
    var ended: [UInt64] = []
    borrower.books.drain(borrower.view) { lent in
      #expect(isWhole(lent), "lent memory is not reused before it is back")
      ended.append(lent.word)
    }
    #expect(ended.sorted() == borrower.returned.compactMap { borrower.out[$0] }.sorted())
    for lease in borrower.returned { borrower.out[lease] = nil }
    borrower.returned = []
  }

  private func reclaim(_ borrower: inout Borrower) {
    borrower.books.reclaimAll { lent in #expect(isWhole(lent)) }
    // A borrower that is dead returns nothing any more.
    borrower.held = [:]
    borrower.out = [:]
    borrower.returned = []
  }
}
