import CapnProto

/// Why a shared container could not be built or read.
///
/// Positions and byte counts are bytes from the beginning of the container's memory.
public enum SharedError: Error, Sendable, Hashable, CustomStringConvertible {
  // MARK: Reading: what its writer got wrong, by mistake or on purpose

  /// The memory does not begin as containers do, or ends before their header does.
  case notAContainer(byteCount: Int)
  /// It holds a container of another type: the two programs do not agree on the type.
  case wrongType(expected: String, expectedFingerprint: UInt64, foundFingerprint: UInt64)
  /// A position or count leads out of the container's memory: what stands there, and where.
  case outOfBounds(what: String, position: Int, byteCount: Int, limit: Int)
  /// A number that cannot be what it stands for: which, where, and the largest that could be.
  case impossible(what: String, position: Int, found: Int, limit: Int)
  /// Text that is not UTF-8.
  case invalidText(position: Int)
  /// The elements do not stand on a multiple of their alignment, so that they have no `Span`. They can be read one by one.
  case misaligned(position: Int, alignment: Int)
  /// More was followed than the container can honestly hold: it refers to the same bytes many times over. Who reads one
  /// container very often opens it anew now and then, or raises the limit.
  case readLimitReached(byteLimit: Int)
  /// The Cap'n Proto message that holds the container cannot be read, or built.
  case message(CapnProtoError)

  // MARK: Building

  /// The container does not fit into the room that was asked for. Ask for more.
  case outOfRoom(byteCount: Int, capacity: Int)
  /// A container has at most this many bytes.
  case tooLarge(byteCount: Int, limit: Int)
  /// The key at this index occurred before.
  case duplicateKey(index: Int)
  /// No seed was found that spreads the keys: they are all but certainly not different.
  case keysCollide(count: Int)
  /// The reference is not one to what this builder wrote.
  case foreignReference
  /// The type cannot stand in shared memory: why.
  case unsuitableType(String, reason: String)

  /// One line for people.
  public var description: String {
    switch self {
    case .notAContainer(let byteCount): "\(byteCount) bytes that are no shared container"
    case .wrongType(let expected, let ours, let theirs):
      "a container of another type than \(expected): fingerprint \(theirs) where \(ours) is expected"
    case .outOfBounds(let what, let position, let byteCount, let limit):
      "\(what) at \(position) would take \(byteCount) bytes; the container has \(limit)"
    case .impossible(let what, let position, let found, let limit):
      "\(what) at \(position) is \(found); at most \(limit) is possible"
    case .invalidText(let position): "the text at \(position) is not UTF-8"
    case .misaligned(let position, let alignment): "the elements at \(position) are not aligned to \(alignment)"
    case .readLimitReached(let byteLimit): "more than \(byteLimit) bytes were followed, the limit for this container"
    case .message(let error): "\(error)"
    case .outOfRoom(let byteCount, let capacity):
      "the container needs \(byteCount) bytes or more; \(capacity) were asked for"
    case .tooLarge(let byteCount, let limit): "a container of \(byteCount) bytes; at most \(limit) are possible"
    case .duplicateKey(let index): "the key at index \(index) occurred before"
    case .keysCollide(let count): "\(count) keys cannot be spread"
    case .foreignReference: "a reference to what another builder wrote"
    case .unsuitableType(let type, let reason): "\(type) cannot stand in shared memory: \(reason)"
    }
  }
}
