import CSluice
import Glibc
import SystemPackage

/// A segment of shared memory, seen by its owner: mapped writable here, and read-only for everybody else.
///
/// By default it is a memfd of fixed size that was sealed (shrink, grow, future-write, seal) once it was mapped. From then
/// on nobody, at any uid, can write, truncate or punch it through its descriptor: only this mapping writes. A *named*
/// segment stands in `/dev/shm` instead, cannot be sealed, and is for apps that trust each other. Pass ``handle`` to a
/// peer, who makes a ``BorrowedSegment`` of it. A forked child does not inherit the mapping.
///
/// Pages are zero. Those of a memfd take no memory until they are touched, by a reader too; those of a named segment
/// take it from the start. The memory is released when the last mapping and descriptor are gone, in all processes; the
/// name goes with this object.
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
  /// Which object it is: the same at both ends.
  public let identity: SegmentIdentity
  /// The object's inode number: the same at both ends.
  public var inode: UInt64 { identity.inode }
  private let mapping: SegmentMapping
  /// The name in the file system, if it has one.
  private let file: NamedSegments.File?

  private init(
    name: String, byteCount: Int, backing: SegmentBacking, handle: Handle, identity: SegmentIdentity,
    mapping: consuming SegmentMapping, file: NamedSegments.File? = nil
  ) {
    self.name = name
    self.byteCount = byteCount
    self.backing = backing
    self.handle = handle
    self.identity = identity
    self.mapping = mapping
    self.file = file
  }

  /// Makes a zeroed segment and maps it: six system calls for a sealed one.
  /// - Parameters:
  ///   - name: 1 to 249 bytes, for people: it need not be unique. That of a named segment is the set's prefix, a dot, and
  ///     a number.
  ///   - byteCount: at least 1; the kernel rounds memory up to whole pages, the size stays exact.
  ///   - alignment: of the mapping's address, a power of two; a page at least.
  ///   - place: in a sealed memfd, or under a name.
  ///   - options: what else to ask of the kernel.
  /// - Throws: ``SegmentError``, among them ``SegmentError/sharedMemoryFull(name:requested:limit:available:)``.
  public static func create(
    name: String, byteCount: Int, alignment: Int = 1, in place: SegmentPlace = .sealedMemory,
    options: SegmentOptions = []
  ) throws(SegmentError) -> Segment {
    switch place {
    case .sealedMemory:
      try create(name: name, byteCount: byteCount) { (descriptor) throws(SystemError) in
        try SegmentMapping.make(
          descriptor, byteCount: byteCount, alignment: alignment, writable: true, options: options)
      }
    case .named(let names):
      try create(name: name, byteCount: byteCount, alignment: alignment, among: names, options: options)
    }
  }

  private static func create(
    name: String, byteCount: Int, alignment: Int, among names: NamedSegments, options: SegmentOptions
  ) throws(SegmentError) -> Segment {
    try check(name: name, byteCount: byteCount)
    let (file, handle) = try names.makeFile(name: name, byteCount: byteCount)
    do {
      let mapping = try SegmentMapping.make(
        handle.descriptor, byteCount: byteCount, alignment: alignment, writable: true, options: options)
      let identity = try SegmentStatus(of: handle.descriptor).identity
      return Segment(
        name: name, byteCount: byteCount, backing: .named(names.access),
        handle: try NamedSegments.openForReading(name), identity: identity, mapping: mapping, file: file)
    } catch {
      throw SegmentError(name, error)
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
    try check(name: name, byteCount: byteCount)
    do {
      let handle = try createMemory(name: name)
      let descriptor = handle.descriptor
      try systemCall("ftruncate", "\(byteCount) bytes") { sluice_ftruncate(descriptor.rawValue, Int64(byteCount)) }
      let mapping = try map(descriptor)
      try systemCall("fcntl", "F_ADD_SEALS") { sluice_add_seals(descriptor.rawValue, SegmentSeals.required.rawValue) }
      let identity = try SegmentStatus(of: descriptor).identity
      return Segment(
        name: name, byteCount: byteCount, backing: .sealedMemory, handle: handle, identity: identity, mapping: mapping)
    } catch {
      throw SegmentError(name, error)
    }
  }

  private static func check(name: String, byteCount: Int) throws(SegmentError) {
    guard (1...249).contains(name.utf8.count), !name.utf8.contains(0) else { throw .invalidName(name) }
    guard byteCount > 0 else { throw .invalidByteCount(name: name, byteCount) }
  }

  /// How many bytes of memory it takes: the pages that somebody has touched. One system call.
  public var residentByteCount: Int { (try? SegmentStatus(of: handle.descriptor).residentByteCount) ?? 0 }

  /// The first byte. Valid as long as the segment lives.
  @unsafe public var baseAddress: UnsafeMutableRawPointer { unsafe mapping.base }

  /// Makes an empty memfd that can be sealed, and cannot be executed where the kernel knows that seal (Linux 6.3).
  static func createMemory(name: String) throws(SystemError) -> Handle {
    let flags = SLUICE_MFD_CLOEXEC | SLUICE_MFD_ALLOW_SEALING
    var result = unsafe sluice_memfd_create(name, flags | SLUICE_MFD_NOEXEC_SEAL)
    if result == -EINVAL { result = unsafe sluice_memfd_create(name, flags) }
    return try Handle.owning("memfd_create", name) { result }
  }
}
