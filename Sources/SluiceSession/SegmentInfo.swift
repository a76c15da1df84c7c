import SluiceMemory
import SluiceSystem

/// What a session says about one of its segments.
public struct SegmentInfo: Sendable, Hashable {
  /// `sluice.<server>.<session>.<role>.<n>`; instead of the session's name `all` for a server-wide one.
  public let name: String
  /// What kind of shared-memory object it is.
  public let backing: SegmentBacking
  /// Who may map it.
  public let scope: MemoryScope
  /// Its size in bytes.
  public let byteCount: Int
  /// Whether the other end owns it, and it is mapped here for reading only, unless both ends may write to it.
  public let isBorrowed: Bool
  /// Whether both ends may write to it. Then it is sealed against changes of its size alone.
  public let isReadWrite: Bool

  init(
    name: String, backing: SegmentBacking = .sealedMemory, scope: MemoryScope, byteCount: Int, isBorrowed: Bool,
    isReadWrite: Bool = false
  ) {
    self.name = name
    self.backing = backing
    self.scope = scope
    self.byteCount = byteCount
    self.isBorrowed = isBorrowed
    self.isReadWrite = isReadWrite
  }

  init(_ segment: Segment, scope: MemoryScope) {
    self.init(
      name: segment.name, backing: segment.backing, scope: scope, byteCount: segment.byteCount, isBorrowed: false)
  }
}
