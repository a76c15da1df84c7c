import SluiceContainers
import SluiceSystem
import Testing
import TestSupport

/// Containers whose bytes anybody may have written: values may be wrong, but nothing is read outside, nothing traps, nothing
/// is endless.
@Suite struct DamageTests {
  @Test(arguments: 0..<40 as Range<UInt64>)
  func `random containers are read as they were built`(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let catalog = Catalog(random: &generator, size: Int(seed))
    let bytes = try image(capacity: 1 << 20) { builder in try catalog.write(in: &builder) }
    #expect(try Catalog(reading: bytes.span.bytes) == catalog)
  }

  @Test(arguments: 0..<20 as Range<UInt64>)
  func `a damaged container gives values or an error`(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let catalog = Catalog(random: &generator, size: 8)
    let intact = try image(capacity: 1 << 16) { builder in try catalog.write(in: &builder) }
    var failed = 0
    for _ in 0..<400 {
      var bytes = intact
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        // Small numbers and those near the size are the likeliest to be taken for positions and counts.
        let value: UInt8 =
          switch Int.random(in: 0..<4, using: &generator) {
          case 0: 0
          case 1: 0xff
          case 2: UInt8(truncatingIfNeeded: bytes.count)
          default: UInt8.random(in: 0...255, using: &generator)
          }
        let place = Int.random(in: bytes.indices, using: &generator)
        bytes[place] = value
      }
      failed += try outcome(of: bytes) ? 0 : 1
    }
    #expect(failed > 0)
  }

  @Test func `a container cut off anywhere gives values or an error`() throws {
    var generator = SeededGenerator(seed: 7)
    let catalog = Catalog(random: &generator, size: 6)
    let intact = try image(capacity: 1 << 16) { builder in try catalog.write(in: &builder) }
    for count in intact.indices { _ = try outcome(of: Array(intact[..<count])) }
  }

  /// Reads `bytes` at the end of a mapping, behind which an access faults. Whether it could be read.
  private func outcome(of bytes: [UInt8]) throws -> Bool {
    try withGuarded(bytes) { memory in
      do {
        _ = try Catalog(reading: RawSpan(_unsafeBytes: memory), byteLimit: 1 << 20)
        return true
      } catch is SharedError {
        return false
      }
    }
  }

  @Test func `a container is read while somebody scribbles over it`() throws {
    var generator = SeededGenerator(seed: 11)
    let catalog = Catalog(random: &generator, size: 12)
    let intact = try image(capacity: 1 << 16) { builder in try catalog.write(in: &builder) }
    let segment = try Segment.create(name: "scribble", byteCount: intact.count)
    let memory = UnsafeMutableRawBufferPointer(start: segment.baseAddress, count: intact.count)
    memory.copyBytes(from: intact)
    let borrowed = try BorrowedSegment(segment.handle, name: "scribble", byteCount: intact.count)
    try Scribbler.run(over: segment, intact) {
      var outcomes = (read: 0, refused: 0)
      for _ in 0..<3000 {
        do {
          _ = try Catalog(
            reading: RawSpan(_unsafeStart: borrowed.baseAddress, byteCount: borrowed.byteCount), byteLimit: 1 << 20)
          outcomes.read += 1
        } catch is SharedError {
          outcomes.refused += 1
        }
      }
      #expect(outcomes.read + outcomes.refused == 3000)
    }
  }

  // MARK: Amplification and circles

  @Test func `a few bytes that are referred to over and over are followed up to the limit`() throws {
    // 1,000 arrays of 1,000 references to the same 8,000 bytes: 8 GB to walk in 24 kB.
    let bytes = try image(capacity: 1 << 16) { builder in
      let numbers = try builder.write([Int64](repeating: 1, count: 1000))
      let inner = try builder.write(Array(repeating: numbers, count: 1000))
      return try builder.write(Array(repeating: inner, count: 1000))
    }
    #expect(bytes.count < 30_000)
    let root = try openShared(bytes.span.bytes, as: SharedArray<SharedArray<SharedArray<Int64>>>.self)
    var followed = 0
    #expect(throws: SharedError.readLimitReached(byteLimit: bytes.count * 64)) {
      try root.forEach { inner in try inner.forEach { numbers in followed += numbers.count } }
    }
    #expect(followed > 0 && followed * 8 <= bytes.count * 64)
  }

  @Test func `a list that leads back to its beginning ends`() throws {
    var bytes = try image(capacity: 4096) { builder in
      var list = SharedListBuilder(of: UInt64.self)
      for number in 0..<12 as Range<UInt64> { try list.append(number, in: &builder) }
      return try list.write(in: &builder)
    }
    let root = Int(bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self) })
    let first = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: root, as: UInt32.self) }
    // The first chunk leads to itself.
    bytes.withUnsafeMutableBytes { $0.storeBytes(of: first, toByteOffset: Int(first), as: UInt32.self) }
    do {
      let list = try openShared(bytes.span.bytes, as: SharedList<UInt64>.self)
      let copy = try list.copy()
      #expect(copy == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3])
    }
    // It says that it has more elements than the memory could hold.
    bytes.withUnsafeMutableBytes { $0.storeBytes(of: UInt32.max, toByteOffset: root + 4, as: UInt32.self) }
    #expect(throws: SharedError.self) { _ = try openShared(bytes.span.bytes, as: SharedList<UInt64>.self) }
  }

  @Test func `a look-up in buckets that are all taken ends`() throws {
    var bytes = try image(of: Dictionary(uniqueKeysWithValues: (0..<2000).map { ($0, $0) }))
    let root = Int(bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 4, as: UInt32.self) })
    let place = Int(bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: root, as: UInt32.self) })
    bytes.withUnsafeMutableBytes { memory in
      for bucket in 0..<4096 {
        memory.storeBytes(of: 1 << 32 | 0xdead_beef, toByteOffset: place + 24 + bucket * 8, as: UInt64.self)
      }
      memory.storeBytes(of: 512, toByteOffset: place + 4, as: UInt32.self)
    }
    do {
      let dictionary = try openShared(bytes.span.bytes, as: SharedDictionary<Int64, Int64>.self)
      for key in 0..<100 as Range<Int64> {
        let found = try dictionary[key]
        #expect(found == nil)
      }
    }
    // A look-up that would try more is refused.
    bytes.withUnsafeMutableBytes { $0.storeBytes(of: 513, toByteOffset: place + 4, as: UInt32.self) }
    #expect {
      _ = try openShared(bytes.span.bytes, as: SharedDictionary<Int64, Int64>.self)
    } throws: { error in
      guard case SharedError.impossible("a dictionary's number of probes", _, 513, 512) = error else { return false }
      return true
    }
  }
}
