import Sluice
import SystemPackage
import TestSchema

/// Read-write memory of a server and its clients: two numbers that are equal whenever their mutex is free, unless who held it
/// died; and how often they were mended.
struct Ledger: Sendable {
  let arena: ReadWriteArena
  let offset: Int

  /// A new one, for others to join.
  init() throws {
    arena = try ReadWriteArena(name: "ledger", byteCount: 8192)
    offset = try arena.allocate(byteCount: 64)
  }

  /// The one of the server at the other end.
  init(joining answer: Message<Exchange>) throws {
    guard let handle = answer.takeHandles().first else { throw ChaosError("no read-write arena came along") }
    arena = try ReadWriteArena(joining: handle)
    offset = Int(try answer.root.number)
  }

  var entries: UInt64 { get throws { try arena.load(UInt64.self, at: offset + 16) } }
  var mended: UInt64 { get throws { try arena.atomic(UInt64.self, at: offset + 32).load() } }

  /// Calls `body` between the two writes of an entry.
  func enter<Result>(_ body: () throws -> Result) throws -> Result {
    let mutex = try arena.mutex(at: offset)
    let acquisition: SharedMutex.Acquisition
    do throws(ReadWriteError) {
      acquisition = try mutex.lock(timeout: .seconds(30))
    } catch {
      throw ChaosError("the mutex of the read-write arena: \(error)")
    }
    defer { try? mutex.unlock() }
    var (first, second) = (try entries, try arena.load(UInt64.self, at: offset + 24))
    if first != second {
      guard acquisition == .previousOwnerDied else {
        throw ChaosError("the ledger says \(first) and \(second), and nobody died")
      }
      try arena.atomic(UInt64.self, at: offset + 32).wrappingAdd(1)
      first = max(first, second)
      second = first
    }
    try arena.store(first + 1, at: offset + 16)
    defer { try? arena.store(second + 1, at: offset + 24) }
    return try body()
  }
}
