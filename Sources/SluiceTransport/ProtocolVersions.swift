/// Versions of a protocol that one end speaks, both ends included. A pure value.
public struct ProtocolVersions: Sendable, Hashable, CustomStringConvertible {
  /// The lowest version.
  public let lowest: UInt32
  /// The highest version.
  public let highest: UInt32

  /// Says a range. One whose highest version is below its lowest, as a peer may claim, has no version in common with any.
  public init(lowest: UInt32, highest: UInt32) {
    self.lowest = lowest
    self.highest = highest
  }

  /// The highest version that both ends speak; nil without one. The same at both ends.
  public func common(with other: ProtocolVersions) -> UInt32? {
    let candidate = min(highest, other.highest)
    return candidate >= max(lowest, other.lowest) ? candidate : nil
  }

  /// The range, for people.
  public var description: String { lowest == highest ? "\(lowest)" : "\(lowest) to \(highest)" }
}
