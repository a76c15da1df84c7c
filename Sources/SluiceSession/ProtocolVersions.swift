/// Versions of the session protocol that one end speaks, both ends included.
public struct ProtocolVersions: Sendable, Hashable, CustomStringConvertible {
  /// The lowest version.
  public let lowest: UInt32
  /// The highest version.
  public let highest: UInt32

  /// What this release speaks.
  public static let current = ProtocolVersions(lowest: 1, highest: 1)

  package init(lowest: UInt32, highest: UInt32) {
    self.lowest = lowest
    self.highest = highest
  }

  /// The highest version that both ends speak; nil without one.
  func common(with other: ProtocolVersions) -> UInt32? {
    let candidate = min(highest, other.highest)
    return candidate >= max(lowest, other.lowest) ? candidate : nil
  }

  /// The range, for people.
  public var description: String { lowest == highest ? "\(lowest)" : "\(lowest) to \(highest)" }
}
