import SluiceSystem
import Synchronization
import Testing

@testable import SluiceMemory

/// An owner and a borrower in one process, without a session: what goes over the control socket is called directly.
final class LoanPair: Sendable {
  let lender: Lender
  let borrower: Borrower
  let rings = Atomic(0)

  init(capacity: Int = 16) throws {
    let ownersTable = try ReturnTable(name: "test.pair.owner", capacity: capacity)
    let table = try ReturnTable(name: "test.pair.borrower", capacity: capacity)
    func view(_ table: ReturnTable) throws -> ReturnTableView {
      try ReturnTableView(
        segment: BorrowedSegment(
          table.segment.handle, name: table.segment.name, byteCount: table.segment.byteCount), capacity: capacity)
    }
    lender = try Lender(returns: view(table), bell: ownersTable)
    borrower = Borrower(returnTable: table, owner: try view(ownersTable))
    borrower.onRing { [weak self] in
      self?.rings.wrappingAdd(1, ordering: .relaxed)
      self?.lender.rang()
    }
  }

  func identify(_ segment: Segment) throws -> UInt32 {
    try lender.identify(segment) { segment, id in
      do {
        try borrower.add(
          BorrowedSegment(segment.handle, name: segment.name, byteCount: segment.byteCount), id: id)
      } catch {
        Issue.record(error)
      }
    }
  }
}

/// A piece of memory that is lent.
final class LentBytes: LentMemory {
  let lentByteCount: Int
  init(_ byteCount: Int) { lentByteCount = byteCount }
}

@Suite struct RetiringTests {
  @Test func `a retired segment is unmapped by the borrower, and its number never comes again`() throws {
    let pair = try LoanPair()
    for round in 0..<10 as Range<UInt32> {
      let segment = try Segment.create(name: "test.retired.\(round)", byteCount: 4096)
      #expect(try pair.identify(segment) == round)
      #expect(try pair.identify(segment) == round)
      #expect(try pair.borrower.bytes(in: round, offset: 0, byteCount: 8) != nil)
      pair.lender.retire(segment) { id in
        #expect(id == round)
        #expect(throws: Never.self) { try pair.borrower.retire(id) }
      }
      pair.lender.retire(segment) { _ in Issue.record("retired twice") }
      #expect(throws: BorrowError.retired(round)) { try pair.borrower.bytes(in: round, offset: 0, byteCount: 8) }
    }
    #expect(try ProcessState.mappingCount("test.retired") == 0)
    #expect(try ProcessState.descriptorCount("test.retired") == 0)
  }

  @Test func `a segment that was never announced, twice given up, or lent from cannot be retired`() throws {
    let pair = try LoanPair()
    let segment = try Segment.create(name: "test.lies", byteCount: 4096)
    #expect(throws: BorrowError.noSuchSegment(0)) { try pair.borrower.retire(0) }
    #expect(throws: BorrowError.noSuchSegment(.max)) { try pair.borrower.retire(.max) }
    _ = try pair.identify(segment)
    let held = try #require(try pair.borrower.bytes(in: 0, offset: 8, byteCount: 8))
    segment.baseAddress.storeBytes(of: 99, toByteOffset: 8, as: UInt64.self)
    #expect(throws: BorrowError.segmentInUse(0)) { try pair.borrower.retire(0) }
    #expect(held.bytes.load(as: UInt64.self) == 99, "what is held stays readable")
    #expect(throws: BorrowError.retired(0)) { try pair.borrower.retire(0) }
  }

  @Test func `ids may be ahead of the announcements, but not without end`() throws {
    let pair = try LoanPair()
    #expect(try pair.borrower.bytes(in: 0, offset: 0, byteCount: 8) == nil)
    #expect(try pair.borrower.bytes(in: 65_535, offset: 0, byteCount: 8) == nil)
    #expect(throws: BorrowError.noSuchSegment(65_536)) { try pair.borrower.bytes(in: 65_536, offset: 0, byteCount: 8) }
  }

