import SluiceSystem
import Synchronization

/// Memory that several processes write to: for apps that trust each other. Every one of them can spoil everything in it, but
/// none can make another trap, hang without a deadline, or touch memory elsewhere.
///
/// Who makes it allocates in it, with books in private memory, and tells the others the offsets, in messages. The others
/// join with its ``handle``. In its first page stand a header and the ``Participants``.
///
/// Threads: safe from any thread. The memory goes when the last process has let go of it; nothing is left behind.
@safe
public final class ReadWriteArena: Sendable {
  /// What one can have, in bytes: its first page is its own.
  public static let byteCountLimits = 8192...(1 << 40)
  /// Where the memory begins that can be allocated.
  static let headerByteCount = 4096
  /// "SluiceRW", then the version.
  private static let magic: UInt64 = 0x5752_6563_6975_6c53
  private static let version: UInt32 = 1

  /// What is mapped.
  public let segment: ReadWriteSegment
  let participants: Participants
  /// The free runs, for who made the arena; nil for others.
  private let free: Mutex<FreeRuns?>

  /// Makes an arena.
  /// - Parameters:
  ///   - name: of its segment, for people.
  ///   - byteCount: all there will be; pages take memory when they are first touched.
  public init(name: String, byteCount: Int) throws(ReadWriteError) {
    guard Self.byteCountLimits.contains(byteCount) else {
      throw .invalidByteCount(byteCount, limits: Self.byteCountLimits)
    }
    do { segment = try ReadWriteSegment.create(name: name, byteCount: byteCount) } catch { throw .segment(error) }
    // Sound: the header lies in the first page, and nobody else knows the segment yet.
    unsafe segment.baseAddress.storeBytes(of: Self.version, toByteOffset: 8, as: UInt32.self)
    unsafe segment.baseAddress.storeBytes(of: Self.magic, as: UInt64.self)
    participants = try Participants(joining: segment)
    free = Mutex(FreeRuns(Self.headerByteCount..<byteCount))
  }

  /// Joins an arena that another process has made: `handle` is its ``handle``, which came with a message.
  public init(joining handle: Handle) throws(ReadWriteError) {
    do { segment = try ReadWriteSegment(handle) } catch { throw .segment(error) }
    guard segment.byteCount >= Self.byteCountLimits.lowerBound,
      // Sound: in the first page. The others may write it, but any bits are a number.
      unsafe segment.baseAddress.load(as: UInt64.self) == Self.magic,
      unsafe segment.baseAddress.load(fromByteOffset: 8, as: UInt32.self) == Self.version
    else { throw .notAnArena(name: segment.name) }
    participants = try Participants(joining: segment)
    free = Mutex(nil)
  }

  /// The descriptor to pass to those who shall join.
  public var handle: Handle { segment.handle }
  /// All bytes, the first page included.
  public var byteCount: Int { segment.byteCount }

  // MARK: Allocating

  /// Allocates zeroed bytes: their offset, to be told to the others.
  ///
  /// - Parameters:
  ///   - byteCount: at least 1; rounded up to 64, so that no two allocations share a cache line.
  /// - Throws: ``ReadWriteError/notTheOwner``, ``ReadWriteError/outOfRoom(byteCount:largest:)``, and
  ///   ``ReadWriteError/invalidByteCount(_:limits:)`` for what no arena of this size has.
  public func allocate(byteCount: Int) throws(ReadWriteError) -> Int {
    let limits = 1...self.byteCount - Self.headerByteCount
    guard limits.contains(byteCount) else { throw .invalidByteCount(byteCount, limits: limits) }
    let rounded = byteCount.roundedUp(toMultipleOf: FreeRuns.unit)
    let offset = try free.withLock { (free) throws(ReadWriteError) in
      guard free != nil else { throw .notTheOwner }
      guard let offset = free?.take(rounded) else {
        throw .outOfRoom(byteCount: byteCount, largest: free?.largest ?? 0)
      }
      return offset
    }
    // Sound: the run lies in the segment, which is as long as this object.
    unsafe (segment.baseAddress + offset).initializeMemory(as: UInt8.self, repeating: 0, count: rounded)
    return offset
  }

  /// Frees what was allocated at `offset` with this size. Nobody may use it any more: what the others do to it from now on,
  /// they do to what is allocated next.
  ///
  /// - Throws: ``ReadWriteError/notTheOwner``, and ``ReadWriteError/outOfBounds(offset:byteCount:arenaByteCount:)`` for what
  ///   is not allocated.
  public func deallocate(offset: Int, byteCount: Int) throws(ReadWriteError) {
    try check(offset, max(byteCount, 1), alignment: FreeRuns.unit)
    let rounded = max(byteCount, 1).roundedUp(toMultipleOf: FreeRuns.unit)
    try free.withLock { (free) throws(ReadWriteError) in
      guard free != nil else { throw .notTheOwner }
      guard free?.putBack(offset, rounded) == true else {
        throw .outOfBounds(offset: offset, byteCount: byteCount, arenaByteCount: self.byteCount)
      }
    }
  }

