/// Why a segment could not be made or borrowed.
public enum SegmentError: Error, Hashable, Sendable, CustomStringConvertible {
  /// A segment's name has 1 to 249 bytes of UTF-8 and no zero byte.
  case invalidName(String)
  /// A segment has at least one byte.
  case invalidByteCount(name: String, Int)
  /// The kernel refused: no descriptor, no memory or no mapping is left, or a limit of the process was met.
  case system(name: String, SystemError)
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
    case .nameTaken(let name): "segment \(name) cannot be made: there is one of that name"
    case .sharedMemoryFull(let name, let requested, let limit, let available):
      "segment \(name) of \(requested) bytes does not fit: tmpfs limits /dev/shm to \(limit), \(available) are free"
    case .lock(let error): "named segments need a lock: \(error)"
    }
  }
}
