import CBench
import Foundation
import Sluice

/// An allocation that is freed with its last loan.
private final class Piece: LentMemory {
  /// Retained once: through a plain reference, freeing would retain it once more.
  let arena: Unmanaged<Arena>
  nonisolated(unsafe) let buffer: UnsafeMutableRawBufferPointer
  var lentByteCount: Int { buffer.count }

  init(_ arena: Arena, _ byteCount: Int) throws {
    buffer = try arena.allocate(byteCount: byteCount)
    self.arena = Unmanaged.passRetained(arena)
  }

  deinit {
    arena._withUnsafeGuaranteedRef { arena in
      if let base = buffer.baseAddress { arena.deallocate(base) }
    }
    arena.release()
  }
}

/// Both ends of what is lent, in one process: the borrower's part is not measured.
private struct Ends {
  let lender: Lender
  let borrower: Borrower

  init(capacity: Int) throws {
    func table(_ name: String) throws -> (ReturnTable, ReturnTableView) {
      let table = try ReturnTable(name: "sluice.bench.\(name)", capacity: capacity)
      let segment = try BorrowedSegment(
        table.segment.handle, name: table.segment.name, byteCount: table.segment.byteCount)
      return (table, try ReturnTableView(segment: segment, capacity: capacity))
    }
    let (owners, ownersView) = try table("owner")
    let (borrowers, borrowersView) = try table("borrower")
    lender = try Lender(returns: borrowersView, bell: owners)
    borrower = Borrower(returnTable: borrowers, owner: ownersView)
  }
}

/// The owner's processor time to allocate 64 bytes, lend them, book their return and free them, in batches; and what both
/// ends take from the heap for it, but for the object that stands for the memory.
func measureLoans() throws {
  let arena = try Arena(name: "sluice.bench.loans", scope: .session)
  let ends = try Ends(capacity: 16_384)
  var leases: [Lease] = []
  leases.reserveCapacity(1000)
  var figures: [Double] = []
  for _ in 0..<2000 {
    leases.removeAll(keepingCapacity: true)
    let start = threadTime()
    for _ in 0..<1000 { leases.append(try ends.lender.lend(Piece(arena, 64))) }
    let lent = threadTime()
    for lease in leases {
      _ = try ends.borrower.take(lease)
      ends.borrower.giveBack(lease)
    }
    let returned = threadTime()
    ends.lender.drain()
    figures.append((threadTime() - returned + lent - start) / 1000)
  }
  report("64 B: allocate, lend, return; owner's CPU", "\(Int(median(figures))) ns", budget: "<= 150 ns")

  let piece = try Piece(arena, 64)
  let before = bench_allocated()
  for _ in 0..<1000 {
    leases.removeAll(keepingCapacity: true)
    for _ in 0..<1000 { leases.append(try ends.lender.lend(piece)) }
    for lease in leases {
      _ = try ends.borrower.take(lease)
      ends.borrower.giveBack(lease)
    }
    ends.lender.drain()
  }
  let (large, rounds) = ([100_000, 1 << 20, 3 << 20], 1000)
  let afterLoans = bench_allocated()
  for _ in 0..<rounds {
    for byteCount in large {
      if let base = try arena.allocate(byteCount: byteCount).baseAddress { arena.deallocate(base) }
    }
  }
  let perAllocation = Double(bench_allocated() - afterLoans) / Double(rounds * large.count)
  let perLoan = Double(afterLoans - before) / 1_000_000
  report("lend, borrow, return: heap at both ends", String(format: "%.3f B", perLoan), budget: "0")
  report("100 kB to 3 MiB: allocate, free: heap", String(format: "%.3f B", perAllocation), budget: "0")
}

/// 10,000 lent messages of 100 B to 1 MiB, half of which come back in random order and make way for others, again and
/// again: what part of the memory that the arena takes is not in use then.
func measureFragmentation() throws {
  let arena = try Arena(name: "sluice.bench.fragmentation", scope: .session)
  let ends = try Ends(capacity: 65_536)
  var random = SystemRandomNumberGenerator()
  var leases: [Lease] = []
  func lendOne() throws {
    // As many small ones as large ones, on a logarithmic scale.
    let byteCount = Int(100 * pow(10_485.76, Double.random(in: 0...1, using: &random)))
    let piece = try Piece(arena, byteCount)
    for offset in stride(from: 0, to: piece.buffer.count, by: 4096) { piece.buffer[offset] = 1 }
    let lease = try ends.lender.lend(piece)
    _ = try ends.borrower.take(lease)
    leases.append(lease)
  }
  for _ in 0..<10_000 { try lendOne() }
  let full = arena.inUseByteCount
  for _ in 0..<20 {
    leases.shuffle(using: &random)
    for lease in leases.suffix(5000) { ends.borrower.giveBack(lease) }
    leases.removeLast(min(5000, leases.count))
    ends.lender.drain()
    while arena.inUseByteCount < full { try lendOne() }
  }
  let statistics = arena.statistics
  let unused = 1 - Double(statistics.inUseByteCount) / Double(statistics.residentByteCount)
  report(
    "10,000 messages of 100 B to 1 MiB: memory not in use", String(format: "%.1f %%", 100 * unused), budget: "< 25 %")
}
