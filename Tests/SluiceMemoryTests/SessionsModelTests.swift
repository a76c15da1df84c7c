import SluiceSystem
import Testing
import TestSupport

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
  /// Where it is read.
  nonisolated(unsafe) let place: UnsafeRawPointer
  private let lease: Lease
  private let pair: LoanPair
  /// For what somebody else has sent on in place.
  private let view: BorrowedView?

  init(
    _ pair: LoanPair, _ lease: Lease, loan: Int, at place: UnsafeRawPointer, byteCount: Int, view: BorrowedView?
  ) throws {
    self.pair = pair
    self.lease = lease
    self.loan = loan
    self.place = place
    self.view = view
    lentByteCount = byteCount
    #expect(try pair.borrower.take(lease) == true)
  }

  deinit { pair.borrower.giveBack(lease) }

  /// Others are about to read it.
  func show() { pair.borrower.show(lease) }
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
    var own: Arena
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
    /// Whether it was sent on in place.
    var isShown = false
    /// Whether its holder died after that.
    var isOrphan = false
    var isOver = false
  }

  let shared: Arena
  var clients: [Client]
  /// Sessions that have ended while something was out.
  var ended: [(client: Int, pair: LoanPair)] = []
  /// What the server lent to clients that are dead: kept as long as others read what those have sent on.
  var orphaned: [Lender] = []
  /// What was the dead's: nothing of it is released, or returns anything, any more.
  var dead: [Client] = []
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
    let arena = try #require(sizes[allocation.number]).arena
    guard arena == 0 || arena == client + 1 else { return }  // nobody else may map it
    guard let place = allocation.buffer.baseAddress,
      let held = try lend(allocation, at: place, by: clients[client].session)
    else { return }
    loans.append(Loan(allocation: allocation.number, arena: arena, client: client))
    clients[client].held.append(held)
  }

  private func lend(
    _ memory: any LentMemory, at place: UnsafeRawPointer, by pair: LoanPair, view: BorrowedView? = nil
  ) throws -> Held? {
    let lease: Lease
    do throws(LeaseError) {
      lease = try pair.lender.lend(memory, isBorrowed: view != nil)
    } catch {
      #expect(error == .limitReached(capacity: 64))
      return nil
    }
    return try Held(pair, lease, loan: loans.count, at: place, byteCount: memory.lentByteCount, view: view)
  }

  func sendOn(_ message: Held, from sender: Int, to receiver: Int) throws {
    let source = loans[message.loan]
    let pair = clients[sender].relays[receiver]
    if source.arena == 0 {
      // In the order of a session: first it is marked, then the other one counts its view, then it goes.
      message.show()
      loans[message.loan].isShown = true
      let view = try #require(clients[receiver].session.borrower.viewOfOthers())
      guard let held = try lend(message, at: message.place, by: pair, view: view) else { return }
      loans.append(Loan(allocation: source.allocation, arena: 0, client: receiver, source: message.loan))
      clients[receiver].held.append(held)
    } else {
      let number = sizes.count
      let place = 1 + Self.clientCount + sender
      let copy = try Allocation(arena(place), number: number, byteCount: message.lentByteCount)
      sizes[number] = (place, copy.buffer.count)
      guard let base = copy.buffer.baseAddress, let held = try lend(copy, at: base, by: pair) else { return }
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

  /// The client's process is gone: it returns nothing, and what was its own is nobody's any more. What it has sent on in
  /// place stays where it is.
  func kill(_ client: Int) throws {
    dead.append(clients[client])
    let lenders = [clients[client].session.lender] + ended.filter { $0.client == client }.map(\.pair.lender)
    ended.removeAll { $0.client == client }
    for lender in lenders { lender.reclaimAll(unlessShown: true) }
    orphaned += lenders
    // The others learn that it is dead, and it of nothing.
    for other in clients.indices where other != client {
      clients[other].relays[client].lender.reclaimAll()
      clients[other].relays[client] = try LoanPair(capacity: 64)
    }
    clients[client] = Client(
      session: try LoanPair(capacity: 64), arena: clients[client].arena,
      own: try Arena(name: "test.world.own.\(client)", scope: .session, byteLimit: 256 << 20),
      relays: try (0..<Self.clientCount).map { _ in try LoanPair(capacity: 64) })

    let own = 1 + Self.clientCount + client
    for index in loans.indices {
      // Copies that it had made are in memory of its own.
      if loans[index].arena == own { loans[index].isOver = true }
      guard loans[index].client == client else { continue }
      // What it held is over, but for what the server lent it and it has shown to others.
      let isKept = loans[index].source == nil && loans[index].isShown && isOut(index)
      if isKept { loans[index].isOrphan = true } else { loans[index].isOver = true }
      loans[index].isHeld = false
    }
  }

  /// Whether a living client reads what another has sent on in place.
  private var isAnythingViewed: Bool {
    clients.contains { $0.session.lender.isViewed } || ended.contains { $0.pair.lender.isViewed }
  }

  /// Books what has come back, until nothing more does: what was sent on comes back through two hands.
  func settle() {
    var count = 0
    repeat {
      count = clients.reduce(0) { $0 + $1.session.lender.drain() + $1.relays.reduce(0) { $0 + $1.lender.drain() } }
      count += ended.reduce(0) { $0 + $1.pair.lender.drain() }
    } while count > 0
    ended.removeAll { $0.pair.lender.outstandingCount == 0 && !$0.pair.lender.isViewed }
    if !isAnythingViewed {
      for lender in orphaned { lender.reclaimAll() }
      orphaned = []
    }
    if !loans.contains(where: { $0.source != nil && $0.isHeld }) {
      for index in loans.indices where loans[index].isOrphan { loans[index].isOver = true }
    }
  }

  // MARK: The model

  func isOut(_ index: Int) -> Bool {
    let loan = loans[index]
    guard !loan.isOver, !loan.isOrphan else { return !loan.isOver }
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

  /// Whether all that is held is what was written, by its number: no memory is used again while it can be read.
  var isWhole: Bool {
    clients.allSatisfy { client in
      client.held.allSatisfy { $0.place.load(as: Int.self) == loans[$0.loan].allocation }
    }
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
    var orphans = 0
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
      try #require(world.isWhole, "after step \(step)")
      orphans += world.loans.contains { $0.isOrphan && !$0.isOver } ? 1 : 0
    }
    #expect(orphans > 0, "the dead have sent on")
    for client in 0..<World.clientCount { try world.kill(client) }
    world.kept = []
    world.settle()
    #expect(world.bytes().allSatisfy { $0 == 0 })
  }
}
