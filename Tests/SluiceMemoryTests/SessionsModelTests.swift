import SluiceSystem
import Testing

@testable import SluiceMemory

/// An allocation that its owner lends; it goes when nobody keeps it.
private final class Allocation: LentMemory {
  let number: Int
  let arena: Arena
  nonisolated(unsafe) let buffer: UnsafeMutableRawBufferPointer
  var lentByteCount: Int { buffer.count }

  init(_ arena: Arena, number: Int, byteCount: Int) throws {
    self.arena = arena
    self.number = number
    buffer = try arena.allocate(byteCount: byteCount)
    buffer.storeBytes(of: number, as: Int.self)
  }

  deinit {
    if let base = buffer.baseAddress { arena.deallocate(base) }
  }
}

/// A message as its receiver holds it: the lease goes back with it. It can be lent on.
private final class Held: LentMemory {
  let lentByteCount: Int
  let loan: Int
  private let lease: Lease
  private let pair: LoanPair

  init(_ pair: LoanPair, _ lease: Lease, loan: Int, byteCount: Int) throws {
    self.pair = pair
    self.lease = lease
    self.loan = loan
    lentByteCount = byteCount
    #expect(try pair.borrower.take(lease) == true)
  }

  deinit { pair.borrower.giveBack(lease) }
}

/// A server with three clients, which also lend to each other. In one process, but with all that is real below sessions:
/// arenas, lease tables, return tables in shared memory, bells.
private final class World {
  static let clientCount = 3

  struct Client {
    /// What the server lends this client goes through here.
    var session: LoanPair
    /// The server's memory for this client alone.
    let arena: Arena
    /// This client's own memory.
    let own: Arena
    var held: [Held] = []
    /// To the other clients, by number.
    var relays: [LoanPair]
  }

  /// The model of one lease.
  struct Loan {
    let allocation: Int
    let arena: Int
    let client: Int
    var isHeld = true
    /// Of which other loan this is the sending on, in place.
    var source: Int?
    var isOver = false
  }

  let shared: Arena
  var clients: [Client]
  /// Sessions that have ended while something was out.
  var ended: [(client: Int, pair: LoanPair)] = []
  var kept: [Allocation] = []

  // The model.
  var sizes: [Int: (arena: Int, byteCount: Int)] = [:]
  var keptNumbers: [Int] = []
  var loans: [Loan] = []

  init() throws {
    shared = try Arena(name: "test.world.shared", scope: .serverWide, byteLimit: 256 << 20)
    clients = []
    for number in 0..<Self.clientCount {
      clients.append(
        Client(
          session: try LoanPair(capacity: 64),
          arena: try Arena(name: "test.world.\(number)", scope: .session, byteLimit: 256 << 20),
          own: try Arena(name: "test.world.own.\(number)", scope: .session, byteLimit: 256 << 20),
          relays: try (0..<Self.clientCount).map { _ in try LoanPair(capacity: 64) }))
    }
  }

  /// 0 is the server-wide arena, then the server's for each client, then the clients' own.
  func arena(_ index: Int) -> Arena {
    if index == 0 { return shared }
    return index <= Self.clientCount ? clients[index - 1].arena : clients[index - 1 - Self.clientCount].own
  }

  // MARK: Steps

  func allocate(in index: Int, byteCount: Int) throws {
    let number = sizes.count
    let allocation = try Allocation(arena(index), number: number, byteCount: byteCount)
    sizes[number] = (index, allocation.buffer.count)
    kept.append(allocation)
    keptNumbers.append(number)
  }

  func forget(at index: Int) {
    kept.remove(at: index)
    keptNumbers.remove(at: index)
  }

  func lend(at index: Int, to client: Int) throws {
    let allocation = kept[index]
    let place = try #require(sizes[allocation.number]).arena
    guard place == 0 || place == client + 1 else { return }  // nobody else may map it
    guard let held = try lend(allocation, by: clients[client].session, isBorrowed: false) else { return }
    loans.append(Loan(allocation: allocation.number, arena: place, client: client))
    clients[client].held.append(held)
  }

  private func lend(_ memory: any LentMemory, by pair: LoanPair, isBorrowed: Bool) throws -> Held? {
    let lease: Lease
    do throws(LeaseError) {
      lease = try pair.lender.lend(memory, isBorrowed: isBorrowed)
    } catch {
      #expect(error == .limitReached(capacity: 64))
      return nil
    }
    return try Held(pair, lease, loan: loans.count, byteCount: memory.lentByteCount)
  }

  func sendOn(_ message: Held, from sender: Int, to receiver: Int) throws {
    let source = loans[message.loan]
    let pair = clients[sender].relays[receiver]
    if source.arena == 0 {
      guard let held = try lend(message, by: pair, isBorrowed: true) else { return }
      loans.append(Loan(allocation: source.allocation, arena: 0, client: receiver, source: message.loan))
      clients[receiver].held.append(held)
    } else {
      let number = sizes.count
      let place = 1 + Self.clientCount + sender
      let copy = try Allocation(arena(place), number: number, byteCount: message.lentByteCount)
      sizes[number] = (place, copy.buffer.count)
      guard let held = try lend(copy, by: pair, isBorrowed: false) else { return }
      loans.append(Loan(allocation: number, arena: place, client: receiver))
      clients[receiver].held.append(held)
    }
  }

