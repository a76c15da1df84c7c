import SluiceSystem
import Synchronization
import Testing
import TestSupport

@testable import SluiceMemory

@Suite struct ReturnTableTests {
  @Test func theLayoutIsTheOneThatIsDocumented() throws {
    func offsets(_ capacity: Int) throws -> [Int] {
      try ReturnTableLayout(capacity: capacity).levels.reversed().map(\.byteOffset)
    }
    #expect(try offsets(1) == [0, 64])
    #expect(try offsets(16) == [0, 64])
    #expect(try offsets(17) == [0, 64, 128])
    #expect(try offsets(256) == [0, 64, 128])
    #expect(try offsets(1_024) == [0, 64, 128, 384])
    #expect(try offsets(65_536) == [0, 64, 128, 1_152, 17_536])
    func rest(_ capacity: Int) throws -> [Int] {
      let layout = try ReturnTableLayout(capacity: capacity)
      return [
        layout.heldByteOffset, layout.endByteOffset, layout.ringByteOffset, layout.viewsByteOffset,
        layout.shownByteOffset, layout.byteCount,
      ]
    }
    #expect(try rest(1) == [128, 192, 256, 320, 384, 448])
    #expect(try rest(16) == [128, 192, 256, 320, 384, 448])
    #expect(try rest(17) == [256, 320, 384, 448, 512, 640])
    #expect(try rest(256) == [1_152, 1_216, 1_280, 1_344, 1_408, 2_432])
    #expect(try rest(1_024) == [4_480, 4_608, 4_672, 4_736, 4_800, 8_896])
    #expect(try rest(65_536) == [279_680, 287_872, 287_936, 288_000, 288_064, 550_208])
    #expect(try ReturnTableLayout(capacity: ReturnTableLayout.maximumCapacity).levels.count == 7)
  }

  @Test func wordsStandWhereTheLayoutSays() throws {
    let table = try ReturnTable(name: "test.words", capacity: 1_024)
    table.returnLease(Lease(slot: 1_023, generation: 9))
    func word(_ offset: Int) -> UInt32 { table.segment.baseAddress.load(fromByteOffset: offset, as: UInt32.self) }
    #expect(word(384 + 1_023 * 4) == 9)
    #expect(word(128 + 63 * 4) == 1)
    #expect(word(64 + 3 * 4) == 1)
    #expect(word(0) == 1)
    let sum = (0..<(table.segment.byteCount / 4)).reduce(0) { $0 + word($1 * 4) }
    #expect(sum == 9 + 3, "nothing else was written")
  }

  @Test func aReturnTravelsThroughSharedMemory() throws {
    let (table, view) = try pair(capacity: 100)
    var books = try LeaseTable<String>(capacity: 100)
    let a = try books.lend("a")
    let b = try books.lend("b")
    table.returnLease(b)
    var ended: [String] = []
    books.drain(view) { ended.append($0) }
    #expect(ended == ["b"])
    table.returnLease(a)
    books.drain(view) { ended.append($0) }
    #expect(ended == ["b", "a"])
  }

  @Test func whatABorrowerNeverTookIsReclaimedAtItsEndAndWhatItHoldsIsNot() throws {
    let (table, view) = try pair(capacity: 100)
    var books = try LeaseTable<Int>(capacity: 100)
    let leases = try (0..<100).map { try books.lend($0) }
    var ended: [Int] = []
    books.reclaimUntaken(view) { ended.append($0) }
    #expect(ended.isEmpty, "before its end, everything may still be taken")
    table.end(holding: [0, 31, 32, 99, 100, .max])
    books.reclaimUntaken(view) { ended.append($0) }
    #expect(ended == Array(0..<100).filter { ![0, 31, 32, 99].contains($0) })
    ended = []
    for slot in [0, 31, 32, 99] { table.returnLease(leases[slot]) }
    books.drain(view) { ended.append($0) }
    #expect(ended.sorted() == [0, 31, 32, 99])
    #expect(books.outstandingCount == 0)
  }

  @Test func aSecondOrLateReturnNeverHidesANewerOne() throws {
    let (table, view) = try pair(capacity: 1)
    var books = try LeaseTable<String>(capacity: 1)
    let first = try books.lend("first")
    table.returnLease(first)
    #expect(books.drain(view) { _ in } == 1)
    let second = try books.lend("second")
    table.returnLease(second)
    table.returnLease(first)
    table.returnLease(second)
    #expect(view.loadWord(level: 1, index: 0) == 2, "repeated and late returns are not counted")
    var ended: [String] = []
    books.drain(view) { ended.append($0) }
    #expect(ended == ["second"])
  }

  @Test func generationsWrapAround() throws {
    let (table, view) = try pair(capacity: 1)
    for generation in [0x7fff_ffff, 0xffff_fffe, 0xffff_ffff, 0, 1] as [UInt32] {
      table.returnLease(Lease(slot: 0, generation: generation))
      #expect(view.loadWord(level: 0, index: 0) == generation)
    }
  }

  @Test func aLeaseThatTheTableDoesNotCoverChangesNothing() throws {
    let (table, view) = try pair(capacity: 20)
    for slot in [20, 21, 1_000, .max] as [UInt32] {
      let lease = Lease(slot: slot, generation: 1)
      #expect(!table.covers(lease))
      table.returnLease(lease)
    }
    #expect(table.covers(Lease(slot: 19, generation: 1)))
    #expect(view.loadWord(level: 2, index: 0) == 0)
  }

