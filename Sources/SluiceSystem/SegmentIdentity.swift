import Glibc
import SystemPackage

/// Which shared-memory object a segment is, on this machine and as long as it lives: the same at both ends.
public struct SegmentIdentity: Hashable, Sendable {
  /// The number of the file system.
  public let device: UInt64
  /// The number of the object in it.
  public let inode: UInt64

  /// The identity with these numbers.
  public init(device: UInt64, inode: UInt64) {
    self.device = device
    self.inode = inode
  }
}

/// What fstat(2) says of a descriptor that should be a segment.
struct SegmentStatus {
  let isRegularFile: Bool
  let byteCount: Int
  let identity: SegmentIdentity
  let owner: UInt32
  /// The nine bits of the mode.
  let permissions: UInt16
  /// What memory it takes; what was swapped out counts too.
  let residentByteCount: Int

  init(of descriptor: FileDescriptor) throws(SystemError) {
    var status = stat()
    guard unsafe fstat(descriptor.rawValue, &status) == 0 else {
      throw SystemError(operation: "fstat", errno: Errno(rawValue: errno))
    }
    isRegularFile = status.st_mode & S_IFMT == S_IFREG
    byteCount = Int(status.st_size)
    identity = SegmentIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    owner = status.st_uid
    permissions = UInt16(truncatingIfNeeded: status.st_mode & 0o777)
    residentByteCount = Int(status.st_blocks) * 512
  }
}

/// The kernel's page size in bytes.
let systemPageByteCount = Int(sysconf(Int32(_SC_PAGESIZE)))

extension Int {
  /// This byte count, at most `Int.max` less two pages, in whole pages.
  var roundedUpToSystemPage: Int { (self + systemPageByteCount - 1) / systemPageByteCount * systemPageByteCount }
}