  // MARK: Using

  /// The integer at `offset`, as an atomic one.
  ///
  /// - Throws: ``ReadWriteError/outOfBounds(offset:byteCount:arenaByteCount:)``,
  ///   ``ReadWriteError/misaligned(offset:alignment:)``.
  public func atomic<Value>(
    _ type: Value.Type = Value.self, at offset: Int
  ) throws(ReadWriteError) -> SharedAtomic<Value> {
    guard Value.bitWidth <= 64 else {
      throw .unsuitable(.unsuitableType("\(Value.self)", reason: "atomic integers have at most 64 bits"))
    }
    try check(offset, MemoryLayout<Value>.size, alignment: MemoryLayout<Value>.size)
    // Sound: in bounds and aligned; the atomic keeps this object.
    return unsafe SharedAtomic(word: segment.baseAddress + offset, arena: self)
  }

  /// The mutex at `offset`: four bytes, which are zero in the beginning.
  ///
  /// - Throws: as ``atomic(_:at:)``.
  public func mutex(at offset: Int) throws(ReadWriteError) -> SharedMutex {
    SharedMutex(try atomic(UInt32.self, at: offset))
  }

  /// The value at `offset`. Another process can be writing it: read it under a ``SharedMutex``, or expect a mixture.
  ///
  /// - Throws: ``ReadWriteError/outOfBounds(offset:byteCount:arenaByteCount:)``.
  public func load<Value: PlainBits>(_ type: Value.Type = Value.self, at offset: Int) throws(ReadWriteError) -> Value {
    try check(offset, MemoryLayout<Value>.size, alignment: 1)
    // Sound: in bounds; every bit pattern is a value.
    return unsafe segment.baseAddress.loadUnaligned(fromByteOffset: offset, as: Value.self)
  }

  /// Writes a value at `offset`, not at once for others: see ``load(_:at:)``.
  ///
  /// - Throws: ``ReadWriteError/outOfBounds(offset:byteCount:arenaByteCount:)``, and
  ///   ``ReadWriteError/unsuitable(_:)`` for a type that breaks the promise of ``PlainBits``.
  public func store<Value: PlainBits>(_ value: Value, at offset: Int) throws(ReadWriteError) {
    do throws(SharedError) { _ = try Fingerprint.of(Value.self) } catch { throw .unsuitable(error) }
    try check(offset, MemoryLayout<Value>.size, alignment: 1)
    // Sound: in bounds; a plain type has no padding.
    unsafe segment.baseAddress.storeBytes(of: value, toByteOffset: offset, as: Value.self)
  }

  private func check(_ offset: Int, _ byteCount: Int, alignment: Int) throws(ReadWriteError) {
    guard offset >= Self.headerByteCount, byteCount >= 0, offset <= self.byteCount,
      byteCount <= self.byteCount - offset
    else { throw .outOfBounds(offset: offset, byteCount: byteCount, arenaByteCount: self.byteCount) }
    guard offset % alignment == 0 else { throw .misaligned(offset: offset, alignment: alignment) }
  }
}

/// The free runs of an arena, by offset, each as long as can be.
struct FreeRuns {
  /// Offsets and lengths are multiples of this.
  static let unit = 64

  private var runs: [Range<Int>]

  init(_ all: Range<Int>) { runs = [all.lowerBound..<all.upperBound / Self.unit * Self.unit] }

  var largest: Int { runs.reduce(0) { max($0, $1.count) } }

  /// The first run that suffices gives its beginning.
  mutating func take(_ byteCount: Int) -> Int? {
    guard let index = runs.firstIndex(where: { $0.count >= byteCount }) else { return nil }
    let offset = runs[index].lowerBound
    runs[index] = offset + byteCount..<runs[index].upperBound
    if runs[index].isEmpty { runs.remove(at: index) }
    return offset
  }

  /// Puts a run back; false when some of it is free already.
  mutating func putBack(_ offset: Int, _ byteCount: Int) -> Bool {
    var run = offset..<offset + byteCount
    var index = runs.firstIndex { $0.lowerBound >= run.lowerBound } ?? runs.endIndex
    if index > 0, runs[index - 1].upperBound > run.lowerBound { return false }
    if index < runs.endIndex, runs[index].lowerBound < run.upperBound { return false }
    if index < runs.endIndex, runs[index].lowerBound == run.upperBound {
      run = run.lowerBound..<runs.remove(at: index).upperBound
    }
    if index > 0, runs[index - 1].upperBound == run.lowerBound {
      index -= 1
      run = runs.remove(at: index).lowerBound..<run.upperBound
    }
    runs.insert(run, at: index)
    return true
  }
}
