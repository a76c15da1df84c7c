/// Why a segment could not be made or borrowed.
public enum SegmentError: Error, Hashable, Sendable, CustomStringConvertible {
  /// A segment's name has 1 to 249 bytes of UTF-8 and no zero byte.
  case invalidName(String)
  /// A segment has at least one byte.
  case invalidByteCount(name: String, Int)
  /// The kernel refused: no memory is left, or something else went wrong.
  case system(name: String, SystemError)
  /// The process has as many descriptors as it may (`RLIMIT_NOFILE`). Close some, or raise the limit.
  case descriptorTableFull(name: String, limit: Int)
  /// The process has as many mappings as it may (`vm.max_map_count`). Release segments, or raise the limit.
  case tooManyMappings(name: String, limit: Int)
  /// The process has no room for the mapping in its address space: `RLIMIT_AS`, or nil where only the processor sets a limit.
  case addressSpaceFull(name: String, limit: Int?)
  /// What the peer sent is no memfd that can carry seals, but a file, a socket or something else.
  case notSealable(name: String)
  /// The peer's memory lacks seals, so that it could be truncated or written while it is read.
  case unsealed(name: String, found: SegmentSeals, required: SegmentSeals)
  /// The peer's memory has another size than the peer announced.
  case wrongByteCount(name: String, found: Int, announced: Int)
  /// What the peer sent as a named segment is a file, a device or something else.
  case notSharedMemory(name: String)
  /// The peer's named segment belongs to another user than the peer.
  case wrongOwner(name: String, found: UInt32, expected: UInt32)
  /// The peer's named segment is open to others than was agreed on.
  case wrongMode(name: String, found: UInt16, expected: SegmentAccess)
  /// Something of that name stands in `/dev/shm` already.
  case nameTaken(name: String)
  /// `/dev/shm` has no room: its size, and what was free, in bytes. Free something there, or have it mounted larger
  /// (tmpfs, option `size`).
  case sharedMemoryFull(name: String, requested: Int, limit: Int, available: Int)
  /// The file could not be locked that proves that a set of named segments is in use.
  case lock(FileLockError)

  /// Which segment, what was found and what is required.
  public var description: String {
    switch self {
    case .invalidName(let name): "\"\(name)\" cannot name a segment: 1 to 249 bytes, none of them zero"
    case .invalidByteCount(let name, let byteCount): "segment \(name) cannot have \(byteCount) bytes"
    case .system(let name, let error): "segment \(name): \(error)"
    case .descriptorTableFull(let name, let limit):
      "segment \(name) needs a descriptor: the process has all that it may have, RLIMIT_NOFILE is \(limit)"
    case .tooManyMappings(let name, let limit):
      "segment \(name) cannot be mapped: the process has all mappings that it may have, vm.max_map_count is \(limit)"
    case .addressSpaceFull(let name, let limit):
      "segment \(name) cannot be mapped: no such range of addresses is free, "
        + "RLIMIT_AS is \(limit.map { "\($0)" } ?? "unlimited")"
    case .notSealable(let name): "segment \(name) was refused: it is not sealable shared memory"
    case .unsealed(let name, let found, let required):
      "segment \(name) was refused: its seals are \(found), required are \(required)"
    case .wrongByteCount(let name, let found, let announced):
      "segment \(name) was refused: it has \(found) bytes, \(announced) were announced"
    case .notSharedMemory(let name): "segment \(name) was refused: it is not shared memory"
    case .wrongOwner(let name, let found, let expected):
      "segment \(name) was refused: it belongs to user \(found), not to user \(expected)"
    case .wrongMode(let name, let found, let expected):
      "segment \(name) was refused: its mode is 0\(String(found, radix: 8)), not \(expected)"
    case .nameTaken(let name): "segment \(name) cannot be made: there is one of that name in /dev/shm"
    case .sharedMemoryFull(let name, let requested, let limit, let available):
      "segment \(name) of \(requested) bytes does not fit: tmpfs limits /dev/shm to \(limit), \(available) are free"
    case .lock(let error): "named segments need a lock: \(error)"
    }
  }
}

extension SegmentError {
  /// What the kernel's refusal means for the segment: the limit that was met, where it can be told.
  init(_ name: String, _ error: SystemError) {
    switch error.errno {
    case .tooManyOpenFiles:
      self = .descriptorTableFull(name: name, limit: ResourceLimit.openDescriptors)
    case .noMemory where error.operation == "mmap":
      if let limit = ResourceLimit.mappingsIfReached {
        self = .tooManyMappings(name: name, limit: limit)
      } else {
        let limit = ResourceLimit.addressSpace
        self = .addressSpaceFull(name: name, limit: limit == .max ? nil : limit)
      }
    default:
      self = .system(name: name, error)
    }
  }
}
