/// What kind of kernel object a segment is.
public enum SegmentBacking: Hashable, Sendable, CustomStringConvertible {
  /// A memfd: it has no path, cannot be left over, and is sealed so that only its owner can write it, at any uid.
  case sealedMemory
  /// A POSIX segment with a path under `/dev/shm`, and who may open it. It cannot be sealed: whoever may write to it, can.
  case named(SegmentAccess)

  /// Who may open it by its path; nil for one without.
  public var access: SegmentAccess? {
    switch self {
    case .sealedMemory: nil
    case .named(let access): access
    }
  }

  /// For people.
  public var description: String {
    switch self {
    case .sealedMemory: "sealed memfd"
    case .named(let access): "named, mode \(access)"
    }
  }
}

/// Seals of a memfd, as `fcntl(F_GET_SEALS)` reports them; see fcntl(2), "File Sealing".
public struct SegmentSeals: OptionSet, Hashable, Sendable, CustomStringConvertible {
  /// The kernel's bits.
  public let rawValue: Int32

  /// Any set of seals, those without a name here included.
  public init(rawValue: Int32) { self.rawValue = rawValue }

  /// No further seal can be added.
  public static let seal = SegmentSeals(rawValue: 0x01)
  /// The size cannot shrink, hence no reader meets a truncated page.
  public static let shrink = SegmentSeals(rawValue: 0x02)
  /// The size cannot grow.
  public static let grow = SegmentSeals(rawValue: 0x04)
  /// Nobody can write.
  public static let write = SegmentSeals(rawValue: 0x08)
  /// Nobody can write but through mappings that were there before the seal: the owner's.
  public static let futureWrite = SegmentSeals(rawValue: 0x10)

  /// What Sluice puts on its own segments and demands of others.
  public static let required: SegmentSeals = [.seal, .shrink, .grow, .futureWrite]

  /// The seals' names, for people.
  public var description: String {
    let names: [(SegmentSeals, String)] = [
      (.seal, "SEAL"), (.shrink, "SHRINK"), (.grow, "GROW"), (.write, "WRITE"), (.futureWrite, "FUTURE_WRITE"),
    ]
    let present = names.filter { contains($0.0) }.map(\.1)
    return present.isEmpty ? "none" : present.joined(separator: "|")
  }
}
