import Sluice
import SystemPackage

/// Words of the form `key=value`.
struct Settings {
  private var values: [String: String] = [:]

  init(_ words: [String]) {
    for word in words {
      let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
      if parts.count == 2 { values[parts[0]] = parts[1] }
    }
  }

  subscript(key: String) -> String? { values[key] }

  func number(_ key: String, default fallback: Int) throws -> Int {
    guard let text = values[key] else { return fallback }
    guard let number = Int(text), number >= 0 else { throw ChaosError("\(key)=\(text) is no number") }
    return number
  }
}

/// What a run is about: where its processes meet, over what they talk, in what memory. Passed to them as arguments.
struct Setting: Sendable {
  static let links: [(name: String, choice: LinkChoice)] = [
    ("ring", .ring), ("socket", .socket), ("queue", .queue),
  ]
  static let backings: [(name: String, backing: SegmentBacking)] = [
    ("sealed", .sealedMemory), ("named", .named(.owner)),
  ]

  let directory: FilePath
  let link: (name: String, choice: LinkChoice)
  let backing: (name: String, backing: SegmentBacking)
  /// What a role draws its own choices from.
  let seed: UInt64

  init(directory: FilePath, link: String, backing: String, seed: UInt64) throws {
    self.directory = directory
    guard let link = Self.links.first(where: { $0.name == link }) else { throw ChaosError("no such link: \(link)") }
    guard let backing = Self.backings.first(where: { $0.name == backing }) else {
      throw ChaosError("no such backing: \(backing)")
    }
    self.link = link
    self.backing = backing
    self.seed = seed
  }

  init(_ settings: Settings) throws {
    guard let directory = settings["directory"] else { throw ChaosError("directory= is missing") }
    try self.init(
      directory: FilePath(directory), link: settings["link"] ?? "ring", backing: settings["backing"] ?? "sealed",
      seed: UInt64(try settings.number("seed", default: 0)))
  }

  var arguments: [String] {
    ["directory=\(directory)", "link=\(link.name)", "backing=\(backing.name)", "seed=\(seed)"]
  }

  /// The app's name is in the name of each of its segments, so that others' are told apart.
  var appName: String { directory.lastComponent?.string ?? "chaos" }

  var app: ServerApp { ServerApp(appName, allowing: ["asker", "contender"], runtimeDirectory: directory) }

  var options: SessionOptions {
    var options = SessionOptions()
    options.link = link.choice
    // Small, so that a user may have those of many processes.
    options.queueSize = QueueSize(capacity: 4, messageByteCount: 512)
    options.segmentBacking = backing.backing
    return options
  }
}
