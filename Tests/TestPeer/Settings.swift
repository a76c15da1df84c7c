import Foundation
import Sluice
import SystemPackage

/// What the command line says about this process, as `key=value`.
struct Settings {
  private let values: [String: String]

  init(_ words: some Sequence<String>) {
    let pairs = words.map { $0.split(separator: "=", maxSplits: 1).map(String.init) }.filter { $0.count == 2 }
    values = Dictionary(pairs.map { ($0[0], $0[1]) }) { $1 }
  }

  subscript(_ key: String) -> UInt32? { values[key].flatMap { UInt32($0) } }

  var access: AccessLevel {
    switch values["access"] {
    case "group": .group
    case "anyone": .anyone
    default: .user
    }
  }

  /// Those of sessions over the kind of link that is named. Queues are small, so that there can be those of many tests.
  var options: SessionOptions {
    var options = SessionOptions()
    options.link =
      switch values["link"] {
      case "socket": .socket
      case "queue": .queue
      default: .ring
      }
    options.queueSize = QueueSize(capacity: 2, messageByteCount: 256)
    return options
  }

  /// Switches to the user and groups that are asked for; for root only.
  func becomeUser() throws {
    guard self["uid"] != nil || self["gid"] != nil else { return }
    let groups = self["groups"].map { [$0] } ?? []
    guard setgroups(groups.count, groups) == 0, setgid(self["gid"] ?? 65_534) == 0, setuid(self["uid"] ?? 0) == 0 else {
      throw PeerError("cannot switch user: \(String(cString: strerror(errno)))")
    }
  }
}
