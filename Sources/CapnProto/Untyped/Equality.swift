/// Whether two objects have the same content.
public enum Equality: Sendable, Hashable {
  /// They have.
  case equal
  /// They have not.
  case unequal
  /// They have, but for capabilities, which messages do not tell apart.
  case unknownCapabilities
}

extension AnyPointerReader {
  /// Compares what this and `other` lead to, with all that it owns. Structs are equal if what one has more is zero, lists if
  /// their elements are of the same size and equal.
  ///
  /// - Throws: What is wrong with a pointer, or a limit that was met. Looking at an object costs as much as reading it.
  public func compare(to other: AnyPointerReader) throws(CapnProtoError) -> Equality {
    var comparison = Comparison(view, other.view)
    comparison.pending.append((view, other.view))
    return try comparison.run()
  }
}

extension RawStructReader {
  /// Compares this struct and `other`, as ``AnyPointerReader/compare(to:)`` does.
  ///
  /// - Throws: What is wrong with a pointer, or a limit that was met.
  public func compare(to other: RawStructReader) throws(CapnProtoError) -> Equality {
    let origin = unsafe PointerView(segment: view.segment, location: nil, nesting: 0)
    let otherOrigin = unsafe PointerView(segment: other.view.segment, location: nil, nesting: 0)
    var comparison = Comparison(origin, otherOrigin)
    return try comparison.areEqual(view, other.view) ? comparison.run() : .unequal
  }
}

/// Compares objects without recursion. The work is bounded as the copier's is.
private struct Comparison: ~Copyable {
  var pending: [(PointerView, PointerView)] = []
  private var budget: Int
  private var hasCapabilities = false

  init(_ first: PointerView, _ second: PointerView) {
    // Sound: records live as long as their messages.
    budget = unsafe min(
      first.segment.pointee.message.pointee.wordBudget(), second.segment.pointee.message.pointee.wordBudget())
  }

  mutating func run() throws(CapnProtoError) -> Equality {
    while let (first, second) = pending.popLast() {
      guard try areEqual(first, second) else { return .unequal }
    }
    return hasCapabilities ? .unknownCapabilities : .equal
  }

  private mutating func areEqual(_ first: PointerView, _ second: PointerView) throws(CapnProtoError) -> Bool {
    switch (try first.content(), try second.content()) {
    case (.null, .null): return true
    case (.structure(let first), .structure(let second)): return try areEqual(first, second)
    case (.list(let first), .list(let second)): return try areEqual(first, second)
    case (.other, .other):
      hasCapabilities = true
      return true
    default: return false
    }
  }

  mutating func areEqual(_ first: StructView, _ second: StructView) throws(CapnProtoError) -> Bool {
    try spend(Int(first.dataBits) &>> 6 &+ Int(first.pointerCount), first)
    for index in 0..<Int(max(first.dataBits, second.dataBits) &>> 3)
    where first.load(UInt8.self, at: index) != second.load(UInt8.self, at: index) {
      return false
    }
    for index in stride(from: Int(max(first.pointerCount, second.pointerCount)) - 1, through: 0, by: -1) {
      let pair = (first.pointer(index), second.pointer(index))
      if !pair.0.isNull || !pair.1.isNull { pending.append(pair) }
    }
    return true
  }

  private mutating func areEqual(_ first: ListView, _ second: ListView) throws(CapnProtoError) -> Bool {
    guard first.elementSize == second.elementSize, first.count == second.count else { return false }
    if first.elementSize == .bit {
      for index in 0..<Int(first.count) where first.loadBit(index) != second.loadBit(index) { return false }
    } else if first.elementSize != .void {
      for index in 0..<Int(first.count) where try !areEqual(first.structure(index), second.structure(index)) {
        return false
      }
    }
    return true
  }

  private mutating func spend(_ words: Int, _ structure: StructView) throws(CapnProtoError) {
    guard words <= budget else {
      throw unsafe CapnProtoError(
        .traversalLimitExceeded(limitWords: budget), at: structure.segment.pointee.location(of: structure.data))
    }
    budget -= words
  }
}

extension MessageRecord {
  /// The words that walking the message may look at. Where it is read, its traversal limit counts; one under construction
  /// has no more than are in use, unless somebody tampered with it.
  borrowing func wordBudget() -> Int { unsafe builder == nil ? .max : usedWordCount() }
}
