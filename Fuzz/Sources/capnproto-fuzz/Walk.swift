import CapnProto

/// Looks at everything that a message has, and counts how many times it looked at something.
///
/// A word of a message can be eight bytes that are each read as a struct with some twenty fields, or 64 bits; and it counts
/// against the limit. So the limit bounds the steps.
struct Walk {
  /// The message's limit. Walks count the root's pointer, and one through a typed field's, as a level too.
  let nestingLimit: Int
  private(set) var steps = 0
  private var checksum: UInt64 = 0

  init(nestingLimit: Int) { self.nestingLimit = nestingLimit }

  /// Traps if more was looked at than the limit of `words` allows.
  func check(limitWords words: Int) {
    precondition(steps <= (words + 16) * 256, "\(steps) steps with a limit of \(words) words")
  }

  private mutating func see(_ value: some BinaryInteger) {
    steps += 1
    checksum = checksum &* 31 &+ UInt64(truncatingIfNeeded: value)
  }

  private mutating func see(_ bytes: RawSpan) {
    steps += bytes.byteCount / 8 + 1
    for offset in stride(from: 0, to: bytes.byteCount, by: 8) {
      checksum = checksum &+ UInt64(bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt8.self))
    }
  }

  // MARK: With types

  mutating func walk(_ tree: Tree.Reader, depth: Int = 0) throws(CapnProtoError) {
    precondition(depth <= nestingLimit + 2, "nested deeper than the limit")
    see(tree.id)
    see(tree.small)
    see(tree.color.rawValue)
    see(tree.flag ? 1 : 0)
    attempt { (walk) throws(CapnProtoError) in walk.see(try tree.name.utf8.count) }
    attempt { (walk) throws(CapnProtoError) in walk.see(try tree.nameBytes) }
    attempt { (walk) throws(CapnProtoError) in walk.see(try tree.blob) }
    attempt { (walk) throws(CapnProtoError) in
      let kids = try tree.kids
      for index in kids.indices { try walk.walk(kids[index], depth: depth + 1) }
    }
    attempt { (walk) throws(CapnProtoError) in
      let texts = try tree.texts
      for index in texts.indices { walk.see(try texts[index].utf8.count) }
    }
    attempt { (walk) throws(CapnProtoError) in
      let numbers = try tree.numbers
      for index in numbers.indices { walk.see(numbers[index]) }
      if let span = numbers.span { walk.see(span.count) }
    }
    attempt { (walk) throws(CapnProtoError) in
      let bits = try tree.bits
      for index in bits.indices { walk.see(bits[index] ? 1 : 0) }
    }
    attempt { (walk) throws(CapnProtoError) in
      let grid = try tree.grid
      for index in grid.indices {
        let row = try grid[index]
        for column in row.indices { try walk.walk(row[column]) }
      }
    }
    attempt { (walk) throws(CapnProtoError) in
      let blobs = try tree.blobs
      for index in blobs.indices { walk.see(try blobs[index]) }
    }
    attempt { (walk) throws(CapnProtoError) in
      let colors = try tree.colors
      for index in colors.indices { walk.see(colors[index].rawValue) }
    }
    attempt { (walk) throws(CapnProtoError) in walk.see(try tree.voids.count) }
    attempt { (walk) throws(CapnProtoError) in
      switch try tree.which {
      case .leaf(let leaf): try walk.walk(leaf)
      case .number(let number): walk.see(number)
      case .unknown(let tag): walk.see(tag)
      case .none: break
      }
    }
    attempt { (walk) throws(CapnProtoError) in try walk.walk(tree.any, depth: depth + 1) }
  }

  private mutating func walk(_ leaf: Leaf.Reader) throws(CapnProtoError) {
    see(leaf.weight.bitPattern)
    see(try leaf.label.utf8.count)
  }

  /// Goes on with the next field after an error, unless it is that no more may be read.
  private mutating func attempt(_ body: (inout Walk) throws(CapnProtoError) -> Void) {
    do { try body(&self) } catch { steps += 1 }
  }

  // MARK: Without types

  mutating func walk(_ pointer: AnyPointerReader, depth: Int = 0) throws(CapnProtoError) {
    precondition(depth <= nestingLimit + 2, "nested deeper than the limit")
    steps += 1
    if pointer.isNull { return }
    do throws(CapnProtoError) {
      let structure = try pointer.asRawStruct()
      return try walk(structure, depth: depth)
    } catch {
      if case .wrongPointerKind = error.kind {} else { throw error }
    }
    do throws(CapnProtoError) {
      let list = try pointer.asAnyList()
      see(list.bytes)
      guard list.elementSize == .composite || list.elementSize == .pointer else { return }
      for index in 0..<list.count { try walk(list.structure(at: index), depth: depth) }
    } catch {
      if case .wrongPointerKind = error.kind {} else { throw error }
    }
    see(try pointer.capabilityIndex() ?? 0)
  }

  mutating func walk(_ structure: RawStructReader, depth: Int) throws(CapnProtoError) {
    see(structure.dataSection)
    let pointers = structure.pointerSection
    for index in pointers.indices { try walk(pointers[index], depth: depth + 1) }
  }
}
