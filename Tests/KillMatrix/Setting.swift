import Sluice
import SluiceSession
import SystemPackage
import TestSchema

/// Words of the form `key=value`.
struct Words {
  private let values: [String: String]

  init(_ words: some Sequence<String>) {
    let pairs = words.map { $0.split(separator: "=", maxSplits: 1).map(String.init) }.filter { $0.count == 2 }
    values = Dictionary(pairs.map { ($0[0], $0[1]) }) { $1 }
  }

  subscript(key: String) -> String {
    get throws {
      guard let value = values[key] else { throw MatrixError("\(key)= is missing") }
      return value
    }
  }
}

/// The signal with which a process stops itself.
enum Blow: String, CaseIterable {
  case kill, stop
}

/// Where the two processes meet, and over what they talk.
struct Setting: Sendable {
  static let links: [(name: String, choice: LinkChoice)] = [
    ("ring", .ring), ("socket", .socket), ("queue", .queue),
  ]
  static let backings: [(name: String, backing: SegmentBacking)] = [
    ("sealed", .sealedMemory), ("named", .named(.owner)),
  ]
  /// How much both ends may lend. A message of more than half of it is held, and waited for.
  static let arenaByteLimit = 16 << 20
  static let largeByteCount = 12 << 20

  let directory: FilePath
  let link: (name: String, choice: LinkChoice)
  let backing: (name: String, backing: SegmentBacking)

  init(directory: String, link: String, backing: String) throws {
    self.directory = FilePath(directory)
    guard let link = Self.links.first(where: { $0.name == link }) else { throw MatrixError("no such link: \(link)") }
    guard let backing = Self.backings.first(where: { $0.name == backing }) else {
      throw MatrixError("no such backing: \(backing)")
    }
    self.link = link
    self.backing = backing
  }

  init(_ words: Words) throws {
    try self.init(directory: words["directory"], link: words["link"], backing: words["backing"])
  }

  var arguments: [String] { ["directory=\(directory)", "link=\(link.name)", "backing=\(backing.name)"] }

  var upstreamDirectory: FilePath { FilePath("\(directory)-upstream") }

  /// Unique among those that run, as the directory is: it is in the name of each segment.
  private var base: String { directory.lastComponent?.string ?? "matrix" }

  /// What the two ends of the matrix meet at.
  var app: ServerApp { ServerApp(base, allowing: ["talker"], runtimeDirectory: directory) }
  /// The third process's, whose messages both send on.
  var upstream: ServerApp {
    ServerApp("\(base)-upstream", allowing: ["talker"], runtimeDirectory: upstreamDirectory)
  }

  var options: SessionOptions {
    var options = SessionOptions()
    options.link = link.choice
    options.segmentBacking = backing.backing
    options.laneWindow = 4
    // So that who waits for credit asks whether the other end receives; far beyond the patience of anybody here.
    options.stallPolicy = .disconnect(after: .seconds(60))
    options.arenaByteLimit = Self.arenaByteLimit
    options.channelTypes = [ChannelType(Exchange.self), ChannelType(Tree.self)]
    options.handshakeTimeout = .milliseconds(500)
    options.logger.logLevel = .critical
    return options
  }
}