  /// More segments one after the other than may be mapped at once; some stay all the time.
  @Test func `the limit counts what is mapped, not what ever was`() throws {
    let pair = try LoanPair()
    let lasting = try Segment.create(name: "test.lasting", byteCount: 64)
    #expect(try pair.identify(lasting) == 0)
    for round in 1...UInt32(Borrower.segmentCountLimit + 10) {
      let segment = try Segment.create(name: "test.passing", byteCount: 64)
      #expect(try pair.identify(segment) == round)
      pair.lender.retire(segment) { id in #expect(throws: Never.self) { try pair.borrower.retire(id) } }
    }
    #expect(try pair.borrower.bytes(in: 0, offset: 0, byteCount: 64) != nil)
    #expect(try ProcessState.mappingCount("test.passing") == 0)
  }

  @Test func `an ended borrower keeps only what is held`() throws {
    let pair = try LoanPair()
    let segments = try (0..<3).map { try Segment.create(name: "test.ended.\($0)", byteCount: 4096) }
    for segment in segments { _ = try pair.identify(segment) }
    var held = try pair.borrower.bytes(in: 1, offset: 0, byteCount: 8)
    #expect(try ProcessState.mappingCount("test.ended") == 6)
    pair.borrower.end()
    #expect(try ProcessState.mappingCount("test.ended") == 4)
    withExtendedLifetime(held) {}
    held = nil
    #expect(try ProcessState.mappingCount("test.ended") == 3)
  }
}

/// Who waits for a return is rung for, once, and nobody else costs anything.
@Suite struct RingTests {
  @Test func `a return rings for an owner that waits, once for each wait`() throws {
    let pair = try LoanPair()
    let woken = Atomic(0)
    func lend() throws -> Lease {
      let lease = try pair.lender.lend(LentBytes(8))
      #expect(try pair.borrower.take(lease))
      return lease
    }
    pair.borrower.giveBack(try lend())
    #expect(pair.rings.load(ordering: .relaxed) == 0, "nobody waits")
    for round in 1...3 {
      pair.lender.drain()
      let leases = try [lend(), lend()]
      pair.lender.drain()
      _ = pair.lender.waitForReturn { woken.wrappingAdd(1, ordering: .relaxed) }
      #expect(woken.load(ordering: .relaxed) == round - 1)
      for lease in leases { pair.borrower.giveBack(lease) }
      #expect(pair.rings.load(ordering: .relaxed) == round)
      #expect(woken.load(ordering: .relaxed) == round)
    }
    pair.lender.drain()
    let waiting = pair.lender.waitForReturn { Issue.record("woken after it went") }
    pair.lender.stopWaiting(waiting)
    pair.borrower.giveBack(try lend())
  }

  @Test func `what came back before the wait began wakes at once`() throws {
    let pair = try LoanPair()
    let lease = try pair.lender.lend(LentBytes(8))
    #expect(try pair.borrower.take(lease))
    pair.borrower.giveBack(lease)
    let woken = Atomic(false)
    _ = pair.lender.waitForReturn { woken.store(true, ordering: .relaxed) }
    #expect(woken.load(ordering: .relaxed) == true)
  }

  @Test func `the end of a session wakes who waits`() throws {
    let pair = try LoanPair()
    let woken = Atomic(0)
    _ = pair.lender.waitForReturn { woken.wrappingAdd(1, ordering: .relaxed) }
    pair.lender.settle()
    _ = pair.lender.waitForReturn { woken.wrappingAdd(1, ordering: .relaxed) }
    pair.lender.reclaimAll()
    #expect(woken.load(ordering: .relaxed) == 2)
  }

  /// A thread that returns as fast as it can, and one that waits whenever all is out: no wake-up is lost, or this hangs.
  @Test(.timeLimit(.minutes(1))) func `no ring is lost between a returning and a waiting thread`() throws {
    let pair = try LoanPair(capacity: 2)
    let rounds = 20_000
    let queue = Mutex<[Lease]>([])
    let arrived = Semaphore()
    let room = Semaphore()
    let out = Atomic(0)
    onThreads(2) { thread in
      do {
        for _ in 0..<rounds {
          if thread == 0 {
            while !pair.lender.hasRoom {
              let waiting = pair.lender.waitForReturn { room.signal() }
              if !pair.lender.hasRoom { room.wait() }
              pair.lender.stopWaiting(waiting)
            }
            let lease = try pair.lender.lend(LentBytes(8))
            out.wrappingAdd(1, ordering: .relaxed)
            queue.withLock { $0.append(lease) }
            arrived.signal()
          } else {
            arrived.wait()
            let lease = queue.withLock { $0.removeFirst() }
            _ = try pair.borrower.take(lease)
            pair.borrower.giveBack(lease)
          }
        }
      } catch {
        Issue.record(error)
      }
    }
    #expect(out.load(ordering: .relaxed) == rounds)
    #expect(pair.lender.outstandingCount == 0)
  }
}

/// What is out, for whom, and since when.
@Suite struct OutstandingLeaseTests {
  @Test func `a report counts each lease, and each allocation once, oldest first`() throws {
    let pair = try LoanPair()
    let (first, second) = (LentBytes(100), LentBytes(20))
    let leases = try [first, second, first].map { try pair.lender.lend($0) }
    let report = pair.lender.outstandingLeases
    #expect(report.map(\.byteCount).sorted() == [20, 100, 100])
    #expect(report.distinctByteCount == 120)
    #expect(Set(report.map(\.lease)) == Set(leases))
    #expect(report.allSatisfy { $0.age >= .zero && $0.age < .seconds(60) })
    #expect(report.map(\.age) == report.map(\.age).sorted(by: >))
    #expect(try pair.borrower.take(leases[0]))
    pair.borrower.giveBack(leases[0])
    #expect(pair.lender.outstandingLeases.count == 2)
    #expect(pair.lender.outstandingLeases.distinctByteCount == 120)
  }
}
