import CapnProto

/// Builds a message by commands that the bytes are: sets, replaces, moves, resizes, copies; and, if the first byte says so,
/// lets somebody scribble over the memory meanwhile. What was built soundly must read as it was built.
enum BuilderTarget {
  static func run(_ input: UnsafeRawBufferPointer) {
    guard input.count >= 2 else { return }
    var commands = Commands(input.dropFirst(2))
    let isHostile = input[0] & 1 != 0
    let allocator = SmallSegmentAllocator(byteCount: (Int(input[1]) % 64 + 4) * 32, byteLimit: 1 << 18)
    do {
      var message = try MessageBuilder(Tree.self, allocator: allocator)
      var count = 0
      while let command = commands.next(), count < 200 {
        count += 1
        if isHostile, command & 15 == 15 {
          allocator.scribble(commands.number(1 << 16), UInt8(truncatingIfNeeded: commands.number(256)))
        } else if command & 127 == 126 {
          message.reset()
        } else {
          apply(command, to: message.root, &commands, depth: 0)
        }
      }
      if !isHostile { check(message) } else { look(message) }
    } catch {
      guard case .allocationFailed = error.kind else { fatalError("\(error)") }
    }
  }

  private static func apply(_ command: UInt8, to tree: Tree.Builder, _ commands: inout Commands, depth: Int) {
    let size = commands.number(40)
    switch command & 31 {
    case 0: tree.id = UInt32(size)
    case 1: tree.name = String(repeating: "n", count: size)
    case 2: tree.setBlob([UInt8](repeating: 7, count: size))
    case 3: tree.initBlob(byteCount: size) { blob in for _ in 0..<size / 2 { blob.append(UInt8(9)) } }
    case 4: _ = tree.initKids(size / 4)
    case 5, 6, 7:
      let kids = tree.kids
      if !kids.isEmpty, depth < 8, let inner = commands.next() {
        apply(inner, to: kids[size % kids.count], &commands, depth: depth + 1)
      }
    case 8: tree.initTexts(size / 4 + 1)[size / 4] = "text"
    case 9:
      let texts: ListBuilder<String> = tree.raw.list(at: 3)
      if !texts.isEmpty { texts.adopt(texts.disown(at: size % texts.count), at: 0) }
    case 10: tree.raw.resizeList(at: 2, of: Tree.Builder.self, to: size / 4)
    case 11: tree.raw.resizeList(at: 4, of: UInt16.self, to: size)
    case 12: tree.raw.resizeText(at: 0, toByteCount: size)
    case 13: tree.raw.resizeData(at: 1, toByteCount: size)
    case 14: tree.initNumbers(size + 1)[size] = 7
    case 15: tree.initBits(size + 1)[size] = true
    case 16: tree.raw.resizeList(at: 5, of: Bool.self, to: size)
    case 17: tree.initGrid(size / 8 + 1).initList(at: size / 8, count: size / 8 + 1)[size / 8].label = "leaf"
    case 18: tree.raw.resizeList(at: 3, of: String.self, to: size / 4)
    case 19: tree.any.set(tree.asReader.any)
    case 20: tree.raw.setStructure(tree.raw.asReader, at: 9)
    case 21: tree.raw.adopt(tree.raw.disown(at: 2, as: AnyPointerBuilder.self), at: 9)
    case 22: tree.raw.adopt(tree.raw.disown(at: 9, as: AnyPointerBuilder.self), at: 2)
    case 23: tree.raw.clearPointer(at: size % 12)
    case 24: tree.initLeaf().label = String(repeating: "l", count: size)
    case 25: tree.initBlobs(size / 8 + 1).setData([1, 2, 3], at: size / 8)
    case 26: tree.any.setCapability(index: UInt32(size))
    case 27:
      let old = tree.raw.initList(at: 2, count: size / 4, of: UInt32.self)
      for index in old.indices { old[index] = UInt32(index) }
    case 28: _ = tree.raw.disown(at: size % 12, as: AnyPointerBuilder.self)
    case 29:
      let orphan = tree.raw.orphanage.newStruct(Tree.self)
      orphan.builder.name = "orphan"
      let kids = tree.kids
      if !kids.isEmpty { kids.adopt(orphan, at: size % kids.count) }
    case 30:
      let kids = tree.kids
      if !kids.isEmpty { kids.setStructure(tree.asReader, at: size % kids.count) }
    default:
      let layout = ElementLayout(.composite, structSize: StructSize(dataWords: 1, pointers: 0))
      let leaves = tree.any.initAnyList(layout, count: size / 8 + 1).asList(of: Leaf.Builder.self)
      if !leaves.isEmpty { leaves[0].label = "leaf" }
    }
  }

  /// A message that was built soundly has no failure but for its limit, and reads back equal.
  private static func check(_ message: borrowing MessageBuilder<Tree>) {
    do {
      if let failure = message.failure { throw failure }
      let bytes = try message.serialized()
      let received = try MessageReader(Tree.self, stream: bytes)
      var walk = Walk(nestingLimit: ReadLimits.stream.nesting)
      let root = try received.root
      try walk.walk(root.raw, depth: 0)
      try message.read { built in
        let equality = try built.raw.compare(to: root.raw)
        precondition(equality != .unequal, "what was built reads otherwise")
      }
      let packed = try message.packed()
      let unpacked = try PackedDecoder.decode(packed.span.bytes, wordLimit: bytes.count / 8)
      precondition(unpacked == bytes, "what was packed unpacks to something else")
    } catch let error as CapnProtoError {
      switch error.kind {
      // The kinds of failure that a sound program may meet here: limits of the allocator and of the reader, its own mistakes
      // about types, and the depth of copies of copies.
      case .allocationFailed, .tooManySegments, .messageTooLarge, .wrongPointerKind, .incompatibleElements,
        .nestingLimitExceeded, .traversalLimitExceeded,
        .textNotTerminated:
        break
      default: fatalError("\(error)")
      }
    } catch {
      fatalError("\(error)")
    }
  }

  /// Of a message that somebody scribbled over, nothing is expected but an end.
  private static func look(_ message: borrowing MessageBuilder<Tree>) {
    guard let bytes = try? message.serialized(), let received = try? MessageReader(Tree.self, stream: bytes) else {
      return
    }
    var walk = Walk(nestingLimit: ReadLimits.stream.nesting)
    try? received.read { try walk.walk($0) }
    _ = try? message.packed()
  }

  static func seeds() -> [[UInt8]] {
    let all: [UInt8] = (0..<32).flatMap { [UInt8($0), UInt8($0 &* 7 % 40)] }
    return [
      [0, 0] + all, [0, 60] + all + all.reversed(), [1, 3] + all,
      [0, 1, 4, 20, 5, 8, 1, 30, 10, 39, 21, 0, 22, 0, 27, 30, 5, 1, 2, 9],
      [1, 9, 17, 30, 15, 200, 9, 19, 0, 20, 0, 15, 3, 77, 10, 30],
    ]
  }
}

/// The bytes as commands and their operands.
struct Commands {
  private var rest: Slice<UnsafeRawBufferPointer>

  init(_ bytes: Slice<UnsafeRawBufferPointer>) { rest = bytes }

  mutating func next() -> UInt8? { rest.popFirst() }

  /// A number below `limit`; 0 when there are no more bytes.
  mutating func number(_ limit: Int) -> Int {
    guard let low = rest.popFirst() else { return 0 }
    let high = limit > 256 ? rest.popFirst() ?? 0 : 0
    return (Int(high) << 8 | Int(low)) % limit
  }
}
