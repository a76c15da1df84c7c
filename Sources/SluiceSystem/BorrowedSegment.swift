import CSluice
import Glibc
import SystemPackage

/// A segment of another process, mapped read-only.
///
/// Its owner may change the bytes at any time: load what you check once, and copy what you keep. It cannot truncate
/// them, though: a segment is refused unless it is sealed, so that no access within ``byteCount`` can fault.
///
/// The mapping stays until the last reference goes, even if the owner dies. The descriptor is not kept. A forked child
/// does not inherit the mapping.
///
/// Threads: immutable, safe from any thread.
public final class BorrowedSegment: Sendable {
  /// What its owner calls it; for people.
  public let name: String
  /// The size, which cannot change any more.
  public let byteCount: Int
  /// The kind of kernel object.
  public let backing: SegmentBacking
  /// The object's inode number: the same at both ends.
  public let inode: UInt64
  private let mapping: SegmentMapping

  /// Maps what a peer has sent, once it has proved to be a sealed memfd of the announced size.
  ///
  /// Throws ``SegmentError/notSealable(name:)``, ``SegmentError/unsealed(name:found:required:)`` and
  /// ``SegmentError/wrongByteCount(name:found:announced:)`` when it is not, and ``SegmentError/system(name:_:)`` when
  /// the kernel refuses the mapping. Four system calls.
  public convenience init(_ handle: Handle, name: String, byteCount: Int) throws(SegmentError) {
    try self.init(checking: handle, name: name, byteCount: byteCount) { (descriptor) throws(SystemError) in
      try SegmentMapping.make(descriptor, byteCount: byteCount, alignment: 1, writable: false)
    }
  }

  /// Maps what a peer has sent as above, the bytes from `offset` on a second time directly behind its end. Both numbers
  /// must be multiples of the page size, `offset` the lesser one. Six system calls.
  public convenience init(
    _ handle: Handle, name: String, byteCount: Int, mirroredFrom offset: Int
  ) throws(SegmentError) {
    guard Segment.canMirror(byteCount, from: offset) else { throw .invalidByteCount(name: name, byteCount) }
    try self.init(checking: handle, name: name, byteCount: byteCount) { (descriptor) throws(SystemError) in
      try SegmentMapping.makeMirrored(descriptor, byteCount: byteCount, from: offset, writable: false)
    }
  }

  private init(
    checking handle: Handle, name: String, byteCount: Int,
    map: (FileDescriptor) throws(SystemError) -> SegmentMapping
  ) throws(SegmentError) {
    guard byteCount > 0 else { throw .invalidByteCount(name: name, byteCount) }
    let descriptor = handle.descriptor
    let result = sluice_get_seals(descriptor.rawValue)
    if result == -EINVAL { throw .notSealable(name: name) }
    guard result >= 0 else {
      throw .system(name: name, SystemError(operation: "fcntl", negated: result, detail: "F_GET_SEALS"))
    }
    let seals = SegmentSeals(rawValue: result)
    guard seals.isSuperset(of: .required) else {
      throw .unsealed(name: name, found: seals, required: .required)
    }
    // Looked at after the seals, since only then can the size not change any more.
    let identity: SegmentIdentity
    do { identity = try SegmentIdentity(of: descriptor) } catch { throw .system(name: name, error) }
    guard identity.isRegularFile else { throw .notSealable(name: name) }
    guard identity.byteCount == byteCount else {
      throw .wrongByteCount(name: name, found: identity.byteCount, announced: byteCount)
    }
    do {
      mapping = try map(descriptor)
    } catch {
      throw .system(name: name, error)
    }
    inode = identity.inode
    self.name = name
    self.byteCount = byteCount
    backing = .sealedMemory
  }

  /// The first byte. Valid as long as the segment lives.
  @unsafe public var baseAddress: UnsafeRawPointer { unsafe UnsafeRawPointer(mapping.base) }
}
