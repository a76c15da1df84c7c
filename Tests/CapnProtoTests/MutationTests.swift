import CapnProto
import Synchronization
import Testing

/// Messages that were valid until some bits were changed, walked in every way there is. Nothing traps, only typed errors
/// come out, and the work stays within the limits. The seeds are fixed, so that a failure can be repeated.
@Suite struct MutationTests {
  @Test("a mutated message is walked at bounded cost", arguments: 0..<8)
  func mutated(seed: Int) throws {
    var random = SplitMix64(state: UInt64(seed))
    let original = try Self.segments(segmentByteCount: [16, 64, 256, 8192][seed % 4])
    var limits = ReadLimits.stream
    limits.traversalWords = 2000
    limits.nesting = 16
    for _ in 0..<400 {
      var mutated = original
      for _ in 0...random.next(below: 4) {
        let segment = random.next(below: mutated.count)
        guard !mutated[segment].isEmpty else { continue }
        let word = random.next(below: mutated[segment].count)
        mutated[segment][word] = Self.mutate(mutated[segment][word], &random)
      }
      let memory = SegmentMemory(mutated)
      try withExtendedLifetime(memory) {
        let message = try memory.message(limits)
        var walk = Walk()
        walk.follow(message.rootPointer, depth: 0)
        // A word holds at most 64 elements, and no element is visited without a charge.
        #expect(walk.visits <= 64 * limits.traversalWords + 64)
        #expect(walk.deepest <= limits.nesting + 1)
        walk.typed(message)
      }
    }
  }

  @Test("a message that changes while it is read is walked at bounded cost")
  func changing() async throws {
    let memory = SegmentMemory(try Self.segments(segmentByteCount: 64))
    let stop = Flag()
    let scribbler = Task.detached {
      var random = SplitMix64(state: 99)
      while !stop.isSet {
        let segment = memory.segments[random.next(below: memory.segments.count)]
        guard segment.count > 0 else { continue }
        let offset = random.next(below: segment.count / 8) * 8
        let old = segment.load(fromByteOffset: offset, as: UInt64.self)
        segment.storeBytes(of: Self.mutate(old, &random), toByteOffset: offset, as: UInt64.self)
        segment.storeBytes(of: old, toByteOffset: offset, as: UInt64.self)
      }
    }
    var limits = ReadLimits.stream
    limits.traversalWords = 2000
    limits.nesting = 16
    for _ in 0..<1000 {
      let message = try memory.message(limits)
      var walk = Walk()
      walk.follow(message.rootPointer, depth: 0)
      #expect(walk.visits <= 64 * limits.traversalWords + 64)
      walk.typed(message)
    }
    stop.set()
    await scribbler.value
  }

  @Test("a builder whose memory was mutated neither traps nor leaves its segments", arguments: 0..<8)
  func mutatedBuilder(seed: Int) throws {
    var random = SplitMix64(state: UInt64(seed) + 1000)
    for _ in 0..<100 {
      var message = try MessageBuilder(
        Tree.self, allocator: ExactAllocator(byteCount: [16, 64, 256, 8192][seed % 4], byteLimit: 1 << 16))
      RoundTripTests.fill(message.root)
      for _ in 0...random.next(below: 4) {
        let segment = UnsafeMutableRawBufferPointer(
          mutating: message.segment(at: random.next(below: message.segmentCount)))
        let offset = random.next(below: segment.count / 8) * 8
        let word = segment.load(fromByteOffset: offset, as: UInt64.self)
        segment.storeBytes(of: Self.mutate(word, &random), toByteOffset: offset, as: UInt64.self)
      }
      do {
        let root = message.root
        let kids = root.kids
        for i in kids.indices.prefix(100) { kids[i].name = kids[i].name + "!" }
        _ = root.leaf.label
        root.any.set(root.asReader.any)
        RoundTripTests.fill(root)
        RoundTripTests.fill(root)
      }
      _ = try? message.serialized()
    }
  }

  static func segments(segmentByteCount: Int) throws -> [[UInt64]] {
    var message = try MessageBuilder(Tree.self, allocator: ExactAllocator(byteCount: segmentByteCount))
    RoundTripTests.fill(message.root)
    return words(of: message)
  }

  /// A change of a kind that hurts: a bit, an offset, a size, a kind, or all of it.
  static func mutate(_ word: UInt64, _ random: inout SplitMix64) -> UInt64 {
    switch random.next(below: 6) {
    case 0: word ^ 1 << UInt64(random.next(below: 64))
    case 1: word & ~0xFFFF_FFFC | UInt64(UInt32(truncatingIfNeeded: (random.next(below: 64) - 32) << 2))
    case 2: word & 0xFFFF_FFFF | random.next() << 32
    case 3: word & ~7 | UInt64(random.next(below: 8))
    case 4:
      farPointer(segment: UInt32(random.next(below: 4)), wordOffset: random.next(below: 32), isDouble: word & 1 == 0)
    default: random.next()
    }
  }
}

/// Follows all pointers of a message, reading each as everything it could be.
private struct Walk {
  var visits = 0
  var deepest = 0
  private var sum = 0

  mutating func follow(_ pointer: AnyPointerReader, depth: Int) {
    visits += 1
    deepest = max(deepest, depth)
    if pointer.isNull { return }
    attempt { sum &+= try pointer.asText().utf8.count }
    attempt { sum &+= try pointer.asData().bytes.count }
    attempt { sum &+= try pointer.asList(of: Bool.self).array.count }
    attempt { sum &+= try pointer.asList(of: UInt64.self).array.count }
    if let structure = try? pointer.asRawStruct() { visit(structure, depth: depth) }
    if let list = try? pointer.asList(of: RawStructReader.self) {
      for index in list.indices { visit(list[index], depth: depth) }
    }
  }

  private mutating func visit(_ structure: RawStructReader, depth: Int) {
    visits += 1
    let size = structure.size
    for index in 0..<Int(size.dataWords) { sum &+= structure.load(UInt64.self, at: index).hashValue }
    for index in 0..<Int(size.pointers) { follow(structure.pointer(at: index), depth: depth + 1) }
  }

  /// Reads as the schema says.
  mutating func typed(_ message: borrowing MessageSegments) {
    attempt {
      let root = try message.root(as: Tree.self)
      try RoundTripTests.readAll(root)
    }
  }
}

private func attempt(_ body: () throws -> Void) {
  try? body()
}

private final class Flag: Sendable {
  private let value = Atomic(false)
  var isSet: Bool { value.load(ordering: .relaxed) }
  func set() { value.store(true, ordering: .relaxed) }
}

/// A generator of random numbers whose sequence is the same everywhere.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }

  mutating func next(below bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
