extension SharedBuilder {
  /// Writes a dictionary of `entries`, in their order.
  ///
  /// - Throws: ``SharedError/duplicateKey(index:)`` when a key occurs twice, and what ``write(_:)`` throws.
  @inlinable
  public mutating func writeDictionary<Key: SharedKeySource, Value: SharedSource>(
    _ entries: some Sequence<(Key, Value)>
  ) throws(SharedError) -> SharedReference<SharedDictionary<Key.Stored, Value.Stored>> {
    var keys: [Key] = []
    var values: [Value] = []
    for (key, value) in entries {
      keys.append(key)
      values.append(value)
    }
    let position = try reserve(count: 1, stride: ContainerSlot.byteCount, alignment: ContainerSlot.alignment)
    try storeDictionary(keys: keys, values: values, at: position)
    return SharedReference(position: position, builder: identity)
  }

  @inlinable
  mutating func storeDictionary<Key: SharedKeySource, Value: SharedSource>(
    keys: [Key], values: [Value], at slot: Int
  ) throws(SharedError) {
    guard !keys.isEmpty else { return try store(ContainerSlot(position: 0, count: 0), at: slot) }
    let alignment = max(8, Key.Stored.slotAlignment, Value.Stored.slotAlignment)
    let shape = DictionaryLayout(
      position: 0, bucketCount: DictionaryLayout.bucketCount(for: keys.count), count: keys.count,
      keySize: Key.Stored.slotByteCount, keyAlignment: Key.Stored.slotAlignment,
      valueSize: Value.Stored.slotByteCount, valueAlignment: Value.Stored.slotAlignment)
    let position = try reserve(count: 1, stride: shape.end, alignment: alignment)
    try Key.store(keys, at: position &+ shape.keys, in: &self)
    try Value.store(values, at: position &+ shape.values, in: &self)
    try zero(
      position &+ shape.buckets &+ shape.bucketCount &* 8,
      byteCount: shape.keys &- shape.buckets &- shape.bucketCount &* 8)
    let keysEnd = shape.keys &+ keys.count &* Key.Stored.slotByteCount
    try zero(position &+ keysEnd, byteCount: shape.values &- keysEnd)
    if !isMeasuring { try storeBuckets(keys, bucketCount: shape.bucketCount, at: position) }
    try store(ContainerSlot(position: position, count: keys.count), at: slot)
  }

  /// Writes header and buckets.
  @inlinable
  mutating func storeBuckets<Key: SharedKeySource>(
    _ keys: [Key], bucketCount: Int, at position: Int
  ) throws(SharedError) {
    // A key of 128 random bits nobody can foresee, so that nobody can choose keys that collide. Should the keys collide
    // by chance, others will not.
    for _ in 0..<8 {
      let hashKey = (UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max))
      let table = try BucketTable(keys, bucketCount: bucketCount, hashKey: hashKey)
      guard table.probes <= SharedDictionary<Key.Stored, UInt8>.probeLimit else { continue }
      try store(ContainerSlot(position: bucketCount, count: table.probes), at: position)
      try store(hashKey.0, at: position &+ 8)
      try store(hashKey.1, at: position &+ 16)
      let buckets = table.buckets.span
      unsafe try store(buckets.bytes, at: position &+ DictionaryLayout.headerByteCount)
      return
    }
    throw .keysCollide(count: keys.count)
  }
}

/// The buckets of a dictionary, in private memory: a table that others see is never read back.
@usableFromInline
struct BucketTable {
  @usableFromInline var buckets: [UInt64]
  /// The most buckets that a look-up has to try.
  @usableFromInline var probes = 1

  @inlinable
  init<Key: SharedKeySource>(
    _ keys: [Key], bucketCount: Int, hashKey: (UInt64, UInt64)
  ) throws(SharedError) {
    buckets = Array(repeating: 0, count: bucketCount)
    let mask = bucketCount &- 1
    for index in keys.indices {
      let hash = Key.Stored.withBytes(of: keys[index].lookup) { KeyedHash(hashKey.0, hashKey.1).of($0) }
      var bucket = Int(truncatingIfNeeded: hash &>> 32) & mask
      var tried = 1
      while buckets[bucket] != 0 {
        if UInt32(truncatingIfNeeded: buckets[bucket]) == UInt32(truncatingIfNeeded: hash) {
          let other = Int(buckets[bucket] &>> 32) &- 1
          if Self.areEqual(keys[other], keys[index]) { throw .duplicateKey(index: index) }
        }
        bucket = (bucket &+ 1) & mask
        tried &+= 1
      }
      buckets[bucket] = UInt64(UInt32(truncatingIfNeeded: hash)) | UInt64(index &+ 1) &<< 32
      probes = max(probes, tried)
    }
  }

  @inlinable
  static func areEqual<Key: SharedKeySource>(_ left: Key, _ right: Key) -> Bool {
    Key.Stored.withBytes(of: left.lookup) { one in
      Key.Stored.withBytes(of: right.lookup) { other in SharedString.areEqual(one, other) }
    }
  }
}
