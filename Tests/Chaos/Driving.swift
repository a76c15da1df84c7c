import Foundation
import Sluice
import SystemPackage
import TestSupport

/// Runs the kills that the settings ask for, and says what came of them.
func drive(_ settings: Settings) throws {
  let kills = try settings.number("kills", default: 1000)
  let seed = UInt64(try settings.number("seed", default: Int.random(in: 0..<1_000_000)))
  let clients = try settings.number("clients", default: 3)
  let links = settings["link"].map { [$0] } ?? Setting.links.map(\.name)
  let backings = settings["backing"].map { [$0] } ?? Setting.backings.map(\.name)
  let combinations = links.flatMap { link in backings.map { (link, $0) } }
  say("seed \(seed)")
  for (index, (link, backing)) in combinations.enumerated() {
    // Each gets its share; the first ones what does not divide.
    let share = kills / combinations.count + (index < kills % combinations.count ? 1 : 0)
    let directory = FilePath("/tmp/sluice-chaos-\(getpid())-\(index)")
    defer { try? FileManager.default.removeItem(atPath: directory.string) }
    let setting = try Setting(directory: directory, link: link, backing: backing, seed: seed &+ UInt64(index) << 32)
    var run = try ChaosRun(setting, clients: clients)
    do {
      let report = try run.go(kills: share)
      say("\(link), \(backing): \(share) kills, \(report)")
    } catch {
      run.killAll()
      throw ChaosError("\(link), \(backing), seed \(seed), after \(run.killCount) kills: \(error)")
    }
  }
}

/// A server and clients, of which one after the other is killed and started again.
struct ChaosRun {
  private let setting: Setting
  private var generator: SeededGenerator
  private var server: Child
  private var clients: [Child] = []
  private(set) var killCount = 0

  init(_ setting: Setting, clients: Int) throws {
    self.setting = setting
    generator = SeededGenerator(seed: setting.seed)
    server = try Child("serve", setting.arguments)
    try server.line("ready")
    for _ in 0..<max(clients, 1) { self.clients.append(try Child("ask", setting.arguments)) }
    for client in self.clients { try client.line("asking") }
  }

  /// Kills that often, and then ends what is left in order. What came of it.
  mutating func go(kills: Int) throws -> String {
    while killCount < kills {
      // A moment that nobody can foresee, most often a short one: a process may still be starting.
      usleep(UInt32(Double.random(in: 0...1, using: &generator) * Double.random(in: 0...30_000, using: &generator)))
      switch Int.random(in: 0..<10, using: &generator) {
      case 0..<3:
        try killServer(with: [])
      case 3 where kills - killCount >= 2:
        try killServer(with: [Int.random(in: clients.indices, using: &generator)])
      case 4 where kills - killCount > clients.count:
        try killServer(with: Array(clients.indices))
      default:
        let index = Int.random(in: clients.indices, using: &generator)
        try killClient(index)
        try start(index)
        // Every other time the next kill hits it while it starts.
        if Bool.random(using: &generator) { try clients[index].line("asking") }
      }
    }
    return try end()
  }

  private mutating func killServer(with victims: [Int]) throws {
    for index in victims { try killClient(index) }
    try server.kill()
    killCount += 1
    server = try Child("serve", setting.arguments)
    try server.line("ready")
    for index in victims { try start(index) }
    // Everybody finds the new server.
    for client in clients { try client.line("asking") }
  }

  private mutating func killClient(_ index: Int) throws {
    try clients[index].kill()
    killCount += 1
  }

  private mutating func start(_ index: Int) throws {
    clients[index] = try Child("ask", setting.arguments)
  }

  private mutating func end() throws -> String {
    var words: [String] = []
    for client in clients { words.append(String(try client.finish().dropFirst("done ".count))) }
    let last = try server.finish()
    clients = []
    // Of a client that died in its handshake no server knows: the next start clears away what it left.
    let next = try Child("serve", setting.arguments)
    try next.line("ready")
    _ = try next.finish()
    let left = try Possessions.files(of: setting.appName)
    guard left.isEmpty else { throw ChaosError("left in /dev/shm: \(left)") }
    let entries = (try? FileManager.default.subpathsOfDirectory(atPath: setting.directory.string)) ?? []
    guard entries.isEmpty else { throw ChaosError("left in the runtime directory: \(entries)") }
    return "all well; \(last.dropFirst("done ".count)), then \(words.joined(separator: "; "))"
  }

  /// After a failure.
  func killAll() {
    for child in clients + [server] { child.abandon() }
  }
}
