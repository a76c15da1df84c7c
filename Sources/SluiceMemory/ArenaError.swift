import SluiceSystem

/// Why an arena could not be made or could not give memory.
public enum ArenaError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The arena's segments may not grow further. Free something (drain leases, release messages), or raise the limit.
  /// `mapped` is what the segments take together, `requested` what was asked for.
  case limitReached(byteLimit: Int, mapped: Int, requested: Int)
  /// No segment could be made: the process is out of descriptors or mappings, or the machine out of memory.
  case segment(SegmentError)
  /// A negative size, or an alignment that is no power of two up to ``Arena/maximumAlignment``.
  case unsupportedRequest(byteCount: Int, alignment: Int)
  /// jemalloc could not make another arena, with its errno: it has about 4,090 of them in a process.
  case arenaUnavailable(errno: Int32)

  /// What happened, with the limit.
  public var description: String {
    switch self {
    case .limitReached(let byteLimit, let mapped, let requested):
      "\(requested) bytes don't fit: the arena's segments take \(mapped) bytes, its limit is \(byteLimit); "
        + "release messages, or raise the limit"
    case .segment(let error): "\(error)"
    case .unsupportedRequest(let byteCount, let alignment):
      "cannot allocate \(byteCount) bytes aligned to \(alignment); "
        + "alignments are powers of two up to \(Arena.maximumAlignment)"
    case .arenaUnavailable(let errno):
      "jemalloc has no further arena (errno \(errno)): close sessions, or share arenas between them"
    }
  }
}
