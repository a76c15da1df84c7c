import Synchronization

/// The memory of one container, for reading: bytes that somebody may be writing to. It lives no longer than they do.
///
/// Every number that is read from it is loaded once and checked before use. What is followed is counted, so that a few bytes
/// that are referred to many times over cannot make endless work of a walk.
@safe
public struct SharedRegion: ~Escapable {
  /// `magic` (4), position of the root's slot (4), fingerprint of the type (8).
  @usableFromInline static let headerByteCount = 16
  /// "SLc1", little-endian.
  @usableFromInline static let magic: UInt32 = 0x3163_4c53
  /// The most bytes that a container may have: what a blob of a message may.
  public static let byteLimit = (1 << 29) - 1

  @usableFromInline let bytes: RawSpan
  @usableFromInline let allowance: ReadAllowance

  @inlinable @_lifetime(copy bytes)
  init(_ bytes: RawSpan, byteLimit: Int) {
    self.bytes = bytes
    allowance = ReadAllowance(byteLimit)
  }

  /// How many bytes there are.
  @inlinable
  public var byteCount: Int { bytes.byteCount }

  /// The bits at `position`, loaded once.
  @inlinable @inline(__always)
  func load<T: BitwiseCopyable>(_ type: T.Type, at position: Int, _ what: StaticString) throws(SharedError) -> T {
    guard position >= 0, position <= bytes.byteCount &- MemoryLayout<T>.size else {
      throw .outOfBounds(
        what: what.description, position: position, byteCount: MemoryLayout<T>.size, limit: bytes.byteCount)
    }
    // Sound: in bounds, as just checked; only called for types of which every bit pattern is a value.
    return unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: position, as: T.self)
  }

  /// Checks that `count` slots of `stride` bytes stand from `position` on, and counts them as followed.
  @inlinable
  func follow(_ position: Int, count: Int, stride: Int, _ what: StaticString) throws(SharedError) {
    // The counts are of 32 bits, and a stride is the size of a type: no overflow.
    let (byteCount, overflow) = count.multipliedReportingOverflow(by: stride)
    guard !overflow, byteCount >= 0, position >= 0, position <= bytes.byteCount,
      byteCount <= bytes.byteCount &- position
    else {
      throw .outOfBounds(what: what.description, position: position, byteCount: byteCount, limit: bytes.byteCount)
    }
    try allowance.spend(byteCount &+ 16)
  }

  /// Bytes that were checked before.
  @inlinable @_lifetime(copy self)
  func span(_ position: Int, byteCount: Int) -> RawSpan {
    unsafe _overrideLifetime(
      bytes.extracting(unchecked: unsafe Range(uncheckedBounds: (position, position &+ byteCount))), copying: self)
  }
}

/// How many bytes may still be followed in one container. Readers on several threads may share it: then it is approximate.
@usableFromInline
final class ReadAllowance: Sendable {
  @usableFromInline let byteLimit: Int
  @usableFromInline let left: Atomic<Int>

  @inlinable
  init(_ byteLimit: Int) {
    self.byteLimit = max(byteLimit, 0)
    left = Atomic(max(byteLimit, 0))
  }

  @inlinable
  func spend(_ byteCount: Int) throws(SharedError) {
    let now = left.load(ordering: .relaxed)
    guard byteCount <= now else { throw .readLimitReached(byteLimit: byteLimit) }
    left.store(now &- byteCount, ordering: .relaxed)
  }
}

/// Opens the container that stands in `bytes`.
///
/// - Parameters:
///   - bytes: All of its memory: a blob of a message, say, or a file. Somebody may be writing to it.
///   - type: What it is expected to hold.
///   - byteLimit: How many bytes may be followed in all, each as often as it is; nil for 64 times the size, 1 MiB at least.
/// - Throws: ``SharedError``, ``SharedError/wrongType(expected:expectedFingerprint:foundFingerprint:)`` among them.
/// - Complexity: Constant: nothing but the header is looked at. One small allocation.
@inlinable @_lifetime(copy bytes)
public func openShared<Value: SharedValue & ~Escapable>(
  _ bytes: RawSpan, as type: Value.Type = Value.self, byteLimit: Int? = nil
) throws(SharedError) -> Value {
  let scaled = bytes.byteCount.multipliedReportingOverflow(by: 64)
  let limit = byteLimit ?? max(scaled.overflow ? .max : scaled.partialValue, 1 << 20)
  let region = SharedRegion(bytes, byteLimit: limit)
  guard bytes.byteCount >= SharedRegion.headerByteCount,
    try region.load(UInt32.self, at: 0, "the header") == SharedRegion.magic
  else { throw .notAContainer(byteCount: bytes.byteCount) }
  let expected = try Fingerprint.of(Value.self)
  let found = try region.load(UInt64.self, at: 8, "the fingerprint")
  guard found == expected else {
    throw .wrongType(expected: try Value.structure(), expectedFingerprint: expected, foundFingerprint: found)
  }
  let root = try region.load(UInt32.self, at: 4, "the root")
  return try Value(loading: region, at: Int(root))
}
