import CSluice
import SystemPackage

/// One shared mapping of a descriptor, not inherited by forked children; unmapped when the value dies.
///
/// Safe to hold: the memory behind `base` stays mapped exactly as long as the value lives. What stands there is for the
/// holder to mind.
@safe struct SegmentMapping: ~Copyable, @unchecked Sendable {
  let base: UnsafeMutableRawPointer
  let byteCount: Int
  /// The size of the whole mapping: more than `byteCount` when a part is mapped twice.
  private let mappedByteCount: Int

  /// Maps the first `byteCount` bytes at a multiple of `alignment`, a power of two.
  static func make(
    _ descriptor: FileDescriptor, byteCount: Int, alignment: Int, writable: Bool, options: SegmentOptions = []
  ) throws(SystemError) -> SegmentMapping {
    let protection = writable ? SLUICE_PROT_READ | SLUICE_PROT_WRITE : SLUICE_PROT_READ
    let base = try unsafe map(descriptor, byteCount: byteCount, alignment: alignment, protection: protection)
    // Owned from here on, so that the mapping goes if the advice fails.
    let mapping = unsafe SegmentMapping(base: base, byteCount: byteCount, mappedByteCount: byteCount)
    try mapping.keepFromChildren()
    if options.contains(.hugePages) { try mapping.advise(SLUICE_MADV_HUGEPAGE, "MADV_HUGEPAGE") }
    if options.contains(.prefault) {
      if writable {
        try mapping.advise(SLUICE_MADV_POPULATE_WRITE, "MADV_POPULATE_WRITE")
      } else {
        try mapping.advise(SLUICE_MADV_POPULATE_READ, "MADV_POPULATE_READ")
      }
    }
    return mapping
  }

  /// Maps the first `byteCount` bytes, and directly behind them those from `offset` on once more, so that what runs over
  /// the end of that part goes on at its beginning. Both are multiples of the page size, `offset` is less.
  static func makeMirrored(
    _ descriptor: FileDescriptor, byteCount: Int, from offset: Int, writable: Bool
  ) throws(SystemError) -> SegmentMapping {
    let (total, overflow) = byteCount.addingReportingOverflow(byteCount - offset)
    guard !overflow else { throw SystemError(operation: "mmap", errno: .noMemory) }
    let protection = writable ? SLUICE_PROT_READ | SLUICE_PROT_WRITE : SLUICE_PROT_READ
    let flags = SLUICE_MAP_SHARED | SLUICE_MAP_FIXED
    // The range is reserved first, so that the fixed mappings replace nothing but it.
    let base = try unsafe map(
      nil, total, SLUICE_PROT_NONE, SLUICE_MAP_PRIVATE | SLUICE_MAP_ANONYMOUS | SLUICE_MAP_NORESERVE, -1)
    let mapping = unsafe SegmentMapping(base: base, byteCount: byteCount, mappedByteCount: total)
    _ = try unsafe map(base, byteCount, protection, flags, descriptor.rawValue)
    _ = try unsafe map(
      base + byteCount, byteCount - offset, protection, flags, descriptor.rawValue, offset: Int64(offset))
    try mapping.keepFromChildren()
    return mapping
  }

  @unsafe private init(base: UnsafeMutableRawPointer, byteCount: Int, mappedByteCount: Int) {
    unsafe self.base = unsafe base
    self.byteCount = byteCount
    self.mappedByteCount = mappedByteCount
  }

  deinit {
    // Cannot fail for a range that is all ours; were it to, the range would just stay.
    _ = unsafe sluice_munmap(base, mappedByteCount)
  }

  /// A child that inherited the mapping would keep the memory alive, and could write the owner's.
  private borrowing func keepFromChildren() throws(SystemError) {
    try advise(SLUICE_MADV_DONTFORK, "MADV_DONTFORK")
  }

  private borrowing func advise(_ advice: Int32, _ name: String) throws(SystemError) {
    // Sound: the range is ours, and none of this advice changes what stands in it.
    try systemCall("madvise", name) { unsafe sluice_madvise(base, mappedByteCount, advice) }
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
    _ hint: UnsafeMutableRawPointer?, _ byteCount: Int, _ protection: Int32, _ flags: Int32, _ descriptor: Int32,
    offset: Int64 = 0
  ) throws(SystemError) -> UnsafeMutableRawPointer {
    var address: UnsafeMutableRawPointer?
    try systemCall("mmap", "\(byteCount) bytes") {
      unsafe sluice_mmap(hint, byteCount, protection, flags, descriptor, offset, &address)
    }
    guard let address = unsafe address else {
      preconditionFailure("mmap without a hint never answers with address 0")
    }
    return unsafe address
  }
}
