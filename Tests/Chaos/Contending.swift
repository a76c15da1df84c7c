import Sluice
import SystemPackage
import TestSchema
import TestSupport

/// Takes part in a read-write arena that the server shares, and contends for its mutex until it is killed.
///
/// What the mutex protects are two numbers that are equal whenever it is free; behind them it counts how often it had to mend
/// them, and how often they were not equal although nobody had died.
func contend(_ app: ServerApp) async throws {
  let session = try await ClientSession.connect(ClientApp("contender"), to: app)
  let channel = try await session.openChannel(Exchange.self)
  var question = try channel.makeMessage()
  question.root.text = "join"
  let answer = try await channel.request(question, timeout: .seconds(30))
  guard let handle = answer.takeHandles().first else { throw ChaosError("no arena came along") }
  let offset = Int(try answer.root.number)
  let arena = try ReadWriteArena(joining: handle)
  let mutex = try arena.mutex(at: offset)
  let mended = try arena.atomic(UInt64.self, at: offset + 32)
  let broken = try arena.atomic(UInt64.self, at: offset + 40)
  say("contending")
  while true {
    let acquisition = try mutex.lock()
    var first = try arena.load(UInt64.self, at: offset + 16)
    let second = try arena.load(UInt64.self, at: offset + 24)
    if first != second {
      if acquisition == .previousOwnerDied { mended.wrappingAdd(1) } else { broken.wrappingAdd(1) }
      first = max(first, second)
    }
    try arena.store(first + 1, at: offset + 16)
    try arena.store(first + 1, at: offset + 24)
    try mutex.unlock()
  }
}
