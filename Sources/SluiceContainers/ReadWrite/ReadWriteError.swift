import SluiceSystem

/// Why read-write memory could not be used.
public enum ReadWriteError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The segment could not be made or mapped.
  case segment(SegmentError)
  /// The segment is no read-write arena, or one of another version or size.
  case notAnArena(name: String)
  /// Not a size that an arena, or an allocation in it, can have, in bytes.
  case invalidByteCount(Int, limits: ClosedRange<Int>)
  /// As many processes use the arena as may.
  case tooManyParticipants(limit: Int)
  /// A place that leaves the arena, or stands in its first page. Offsets are those that
  /// ``ReadWriteArena/allocate(byteCount:)`` gives.
  case outOfBounds(offset: Int, byteCount: Int, arenaByteCount: Int)
  /// A place on no multiple of the alignment of what should stand there.
  case misaligned(offset: Int, alignment: Int)
  /// Only who made the arena allocates in it.
  case notTheOwner
  /// The arena has no free run of that many bytes.
  case outOfRoom(byteCount: Int, largest: Int)
  /// The type cannot stand in shared memory.
  case unsuitable(SharedError)
  /// The deadline passed first.
  case timedOut
  /// Who held the mutex died or gave up and left its data unusable: it is locked no more. Make a new one.
  case abandoned
  /// The mutex is not held by this process.
  case notHeld
  /// A system call failed.
  case system(SystemError)

  /// One line for people.
  public var description: String {
    switch self {
    case .segment(let error): "\(error)"
    case .notAnArena(let name): "the segment \(name) is no read-write arena"
    case .invalidByteCount(let byteCount, let limits):
      "\(byteCount) bytes; \(limits.lowerBound) to \(limits.upperBound) are possible"
    case .tooManyParticipants(let limit): "\(limit) processes use the arena, as many as may"
    case .outOfBounds(let offset, let byteCount, let arenaByteCount):
      "\(byteCount) bytes at \(offset) are not in what can be allocated of the arena: "
        + "\(ReadWriteArena.headerByteCount) to \(arenaByteCount)"
    case .misaligned(let offset, let alignment): "offset \(offset) is no multiple of \(alignment)"
    case .notTheOwner: "only who made the arena allocates in it"
    case .outOfRoom(let byteCount, let largest): "no room for \(byteCount) bytes; the largest free run has \(largest)"
    case .unsuitable(let error): "\(error)"
    case .timedOut: "the deadline passed"
    case .abandoned: "the mutex was abandoned with data that nobody could mend; make a new one"
    case .notHeld: "the mutex is not held by this process"
    case .system(let error): "\(error)"
    }
  }
}
