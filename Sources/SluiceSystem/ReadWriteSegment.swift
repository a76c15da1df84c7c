import CSluice
import Glibc
import SystemPackage

/// A segment of shared memory that every process with its descriptor may write to: for apps that trust each other.
///
/// It is a memfd of fixed size, sealed against shrinking, growing and further seals, so that nobody can truncate it under
/// somebody else. Everything else a writer may do. Each process opens the file anew, so that its locks on bytes
/// (``tryLock(byte:)``) are its own, and go when it dies. A forked child does not inherit the mapping.
///
/// Threads: immutable, safe from any thread; what stands in the memory is for its users to mind.
public final class ReadWriteSegment: Sendable {
  /// What it is called; for people.
  public let name: String
  /// The size, which cannot change.
  public let byteCount: Int
  /// Which object it is: the same in every process.
  public let identity: SegmentIdentity
  /// The descriptor to pass to other processes. It carries no lock.
  public let handle: Handle
  /// An open file of this object alone: closing it lets go of its locks.
  private let ownFile: Handle
  private let mapping: SegmentMapping

  /// The seals that such a segment has.
  public static let requiredSeals: SegmentSeals = [.seal, .shrink, .grow]

  /// Makes a zeroed segment and maps it.
  /// - Parameters:
  ///   - name: 1 to 249 bytes, for people: it need not be unique.
  ///   - byteCount: at least 1.
  public static func create(name: String, byteCount: Int) throws(SegmentError) -> ReadWriteSegment {
    guard (1...249).contains(name.utf8.count), !name.utf8.contains(0) else { throw .invalidName(name) }
    guard byteCount > 0 else { throw .invalidByteCount(name: name, byteCount) }
    do {
      let handle = try Segment.createMemory(name: name)
      let descriptor = handle.descriptor
      try systemCall("ftruncate", "\(byteCount) bytes") { sluice_ftruncate(descriptor.rawValue, Int64(byteCount)) }
      try systemCall("fcntl", "F_ADD_SEALS") { sluice_add_seals(descriptor.rawValue, requiredSeals.rawValue) }
      return try ReadWriteSegment(checked: handle, name: name, byteCount: byteCount)
    } catch {
      throw SegmentError(name, error)
    }
  }

  /// Maps what another process has sent, once it has proved to be a memfd of fixed size that may be written to.
  ///
  /// - Throws: ``SegmentError/notSealable(name:)``, ``SegmentError/unsealed(name:found:required:)``, and
  ///   ``SegmentError/system(name:_:)`` when the kernel refuses the mapping: `EPERM` for one that is sealed against writing.
  public convenience init(_ handle: Handle) throws(SegmentError) {
    let name = Self.name(of: handle.descriptor)
    let result = sluice_get_seals(handle.descriptor.rawValue)
    if result == -EINVAL { throw .notSealable(name: name) }
    guard result >= 0 else {
      throw .system(name: name, SystemError(operation: "fcntl", negated: result, detail: "F_GET_SEALS"))
    }
    let seals = SegmentSeals(rawValue: result)
    guard seals.isSuperset(of: Self.requiredSeals) else {
      throw .unsealed(name: name, found: seals, required: Self.requiredSeals)
    }
    // Looked at after the seals, since only then can the size not change any more.
    let status: SegmentStatus
    do { status = try SegmentStatus(of: handle.descriptor) } catch { throw SegmentError(name, error) }
    guard status.isRegularFile else { throw .notSealable(name: name) }
    guard status.byteCount > 0 else { throw .invalidByteCount(name: name, status.byteCount) }
    do {
      try self.init(checked: handle, name: name, byteCount: status.byteCount)
    } catch {
      throw SegmentError(name, error)
    }
  }

  /// What its maker called it, as the kernel tells: `/memfd:<name> (deleted)`.
  private static func name(of descriptor: FileDescriptor) -> String {
    let path = "/proc/self/fd/\(descriptor.rawValue)"
    return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
      // Sound: the call writes at most the buffer's count, and returns how many bytes it wrote.
      let count = unsafe buffer.baseAddress.map { unsafe readlink(path, $0, buffer.count) } ?? 0
      guard count > 0 else { return path }
      let target = unsafe String(decoding: UnsafeRawBufferPointer(buffer).prefix(count), as: UTF8.self)
      guard target.hasPrefix("/memfd:"), target.hasSuffix(" (deleted)") else { return target }
      return String(target.dropFirst("/memfd:".count).dropLast(" (deleted)".count))
    }
  }

  private init(checked handle: Handle, name: String, byteCount: Int) throws(SystemError) {
    self.name = name
    self.byteCount = byteCount
    self.handle = handle
    identity = try SegmentStatus(of: handle.descriptor).identity
    ownFile = try Handle.open(FilePath("/proc/self/fd/\(handle.descriptor.rawValue)"), .readWrite)
    mapping = try SegmentMapping.make(ownFile.descriptor, byteCount: byteCount, alignment: 1, writable: true)
  }

  /// The first byte. Valid as long as the segment lives.
  @unsafe public var baseAddress: UnsafeMutableRawPointer { unsafe mapping.base }

  /// Locks a byte for this object; false if another has it locked. The lock goes with the object, and with the process,
  /// however that ends, unless a child that it forked has inherited the open file. The corresponding C call is
  /// `fcntl(F_OFD_SETLK)`.
  public func tryLock(byte offset: Int) throws(SystemError) -> Bool {
    let result = retryingInterrupts { sluice_lock_byte(ownFile.descriptor.rawValue, Int64(offset)) }
    if result == -EAGAIN || result == -EACCES { return false }
    if result < 0 { throw SystemError(operation: "fcntl", negated: result, detail: "F_OFD_SETLK, byte \(offset)") }
    return true
  }

  /// Whether another object, of this process or another, has the byte locked. The corresponding C call is
  /// `fcntl(F_OFD_GETLK)`.
  public func isLockedByOther(byte offset: Int) throws(SystemError) -> Bool {
    try systemCall("fcntl", "F_OFD_GETLK, byte \(offset)") {
      sluice_is_byte_locked(ownFile.descriptor.rawValue, Int64(offset))
    } != 0
  }
}
