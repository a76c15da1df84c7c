/// What to ask of the kernel for a segment's mapping beyond the mapping itself. An option that the kernel cannot fulfil
/// fails the segment, with a typed error.
public struct SegmentOptions: OptionSet, Hashable, Sendable {
  /// The options' bits.
  public let rawValue: UInt8

  /// Any set of options.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Asks for huge pages (`MADV_HUGEPAGE`). Whether shared memory gets any, the administrator says, in
  /// `/sys/kernel/mm/transparent_hugepage/shmem_enabled`.
  public static let hugePages = SegmentOptions(rawValue: 1)
  /// Touches every page at once (`MADV_POPULATE_WRITE` for the owner, `MADV_POPULATE_READ` for a borrower; Linux 5.14), so
  /// that no later access faults: some 0.5 us for each page, and all of the segment's memory is taken.
  public static let prefault = SegmentOptions(rawValue: 2)
}
