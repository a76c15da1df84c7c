import CapnProto

/// Reads, measures, copies, compares and canonicalises any bytes at all as a message.
enum ReaderTarget {
  static func run(_ input: UnsafeRawBufferPointer) {
    let segments = Segments(input)
    let limit = segments.traversalWords
    typedWalk(segments.message(), limit)
    untypedWalk(segments.message(), limit)
    attempt { try canonicalize(segments) }
    attempt { try copy(segments) }
  }

  private static func attempt(_ body: () throws -> Void) {
    do {
      try body()
    } catch {
      guard error is CapnProtoError else { fatalError("\(error)") }
    }
  }

  private static func typedWalk(_ message: consuming MessageSegments, _ limit: Int) {
    let message = message
    var walk = Walk(nestingLimit: Segments.nestingLimit)
    attempt { try walk.walk(message.root(as: Tree.self)) }
    walk.check(limitWords: limit)
  }

  private static func untypedWalk(_ message: consuming MessageSegments, _ limit: Int) {
    let message = message
    var walk = Walk(nestingLimit: Segments.nestingLimit)
    attempt { try walk.walk(message.rootPointer) }
    walk.check(limitWords: limit)
  }

  /// What is in canonical form is found to be so, has the same content, and the same canonical form.
  private static func canonicalize(_ segments: borrowing Segments) throws {
    let message = segments.message()
    let bytes = try message.root(as: Tree.self).raw.canonicalized()
    precondition(bytes.count <= (segments.traversalWords + 1) * 8, "a canonical form larger than the limit")
    // Exactly as much memory, so that the sanitizer sees every access beyond it.
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 8)
    defer { memory.deallocate() }
    memory.copyBytes(from: bytes)
    let canonical = try MessageSegments([UnsafeRawBufferPointer(memory)], limits: .stream)
    let isCanonical = try canonical.isCanonical()
    precondition(isCanonical, "a canonical form that is not canonical")
    let again = try canonical.root(as: Tree.self).raw.canonicalized()
    precondition(again == bytes, "a canonical form that has another")
    let fresh = segments.message()
    _ = try fresh.isCanonical()
    let equality = try fresh.root(as: Tree.self).raw.compare(to: canonical.root(as: Tree.self).raw)
    precondition(equality == .equal, "a canonical form with another content")
  }

  /// A copy has the same content and the size that was foretold.
  private static func copy(_ segments: borrowing Segments) throws(CapnProtoError) {
    let measured = segments.message()
    let size = try measured.rootPointer.totalSize()
    let message = segments.message()
    let compared = segments.message()
    precondition(size.wordCount <= segments.traversalWords, "a size above the limit")
    var builder = try MessageBuilder(
      AnyStruct.self, allocator: HeapSegmentAllocator(firstSegmentByteCount: 8 * (size.wordCount + 8)))
    builder.root.raw.pointer(at: 0).set(message.rootPointer)
    if let failure = builder.failure { throw failure }
    precondition(builder.segmentCount == 1, "a copy larger than was foretold")
    precondition(builder.byteCount == 8 * (size.wordCount + 2), "a copy of another size than was foretold")
    do {
      try builder.read { root in
        let equality = try compared.rootPointer.compare(to: root.pointer(at: 0))
        precondition(equality != .unequal, "a copy with another content")
      }
    } catch let error as CapnProtoError {
      throw error
    } catch {
      fatalError("\(error)")
    }
  }

  static func seeds() throws -> [[UInt8]] {
    var seeds: [[UInt8]] = []
    for byteCount in [8192, 256, 64] {
      for parts in [0, 3, 7] {
        var message = try MessageBuilder(Tree.self, allocator: SmallSegmentAllocator(byteCount: byteCount))
        fill(message.root, parts)
        seeds.append(encodeSegments(of: message))
      }
    }
    return seeds
  }

  /// Sets `parts`, three bits, of what a tree may have.
  static func fill(_ tree: Tree.Builder, _ parts: Int) {
    tree.id = 1
    tree.name = "name"
    if parts & 1 != 0 {
      tree.setBlob([1, 2, 3])
      let kids = tree.initKids(2)
      kids[1].name = "kid"
      kids[0].any.setText("any")
      tree.initTexts(2)[1] = "text"
      tree.initNumbers(5)[4] = 7
    }
    if parts & 2 != 0 {
      tree.initBits(70)[69] = true
      tree.initGrid(2).initList(at: 1, count: 2)[1].label = "leaf"
      tree.initBlobs(2).setData([9], at: 0)
      tree.initColors(3)[2] = .blue
    }
    if parts & 4 != 0 {
      tree.any.setCapability(index: 3)
      tree.initLeaf().weight = 2
      _ = tree.initVoids(3)
    }
  }
}

/// A message as an untyped struct with a pointer.
enum AnyStruct: StructSchema {
  typealias Reader = RawStructReader
  static let typeID: UInt64 = 0
  static let typeName = "AnyStruct"
  static let size = StructSize(dataWords: 0, pointers: 1)
  static var embeddedSchema: EmbeddedSchema { EmbeddedSchema(id: typeID, nodeWords: { [] }) }

  struct Builder: StructBuilder, ~Escapable {
    static var size: StructSize { AnyStruct.size }
    let raw: RawStructBuilder
    @_lifetime(copy raw) init(_ raw: RawStructBuilder) { self.raw = raw }
  }
}