  func giveBack(at index: Int, by client: Int) {
    loans[clients[client].held[index].loan].isHeld = false
    clients[client].held.remove(at: index)
  }

  /// The session ends in order; what is held stays held, and keeps its memory.
  func endSession(of client: Int) throws {
    let pair = clients[client].session
    pair.borrower.end()
    pair.lender.settle()
    ended.append((client, pair))
    clients[client].session = try LoanPair(capacity: 64)
  }

  /// The client's process is gone: it returns nothing, and what it lent is nobody's any more.
  func kill(_ client: Int) throws {
    var dead = clients[client]
    dead.session.lender.reclaimAll()
    for (index, loan) in loans.enumerated() where loan.client == client {
      // All sessions of this client, those that had ended included, are of a dead process now.
      if loan.arena <= Self.clientCount { loans[index].isOver = true }
      loans[index].isHeld = false
    }
    for (of, pair) in ended where of == client { pair.lender.reclaimAll() }
    // Who lent to it learns the same, and it lends nothing any more.
    for other in clients.indices {
      clients[other].relays[client].lender.reclaimAll()
      clients[other].relays[client] = try LoanPair(capacity: 64)
      dead.relays[other].lender.reclaimAll()
      dead.relays[other] = try LoanPair(capacity: 64)
      clients[other].held.removeAll { held in
        // What it had sent on ends with the session to it; its own memory died with it.
        let loan = loans[held.loan]
        let isFromDead =
          loan.arena == 1 + Self.clientCount + client || loan.source.map { loans[$0].client == client } == true
        if isFromDead { loans[held.loan].isHeld = false }
        return isFromDead
      }
    }
    dead.held = []
    dead.relays[client] = try LoanPair(capacity: 64)
    dead.session = try LoanPair(capacity: 64)
    clients[client] = dead
  }

  /// Books what has come back, until nothing more does: what was sent on comes back through two hands.
  func settle() {
    var count = 0
    repeat {
      count = clients.reduce(0) { $0 + $1.session.lender.drain() + $1.relays.reduce(0) { $0 + $1.lender.drain() } }
      count += ended.reduce(0) { $0 + $1.pair.lender.drain() }
    } while count > 0
    ended.removeAll { $0.pair.lender.outstandingCount == 0 }
  }

  // MARK: The model

  func isOut(_ index: Int) -> Bool {
    let loan = loans[index]
    guard !loan.isOver else { return false }
    return loan.isHeld || loans.indices.contains { loans[$0].source == index && isOut($0) }
  }

  func expectedBytes() -> [Int] {
    var alive = Set(keptNumbers)
    for index in loans.indices where isOut(index) { alive.insert(loans[index].allocation) }
    var bytes = Array(repeating: 0, count: 1 + 2 * Self.clientCount)
    for number in alive {
      if let (arena, byteCount) = sizes[number] { bytes[arena] += byteCount }
    }
    return bytes
  }

  func bytes() -> [Int] { (0..<(1 + 2 * Self.clientCount)).map { arena($0).inUseByteCount } }
}

/// Random sequences of allocate, lend, send on, return, end a session and kill a client, against a model: after each step
/// the bytes in use in every arena are the model's.
@Suite struct SessionsModelTests {
  @Test(arguments: [81, 82, 83, 84] as [UInt64])
  func `bytes in use are the model's after each step`(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let world = try World()
    for step in 0..<600 {
      let client = Int.random(in: 0..<World.clientCount, using: &random)
      let heldCount = world.clients[client].held.count
      switch Int.random(in: 0..<100, using: &random) {
      case 0..<20:
        let byteCount = 1 << Int.random(in: 4..<20, using: &random)
        try world.allocate(in: Int.random(in: 0...World.clientCount, using: &random), byteCount: byteCount)
      case 20..<50:
        guard !world.kept.isEmpty else { continue }
        try world.lend(at: Int.random(in: world.kept.indices, using: &random), to: client)
      case 50..<65:
        guard heldCount > 0 else { continue }
        let message = world.clients[client].held[Int.random(in: 0..<heldCount, using: &random)]
        let receiver = (client + Int.random(in: 1..<World.clientCount, using: &random)) % World.clientCount
        // What was sent on once may be sent on again only as it came: from its first receiver.
        guard world.loans[message.loan].source == nil, world.loans[message.loan].arena <= World.clientCount else {
          continue
        }
        try world.sendOn(message, from: client, to: receiver)
      case 65..<85:
        guard heldCount > 0 else { continue }
        world.giveBack(at: Int.random(in: 0..<heldCount, using: &random), by: client)
      case 85..<95:
        guard !world.kept.isEmpty else { continue }
        world.forget(at: Int.random(in: world.kept.indices, using: &random))
      case 95..<97:
        try world.endSession(of: client)
      case 97..<99:
        try world.kill(client)
      default:
        for index in 0...(2 * World.clientCount) { world.arena(index).trim() }
      }
      world.settle()
      let (found, expected) = (world.bytes(), world.expectedBytes())
      try #require(found == expected, "after step \(step)")
    }
    for client in 0..<World.clientCount { try world.kill(client) }
    world.kept = []
    world.settle()
    #expect(world.bytes().allSatisfy { $0 == 0 })
  }
}
