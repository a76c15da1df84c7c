/// Values by key in shared memory, read in place: open addressing with a keyed hash. It lives no longer than the memory: the
/// message that holds it.
///
/// Keys are fixed-width integers or text. Entries keep the order in which they were written. In memory:
///
/// | offset | size | field |
/// |---|---|---|
/// | 0 | 4 | number of buckets: a power of two, at least twice that of the entries |
/// | 4 | 4 | the most buckets that a look-up has to try, at most ``probeLimit`` |
/// | 8 | 16 | the hash's key, which its writer chose at random |
/// | 24 | 8 each | buckets: the low half of a hash (4), the entry's index plus 1 or 0 for an empty one (4) |
/// | aligned | slots | all keys, then, aligned, all values |
///
/// A look-up is bounded by ``probeLimit``, whatever stands in the buckets.
@safe
public struct SharedDictionary<Key: SharedKey & ~Escapable, Value: SharedValue & ~Escapable>: ~Escapable {
  /// The most buckets that a look-up tries.
  public static var probeLimit: Int { 512 }

  @usableFromInline let region: SharedRegion
  /// Everything was checked to stand in the region.
  @usableFromInline let layout: DictionaryLayout
  @usableFromInline let probes: Int
  @usableFromInline let hashKey: (UInt64, UInt64)

  @inlinable @_lifetime(copy region)
  init(_ region: SharedRegion, _ layout: DictionaryLayout, probes: Int, hashKey: (UInt64, UInt64)) {
    self.region = region
    self.layout = layout
    self.probes = probes
    self.hashKey = hashKey
  }

  /// How many entries there are.
  @inlinable
  public var count: Int { layout.count }

  /// Whether there are none.
  @inlinable
  public var isEmpty: Bool { layout.count == 0 }

  /// All keys, in the order of the entries.
  @inlinable
  public var keys: SharedArray<Key> {
    @_lifetime(copy self) get { SharedArray(region, checkedPosition: layout.keys, count: layout.count) }
  }

  /// All values, in the order of the entries.
  @inlinable
  public var values: SharedArray<Value> {
    @_lifetime(copy self) get { SharedArray(region, checkedPosition: layout.values, count: layout.count) }
  }

  /// The value for `key`; nil if there is none.
  ///
  /// - Throws: ``SharedError`` when a bucket, key or value on the way is not what it must be.
  /// - Complexity: Constant: one hash, and two probes on average.
  @inlinable
  public subscript(key: Key.Lookup) -> Value? {
    @_lifetime(copy self) get throws(SharedError) {
      guard let index = try index(of: key) else { return nil }
      return try Value(loading: region, at: layout.values &+ index &* Value.slotByteCount)
    }
  }

  /// The index of the entry for `key` in ``keys`` and ``values``; nil if there is none.
  @inlinable
  public func index(of key: Key.Lookup) throws(SharedError) -> Int? {
    guard layout.count > 0 else { return nil }
    let found = Key.withBytes(of: key) { bytes in
      Result { () throws(SharedError) in try find(bytes) }
    }
    return try found.get()
  }

  @inlinable
  func find(_ bytes: RawSpan) throws(SharedError) -> Int? {
    let hash = KeyedHash(hashKey.0, hashKey.1).of(bytes)
    let mask = layout.bucketCount &- 1
    var bucket = Int(truncatingIfNeeded: hash &>> 32) & mask
    for _ in 0..<probes {
      let bits = try region.load(UInt64.self, at: layout.buckets &+ bucket &* 8, "a bucket")
      let entry = Int(bits &>> 32)
      if entry == 0 { return nil }
      if UInt32(truncatingIfNeeded: bits) == UInt32(truncatingIfNeeded: hash) {
        guard entry <= layout.count else {
          throw .impossible(
            what: "the entry of a bucket", position: layout.buckets &+ bucket &* 8, found: entry, limit: layout.count)
        }
        let place = layout.keys &+ (entry &- 1) &* Key.slotByteCount
        if try Key.matches(bytes, in: region, at: place) { return entry &- 1 }
      }
      bucket = (bucket &+ 1) & mask
    }
    return nil
  }
}

