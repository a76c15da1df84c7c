import Glibc
import SystemPackage

/// What fstat(2) says of a descriptor that should be a segment.
struct SegmentIdentity {
  let isRegularFile: Bool
  let byteCount: Int
  let inode: UInt64

  init(of descriptor: FileDescriptor) throws(SystemError) {
    var status = stat()
    guard unsafe fstat(descriptor.rawValue, &status) == 0 else {
      throw SystemError(operation: "fstat", errno: Errno(rawValue: errno))
    }
    isRegularFile = status.st_mode & S_IFMT == S_IFREG
    byteCount = Int(status.st_size)
    inode = UInt64(status.st_ino)
  }
}

/// The kernel's page size in bytes.
let systemPageByteCount = Int(sysconf(Int32(_SC_PAGESIZE)))

extension Int {
  /// This byte count, at most `Int.max` less two pages, in whole pages.
  var roundedUpToSystemPage: Int { (self + systemPageByteCount - 1) / systemPageByteCount * systemPageByteCount }
}
