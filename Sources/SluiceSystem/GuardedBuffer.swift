import CSluice
import Glibc
import SystemPackage

/// Private memory between two pages that fault on any access, so that an overrun cannot go unnoticed.
///
/// Pages get memory when they are first touched. Not thread-safe: the owner serialises.
@safe public final class GuardedBuffer: @unchecked Sendable {
  private let mapping: UnsafeMutableRawPointer
  private let mappingByteCount: Int
  private let pageByteCount: Int
  /// The usable bytes, page-aligned, zero at first. Valid while this object lives.
  @unsafe public let bytes: UnsafeMutableRawBufferPointer

  /// Maps a buffer. The corresponding C functions are `mmap` and `mprotect`.
  ///
  /// - Parameter byteCount: At least 1; rounded up to whole pages.
  public init(byteCount: Int) throws(SystemError) {
    let page = Int(getpagesize())
    let (padded, overflow) = max(byteCount, 1).addingReportingOverflow(3 * page - 1)
    guard !overflow else { throw SystemError(operation: "mmap", errno: .noMemory, detail: "\(byteCount) bytes") }
    let total = padded / page * page
    var address: UnsafeMutableRawPointer?
    // Sound: a fresh anonymous mapping, of which only the middle becomes accessible.
    try systemCall("mmap", "\(total) bytes") {
      unsafe sluice_mmap(
        nil, total, SLUICE_PROT_NONE, SLUICE_MAP_PRIVATE | SLUICE_MAP_ANONYMOUS | SLUICE_MAP_NORESERVE, -1, 0, &address)
    }
    guard let address = unsafe address else {
      throw SystemError(operation: "mmap", errno: .noMemory, detail: "\(total) bytes")
    }
    let usable = total - 2 * page
    let result = unsafe sluice_mprotect(address + page, usable, SLUICE_PROT_READ | SLUICE_PROT_WRITE)
    guard result == 0 else {
      unsafe _ = sluice_munmap(address, total)
      throw SystemError(operation: "mprotect", negated: result, detail: "\(usable) bytes")
    }
    unsafe mapping = address
    mappingByteCount = total
    pageByteCount = page
    unsafe bytes = UnsafeMutableRawBufferPointer(start: address + page, count: usable)
  }

  deinit {
    _ = unsafe sluice_munmap(mapping, mappingByteCount)
  }

  /// Gives the memory of all whole pages from `offset` on back to the kernel; they read as zero.
  public func discard(from offset: Int) {
    let start = (max(offset, 0) + pageByteCount - 1) / pageByteCount * pageByteCount
    guard unsafe start < bytes.count else { return }
    _ = unsafe sluice_madvise(mapping + pageByteCount + start, bytes.count - start, SLUICE_MADV_DONTNEED)
  }
}