extension SharedDictionary: SharedValue where Key: ~Escapable, Value: ~Escapable {
  /// A position and a count.
  @inlinable
  public static var slotByteCount: Int { ContainerSlot.byteCount }
  /// That of the position.
  @inlinable
  public static var slotAlignment: Int { ContainerSlot.alignment }
  /// `dictionary<…,…>`.
  public static func structure() throws(SharedError) -> String {
    "dictionary<\(try Key.structure()),\(try Value.structure())>"
  }

  /// The dictionary whose slot is at `position`; checks that all its parts stand in the region.
  @inlinable @_lifetime(copy region)
  public init(loading region: SharedRegion, at position: Int) throws(SharedError) {
    let slot = try ContainerSlot(loading: region, at: position)
    guard slot.count > 0 else {
      self.init(region, .empty, probes: 0, hashKey: (0, 0))
      return
    }
    let start = slot.position
    let sizes = try region.load(UInt64.self, at: start, "a dictionary")
    let bucketCount = Int(sizes & 0xffff_ffff)
    let probes = Int(sizes &>> 32)
    guard bucketCount > 0, bucketCount & (bucketCount &- 1) == 0, bucketCount <= SharedRegion.byteLimit / 8 else {
      throw .impossible(
        what: "a dictionary's number of buckets", position: start, found: bucketCount,
        limit: SharedRegion.byteLimit / 8)
    }
    guard probes <= Self.probeLimit else {
      throw .impossible(
        what: "a dictionary's number of probes", position: start &+ 4, found: probes, limit: Self.probeLimit)
    }
    guard slot.count <= region.byteCount else {
      throw .impossible(what: "a dictionary's count", position: position, found: slot.count, limit: region.byteCount)
    }
    let layout = DictionaryLayout(
      position: start, bucketCount: bucketCount, count: slot.count, keySize: Key.slotByteCount,
      keyAlignment: Key.slotAlignment, valueSize: Value.slotByteCount, valueAlignment: Value.slotAlignment)
    try region.follow(start, count: layout.end &- start, stride: 1, "a dictionary")
    let hashKey = (
      try region.load(UInt64.self, at: start &+ 8, "a dictionary"),
      try region.load(UInt64.self, at: start &+ 16, "a dictionary")
    )
    self.init(region, layout, probes: probes, hashKey: hashKey)
  }
}

/// Where the parts of a dictionary stand.
@usableFromInline
struct DictionaryLayout {
  @usableFromInline let buckets: Int
  @usableFromInline let bucketCount: Int
  @usableFromInline let keys: Int
  @usableFromInline let values: Int
  @usableFromInline let end: Int
  @usableFromInline let count: Int

  @usableFromInline static let headerByteCount = 24

  /// Without overflow: each count is below 2^30, each size that of a type.
  @inlinable
  init(
    position: Int, bucketCount: Int, count: Int, keySize: Int, keyAlignment: Int, valueSize: Int, valueAlignment: Int
  ) {
    // Aligned relative to the beginning, which its writer aligned to the largest of the three.
    let keyOffset = (Self.headerByteCount &+ bucketCount &* 8).roundedUp(toMultipleOf: keyAlignment)
    let valueOffset = (keyOffset &+ count &* keySize).roundedUp(toMultipleOf: valueAlignment)
    buckets = position &+ Self.headerByteCount
    self.bucketCount = bucketCount
    self.count = count
    keys = position &+ keyOffset
    values = position &+ valueOffset
    end = values &+ count &* valueSize
  }

  @inlinable
  init(emptyAt position: Int) {
    buckets = position
    bucketCount = 0
    keys = position
    values = position
    end = position
    count = 0
  }

  @inlinable static var empty: DictionaryLayout { DictionaryLayout(emptyAt: 0) }

  /// A dictionary of `count` entries has this many buckets: at most half of them are taken.
  @inlinable
  static func bucketCount(for count: Int) -> Int {
    1 &<< (Int.bitWidth &- (max(count, 1) &* 2 &- 1).leadingZeroBitCount)
  }
}
