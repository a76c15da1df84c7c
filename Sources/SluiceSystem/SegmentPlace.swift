import SystemPackage

/// Where a new segment is to stand.
public enum SegmentPlace: Sendable {
  /// In a sealed memfd, without a path. The default: it needs no trust and no clean-up.
  case sealedMemory
  /// In `/dev/shm`, under a name of this set. For apps that trust each other.
  case named(NamedSegments)

  /// The kind of kernel object that stands there.
  public var backing: SegmentBacking {
    switch self {
    case .sealedMemory: .sealedMemory
    case .named(let names): .named(names.access)
    }
  }
}

/// Who may open a named segment by its path.
public enum SegmentAccess: UInt16, Hashable, Sendable, CaseIterable, CustomStringConvertible {
  /// The owner's user: mode 0600.
  case owner = 0o600
  /// The owner's group too: mode 0660.
  case group = 0o660
  /// Everybody: mode 0666.
  case everyone = 0o666

  /// The mode of the file, whatever the umask.
  public var permissions: FilePermissions { FilePermissions(rawValue: CModeT(rawValue)) }
  /// The mode, in octal digits.
  public var description: String { "0" + String(rawValue, radix: 8) }
}

/// What a borrower demands of the memory that a peer sends.
public enum SegmentDemand: Hashable, Sendable {
  /// A memfd that carries ``SegmentSeals/required``.
  case sealed
  /// Shared memory of that user with exactly that mode. It is not sealed: its owner is trusted not to truncate it.
  case named(owner: UInt32, access: SegmentAccess)
}
