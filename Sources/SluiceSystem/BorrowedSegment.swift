import CSluice
import Glibc
import SystemPackage

/// A segment of another process, mapped read-only.
///
/// Its owner may change the bytes at any time: load what you check once, and copy what you keep. It cannot truncate
/// them, though: a segment is refused unless it is sealed, so that no access within ``byteCount`` can fault.
///
/// A *named* segment, which is taken only on demand, has no seals: its owner is trusted not to truncate it.
///
/// The mapping stays until the last reference goes, even if the owner dies. The descriptor is not kept. A forked child
/// does not inherit the mapping.
///
/// Threads: immutable, safe from any thread.
@safe public final class BorrowedSegment: Sendable {
  /// What its owner calls it; for people.
  public let name: String
  /// The size, which cannot change any more.
  public let byteCount: Int
  /// The kind of kernel object.
  public let backing: SegmentBacking
  /// Which object it is: the same at both ends.
  public let identity: SegmentIdentity
  /// The object's inode number: the same at both ends.
  public var inode: UInt64 { identity.inode }
  /// The first byte. Valid as long as the segment lives.
  @unsafe public nonisolated(unsafe) let baseAddress: UnsafeRawPointer
  /// Whether it stands for the mapping of another object of this class, which somebody else than its owner has shown.
  public let isShared: Bool
  private let mapping: SharedMapping
  private let keeper: (any AnyObject & Sendable)?

  /// A mapping that several objects of this class may stand for.
  private final class SharedMapping: Sendable {
    let mapping: SegmentMapping
    init(_ mapping: consuming SegmentMapping) { self.mapping = mapping }
  }

  /// Maps what a peer has sent, once it has proved to be what is demanded, and of the announced size.
  ///
  /// Throws ``SegmentError/notSealable(name:)``, ``SegmentError/unsealed(name:found:required:)``,
  /// ``SegmentError/notSharedMemory(name:)``, ``SegmentError/wrongOwner(name:found:expected:)``,
  /// ``SegmentError/wrongMode(name:found:expected:)`` and ``SegmentError/wrongByteCount(name:found:announced:)`` when
  /// it is not, and ``SegmentError/system(name:_:)`` when the kernel refuses the mapping. Four system calls.
  public convenience init(
    _ handle: Handle, name: String, byteCount: Int, demanding demand: SegmentDemand = .sealed,
    options: SegmentOptions = []
  ) throws(SegmentError) {
    try self.init(checking: handle, name: name, byteCount: byteCount, demand: demand) {
      (descriptor) throws(SystemError) in
      try SegmentMapping.make(descriptor, byteCount: byteCount, alignment: 1, writable: false, options: options)
    }
  }

  /// The same memory under the same mapping, for another list of segments: each tells by its own object what is in use.
  /// Keeps `keeper` as long.
  ///
  /// - Parameter isShared: False for an object in the place of `other`.
  public init(
    sharing other: BorrowedSegment, keeping keeper: (any AnyObject & Sendable)? = nil, isShared: Bool = true
  ) {
    self.isShared = isShared
    self.keeper = keeper
    name = other.name
    byteCount = other.byteCount
    backing = other.backing
    identity = other.identity
    mapping = other.mapping
    unsafe baseAddress = unsafe other.baseAddress
  }

  /// Maps what a peer has sent as above, the bytes from `offset` on a second time directly behind its end. Both numbers
  /// must be multiples of the page size, `offset` the lesser one. Six system calls.
  public convenience init(
    _ handle: Handle, name: String, byteCount: Int, mirroredFrom offset: Int
  ) throws(SegmentError) {
    guard Segment.canMirror(byteCount, from: offset) else { throw .invalidByteCount(name: name, byteCount) }
    try self.init(checking: handle, name: name, byteCount: byteCount, demand: .sealed) {
      (descriptor) throws(SystemError) in
      try SegmentMapping.makeMirrored(descriptor, byteCount: byteCount, from: offset, writable: false)
    }
  }

  private init(
    checking handle: Handle, name: String, byteCount: Int, demand: SegmentDemand,
    map: (FileDescriptor) throws(SystemError) -> SegmentMapping
  ) throws(SegmentError) {
    guard byteCount > 0 else { throw .invalidByteCount(name: name, byteCount) }
    let descriptor = handle.descriptor
    if demand == .sealed { try Self.checkSeals(of: descriptor, name: name) }
    // Looked at after the seals, since only then can the size not change any more.
    let status: SegmentStatus
    do { status = try SegmentStatus(of: descriptor) } catch { throw .system(name: name, error) }
    switch demand {
    case .sealed:
      guard status.isRegularFile else { throw .notSealable(name: name) }
      backing = .sealedMemory
    case .named(let owner, let access):
      // Files that live in memory answer for seals, all others don't.
      guard status.isRegularFile, sluice_get_seals(descriptor.rawValue) >= 0 else {
        throw .notSharedMemory(name: name)
      }
      guard status.owner == owner else { throw .wrongOwner(name: name, found: status.owner, expected: owner) }
      guard status.permissions == access.rawValue else {
        throw .wrongMode(name: name, found: status.permissions, expected: access)
      }
      backing = .named(access)
    }
    guard status.byteCount == byteCount else {
      throw .wrongByteCount(name: name, found: status.byteCount, announced: byteCount)
    }
    do {
      mapping = SharedMapping(try map(descriptor))
    } catch {
      throw SegmentError(name, error)
    }
    // Sound: this object keeps the mapping.
    unsafe baseAddress = UnsafeRawPointer(mapping.mapping.base)
    identity = status.identity
    isShared = false
    keeper = nil
    self.name = name
    self.byteCount = byteCount
  }

  private static func checkSeals(of descriptor: FileDescriptor, name: String) throws(SegmentError) {
    let result = sluice_get_seals(descriptor.rawValue)
    if result == -EINVAL { throw .notSealable(name: name) }
    guard result >= 0 else {
      throw .system(name: name, SystemError(operation: "fcntl", negated: result, detail: "F_GET_SEALS"))
    }
    let seals = SegmentSeals(rawValue: result)
    guard seals.isSuperset(of: .required) else {
      throw .unsealed(name: name, found: seals, required: .required)
    }
  }
}
