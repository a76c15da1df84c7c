import CapnProto
import Testing

/// Reading costs no more than its limits allow, however the message is made.
@Suite struct LimitTests {
  @Test("a pointer to itself ends at the nesting limit")
  func cycle() throws {
    try withMessage([structPointer(offset: -1, data: 0, pointers: 1)], limits: ReadLimits.stream) { message in
      func descend(_ reader: RawStructReader, _ depth: Int) throws -> Int {
        guard depth < 1000 else { return depth }
        return try descend(reader.structure(at: 0), depth + 1)
      }
      let error = #expect(throws: CapnProtoError.self) {
        let root = try message.root(as: AnyStruct.self)
        _ = try descend(root, 0)
      }
      #expect(error?.kind == .nestingLimitExceeded(limit: 64))
    }
  }

  @Test("exactly as many levels as allowed can be read")
  func nesting() throws {
    var message = try MessageBuilder(Tree.self)
    func nest(_ tree: Tree.Builder, _ levels: Int) {
      if levels > 0 { nest(tree.initKids(1)[0], levels - 1) }
    }
    nest(message.root, 9)
    let bytes = try message.serialized()
    func depth(_ tree: Tree.Reader) throws -> Int {
      let kids = try tree.kids
      return kids.isEmpty ? 0 : try depth(kids[0]) + 1
    }
    var limits = ReadLimits.stream
    limits.nesting = 10
    let enough = try MessageReader(Tree.self, stream: bytes, limits: limits)
    #expect(try enough.read { try depth($0) } == 9)
    limits.nesting = 9
    let tooFew = try MessageReader(Tree.self, stream: bytes, limits: limits)
    #expect(throws: CapnProtoError(.nestingLimitExceeded(limit: 9), at: .init(segment: 0, wordOffset: 134))) {
      try tooFew.read { try depth($0) }
    }
  }

  @Test("reading the same object again is charged again")
  func traversal() throws {
    var limits = ReadLimits.stream
    limits.traversalWords = 100
    try withMessage(
      [structPointer(offset: 0, data: 0, pointers: 1), listPointer(offset: 0, .eightBytes, count: 9)]
        + [UInt64](repeating: 1, count: 9), limits: limits
    ) { message in
      let root = try message.root(as: AnyStruct.self)
      for _ in 0..<11 { #expect(try root.list(at: 0, of: UInt64.self).count == 9) }
      let error = #expect(throws: CapnProtoError.self) { try root.list(at: 0, of: UInt64.self).count }
      #expect(error?.kind == .traversalLimitExceeded(limitWords: 100))
    }
  }

  @Test("elements without size are charged a word each")
  func amplification() throws {
    var limits = ReadLimits.stream
    limits.traversalWords = 1000
    for list in [
      [listPointer(offset: 0, .void, count: 1000)],
      [listPointer(offset: 0, .composite, count: 0), structPointer(offset: 1000, data: 0, pointers: 0)],
    ] {
      try withMessage([structPointer(offset: 0, data: 0, pointers: 1)] + list, limits: limits) { message in
        let root = try message.root(as: AnyStruct.self)
        let error = #expect(throws: CapnProtoError.self) { try root.list(at: 0, of: RawStructReader.self).count }
        #expect(error?.kind == .traversalLimitExceeded(limitWords: 1000))
      }
    }
  }

  @Test("the limits for a message in memory follow its size")
  func inPlace() {
    #expect(ReadLimits.inPlace(byteCount: 1 << 30).traversalWords == 1 << 30)
    #expect(ReadLimits.inPlace(byteCount: 100).traversalWords == 8 << 20)
    #expect(ReadLimits.inPlace(byteCount: .max).traversalWords == .max)
    #expect(ReadLimits.inPlace(byteCount: .min).traversalWords == 8 << 20)
  }

  @Test("segments are counted, summed and aligned")
  func segments() throws {
    let memory = SegmentMemory([[0, 0], [0]])
    withExtendedLifetime(memory) {
      func refusal(_ limits: ReadLimits) -> CapnProtoError.Kind? {
        do {
          _ = try memory.message(limits)
          return nil
        } catch { return error.kind }
      }
      #expect(refusal(ReadLimits(traversalWords: 1, segmentCount: 2, totalWords: 3)) == nil)
      #expect(
        refusal(ReadLimits(traversalWords: 1, segmentCount: 1, totalWords: 3)) == .tooManySegments(count: 2, limit: 1))
      #expect(
        refusal(ReadLimits(traversalWords: 1, segmentCount: 2, totalWords: 2))
          == .messageTooLarge(words: 3, limitWords: 2))
      let whole = UnsafeRawBufferPointer(memory.segments[0])
      for (part, index) in [(4..<12, 1), (0..<12, 1)] {
        let segments = [whole, UnsafeRawBufferPointer(rebasing: whole[part])]
        #expect(throws: CapnProtoError(.misalignedSegment(index: index))) {
          _ = try MessageSegments(segments, limits: .stream)
        }
      }
      #expect(throws: CapnProtoError(.noSegments)) { _ = try MessageSegments([], limits: .stream) }
    }
  }

  @Test("readers on several threads share one limit")
  func concurrentReaders() async throws {
    var limits = ReadLimits.stream
    limits.traversalWords = 10_000
    var builder = try MessageBuilder(Tree.self)
    _ = builder.root.initNumbers(36)
    let bytes = try builder.serialized()
    final class Shared: Sendable {
      let message: MessageReader<Tree>
      init(_ bytes: [UInt8], _ limits: ReadLimits) throws {
        message = try MessageReader(Tree.self, stream: bytes, limits: limits)
      }
    }
    let shared = try Shared(bytes, limits)
    let reads = await withTaskGroup(of: Int.self) { group in
      for _ in 0..<4 {
        group.addTask {
          var reads = 0
          while (try? shared.message.read({ try $0.numbers.count })) != nil { reads += 1 }
          return reads
        }
      }
      return await group.reduce(0, +)
    }
    // A read costs 15 words for the root and 9 for the list; lost charges may allow each thread as much again.
    #expect(reads >= 10_000 / 24)
    #expect(reads <= 4 * 10_000 / 24)
  }
}
