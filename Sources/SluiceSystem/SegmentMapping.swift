import CSluice
import SystemPackage

/// One shared mapping of a descriptor, not inherited by forked children; unmapped when the value dies.
///
/// Safe to hold: the memory behind `base` stays mapped exactly as long as the value lives. What stands there is for the
/// holder to mind.
@safe struct SegmentMapping: ~Copyable, @unchecked Sendable {
  let base: UnsafeMutableRawPointer
  let byteCount: Int

  /// Maps the first `byteCount` bytes at a multiple of `alignment`, a power of two.
  static func make(
    _ descriptor: FileDescriptor, byteCount: Int, alignment: Int, writable: Bool
  ) throws(SystemError) -> SegmentMapping {
    let protection = writable ? SLUICE_PROT_READ | SLUICE_PROT_WRITE : SLUICE_PROT_READ
    let base = try unsafe map(descriptor, byteCount: byteCount, alignment: alignment, protection: protection)
    // Owned from here on, so that the mapping goes if the advice fails.
    let mapping = unsafe SegmentMapping(base: base, byteCount: byteCount)
    // A child that inherited the mapping would keep the memory alive, and could write the owner's.
    try systemCall("madvise", "MADV_DONTFORK") { unsafe sluice_madvise(base, byteCount, SLUICE_MADV_DONTFORK) }
    return mapping
  }

  private init(base: UnsafeMutableRawPointer, byteCount: Int) {
    unsafe self.base = unsafe base
    self.byteCount = byteCount
  }

  deinit {
    // Cannot fail for a range that was mapped in one piece; were it to, the range would just stay.
    _ = unsafe sluice_munmap(base, byteCount)
  }

  @unsafe private static func map(
    _ descriptor: FileDescriptor, byteCount: Int, alignment: Int, protection: Int32
  ) throws(SystemError) -> UnsafeMutableRawPointer {
    guard alignment > systemPageByteCount else {
      return try unsafe map(nil, byteCount, protection, SLUICE_MAP_SHARED, descriptor.rawValue)
    }
    // Reserve room for an aligned range, map over it, give the rest back.
    let (reserved, overflow) = byteCount.roundedUpToSystemPage.addingReportingOverflow(alignment)
    guard !overflow else { throw SystemError(operation: "mmap", errno: .noMemory) }
    let start = try unsafe map(
      nil, reserved, SLUICE_PROT_NONE, SLUICE_MAP_PRIVATE | SLUICE_MAP_ANONYMOUS | SLUICE_MAP_NORESERVE, -1)
    let head = (alignment - Int(bitPattern: start) % alignment) % alignment
    let base = unsafe start + head
    do {
      _ = try unsafe map(base, byteCount, protection, SLUICE_MAP_SHARED | SLUICE_MAP_FIXED, descriptor.rawValue)
    } catch {
      _ = unsafe sluice_munmap(start, reserved)
      throw error
    }
    if head > 0 { _ = unsafe sluice_munmap(start, head) }
    let used = head + byteCount.roundedUpToSystemPage
    _ = unsafe sluice_munmap(start + used, reserved - used)
    return unsafe base
  }

  @unsafe private static func map(
    _ hint: UnsafeMutableRawPointer?, _ byteCount: Int, _ protection: Int32, _ flags: Int32, _ descriptor: Int32
  ) throws(SystemError) -> UnsafeMutableRawPointer {
    var address: UnsafeMutableRawPointer?
    try systemCall("mmap", "\(byteCount) bytes") {
      unsafe sluice_mmap(hint, byteCount, protection, flags, descriptor, 0, &address)
    }
    guard let address = unsafe address else {
      preconditionFailure("mmap without a hint never answers with address 0")
    }
    return unsafe address
  }
}
