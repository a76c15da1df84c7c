import CSluice
import Glibc
import SystemPackage

/// A segment of shared memory, seen by its owner: mapped writable here, and read-only for everybody else.
///
/// It is a memfd of fixed size that was sealed (shrink, grow, future-write, seal) once it was mapped. From then on
/// nobody, at any uid, can write, truncate or punch it through its descriptor: only this mapping writes. Pass
/// ``handle`` to a peer, who makes a ``BorrowedSegment`` of it. A forked child does not inherit the mapping.
///
/// Pages are zero and take no memory until they are touched; a reader's touch counts too. The memory is released when
/// the last mapping and descriptor are gone, in all processes.
///
/// Threads: immutable, safe from any thread; what stands in the memory is for its users to mind.
public final class Segment: Sendable {
  /// The name, as it shows in `/proc/<pid>/maps` (`/memfd:<name>`).
  public let name: String
  /// The size that was asked for.
  public let byteCount: Int
  /// The kind of kernel object.
  public let backing: SegmentBacking
  /// The descriptor to pass to borrowers.
  public let handle: Handle
  /// The object's inode number: the same at both ends.
  public let inode: UInt64
  private let mapping: SegmentMapping

  private init(
    name: String, byteCount: Int, backing: SegmentBacking, handle: Handle, inode: UInt64,
    mapping: consuming SegmentMapping
  ) {
    self.name = name
    self.byteCount = byteCount
    self.backing = backing
    self.handle = handle
    self.inode = inode
    self.mapping = mapping
  }

  /// Makes a sealed, zeroed segment and maps it: six system calls.
  /// - Parameters:
  ///   - name: 1 to 249 bytes, for people: it need not be unique.
  ///   - byteCount: at least 1; the kernel rounds memory up to whole pages, the size stays exact.
  ///   - alignment: of the mapping's address, a power of two; a page at least.
  public static func create(name: String, byteCount: Int, alignment: Int = 1) throws(SegmentError) -> Segment {
    try create(name: name, byteCount: byteCount) { (descriptor) throws(SystemError) in
      try SegmentMapping.make(descriptor, byteCount: byteCount, alignment: alignment, writable: true)
    }
  }

  /// Makes a sealed, zeroed segment whose bytes from `offset` on are mapped a second time directly behind its end, so
  /// that a ring there never wraps. Eight system calls.
  /// - Parameters:
  ///   - name: as above.
  ///   - byteCount: a multiple of the page size.
  ///   - offset: where the mirrored part begins: a multiple of the page size below `byteCount`.
  public static func create(
    name: String, byteCount: Int, mirroredFrom offset: Int
  ) throws(SegmentError) -> Segment {
    guard canMirror(byteCount, from: offset) else { throw .invalidByteCount(name: name, byteCount) }
    return try create(name: name, byteCount: byteCount) { (descriptor) throws(SystemError) in
      try SegmentMapping.makeMirrored(descriptor, byteCount: byteCount, from: offset, writable: true)
    }
  }

  /// The size of a page of memory in bytes.
  public static var pageByteCount: Int { systemPageByteCount }

  /// Whether a part of a segment can be mapped twice: in whole pages only.
  static func canMirror(_ byteCount: Int, from offset: Int) -> Bool {
    byteCount > 0 && (0..<byteCount).contains(offset) && byteCount % systemPageByteCount == 0
      && offset % systemPageByteCount == 0
  }

  private static func create(
    name: String, byteCount: Int, map: (FileDescriptor) throws(SystemError) -> SegmentMapping
  ) throws(SegmentError) -> Segment {
    guard (1...249).contains(name.utf8.count), !name.utf8.contains(0) else { throw .invalidName(name) }
    guard byteCount > 0 else { throw .invalidByteCount(name: name, byteCount) }
    do {
      let handle = try createMemory(name: name)
      let descriptor = handle.descriptor
      try systemCall("ftruncate", "\(byteCount) bytes") { sluice_ftruncate(descriptor.rawValue, Int64(byteCount)) }
      let mapping = try map(descriptor)
      try systemCall("fcntl", "F_ADD_SEALS") { sluice_add_seals(descriptor.rawValue, SegmentSeals.required.rawValue) }
      let inode = try SegmentIdentity(of: descriptor).inode
      return Segment(
        name: name, byteCount: byteCount, backing: .sealedMemory, handle: handle, inode: inode, mapping: mapping)
    } catch {
      throw .system(name: name, error)
    }
  }

  /// The first byte. Valid as long as the segment lives.
  @unsafe public var baseAddress: UnsafeMutableRawPointer { unsafe mapping.base }

  /// Makes an empty memfd that can be sealed, and cannot be executed where the kernel knows that seal (Linux 6.3).
  private static func createMemory(name: String) throws(SystemError) -> Handle {
    let flags = SLUICE_MFD_CLOEXEC | SLUICE_MFD_ALLOW_SEALING
    var result = unsafe sluice_memfd_create(name, flags | SLUICE_MFD_NOEXEC_SEAL)
    if result == -EINVAL { result = unsafe sluice_memfd_create(name, flags) }
    return try Handle.owning("memfd_create", name) { result }
  }
}