  @Test func aSegmentTooSmallForTheTableIsRefused() throws {
    let segment = try Segment.create(name: "test.small", byteCount: 4_479)
    let borrowed = try BorrowedSegment(segment.handle, name: "test.small", byteCount: 4_479)
    #expect(throws: LeaseError.returnTableTooSmall(byteCount: 4_479, required: 8_896)) {
      try ReturnTableView(segment: borrowed, capacity: 1_024)
    }
  }

  /// A borrower that lies in a word of its table: its own leases may end early or late, each once, and nothing else.
  @Test func aLieInAnyWordOfTheTableEndsNothingThatWasNotLent() throws {
    let capacity = 40
    let lies: [UInt32] = [1, 2, 0x7fff_ffff, 0x8000_0000, .max]
    let wordCount = try ReturnTableLayout(capacity: capacity).byteCount / 4
    var mutated: Set<Int> = []
    for (word, lie) in (0..<wordCount).flatMap({ word in lies.map { (word, $0) } }) {
      let (table, view) = try pair(capacity: capacity)
      var books = try LeaseTable<Int>(capacity: capacity)
      let leases = try (0..<30).map { try books.lend($0) }
      table.returnLease(leases[7])
      let place = table.segment.baseAddress + 4 * word
      let honest = place.load(as: UInt32.self)
      place.storeBytes(of: honest ^ lie, as: UInt32.self)
      if place.load(as: UInt32.self) != honest { mutated.insert(word) }
      var lent = Set(0..<30)
      books.drain(view) { #expect(lent.remove($0) != nil) }
      table.returnLease(leases[8])
      books.drain(view) { #expect(lent.remove($0) != nil) }
      // A word that is no slot's hides a return at most.
      let slots = table.layout.levels[0].byteOffset / 4
      if !(slots..<(slots + capacity)).contains(word) { #expect(lent.isSuperset(of: Set(0..<30).subtracting([7, 8]))) }
      table.end(holding: [3])
      books.reclaimUntaken(view) { #expect(lent.remove($0) != nil) }
      books.reclaimUnshown(view) { #expect(lent.remove($0) != nil) }
      #expect(books.outstandingCount == lent.count)
      books.reclaimAll { #expect(lent.remove($0) != nil) }
      #expect(lent.isEmpty)
    }
    #expect(mutated == Set(0..<wordCount))
  }

  /// A borrower that scribbles over its table while the owner drains: nothing traps, nothing ends that was not lent.
  @Test func aTableThatChangesWhileItIsDrainedDoesNoHarm() throws {
    let capacity = 500
    let (table, view) = try pair(capacity: capacity)
    let scribbler = SharedFlag()
    onThreads(2) { thread in
      if thread == 0 {
        var random = SeededGenerator(seed: 31)
        let words = table.segment.baseAddress.assumingMemoryBound(to: Atomic<UInt32>.self)
        let count = table.segment.byteCount / 4
        while !scribbler.isDone.load(ordering: .relaxed) {
          let word = Int.random(in: 0..<count, using: &random)
          words[word].store(.random(in: 0...50, using: &random), ordering: .relaxed)
        }
      } else {
        defer { scribbler.isDone.store(true, ordering: .relaxed) }
        do {
          var books = try LeaseTable<Int>(capacity: capacity)
          var lent: Set<Int> = []
          for loan in 0..<20_000 {
            if books.outstandingCount == capacity {
              books.reclaimAll { #expect(lent.remove($0) != nil) }
            }
            _ = try books.lend(loan)
            lent.insert(loan)
            if loan % 10 == 0 { books.drain(view) { #expect(lent.remove($0) != nil) } }
            if lent.count != books.outstandingCount { Issue.record("books and model differ") }
          }
        } catch {
          Issue.record(error)
        }
      }
    }
  }

  /// Two threads return what a third lends and drains, until each lease went round many times.
  @Test func returnsThatRaceWithDrainsAreNeverLost() throws {
    let capacity = 64
    let total = 30_000
    let (table, view) = try pair(capacity: capacity)
    let box = SharedQueue()
    onThreads(3) { thread in
      if thread == 0 {
        do {
          var books = try LeaseTable<Int>(capacity: capacity)
          var ended = 0
          var lent = 0
          while ended < total {
            ended += books.drain(view) { _ in }
            while lent < total, books.outstandingCount < capacity {
              let lease = try books.lend(lent)
              box.leases.withLock { $0.append(lease) }
              lent += 1
            }
          }
          #expect(books.outstandingCount == 0)
        } catch {
          Issue.record(error)
        }
        box.isDone.store(true, ordering: .releasing)
      } else {
        while !box.isDone.load(ordering: .acquiring) {
          if let lease = box.leases.withLock({ $0.popLast() }) { table.returnLease(lease) }
        }
      }
    }
  }

  @Test func nothingIsLeftOfATable() throws {
    do {
      _ = try pair(capacity: 10, name: "test.returns.gone")
    }
    #expect(try ProcessState.mappingCount("test.returns.gone") == 0)
    #expect(try ProcessState.descriptorCount("test.returns.gone") == 0)
  }

  private func pair(capacity: Int, name: String = "test.returns") throws -> (ReturnTable, ReturnTableView) {
    let table = try ReturnTable(name: name, capacity: capacity)
    let borrowed = try BorrowedSegment(table.segment.handle, name: name, byteCount: table.segment.byteCount)
    return (table, try ReturnTableView(segment: borrowed, capacity: capacity))
  }
}

private final class SharedFlag: Sendable {
  let isDone = Atomic(false)
}

private final class SharedQueue: Sendable {
  let leases = Mutex<[Lease]>([])
  let isDone = Atomic(false)
}
