extension Envelope {
  /// The parts of a message, in their order. One or two, as most messages have, cost no allocation; a value without
  /// references then, so that copies are cheap.
  public struct Parts: RandomAccessCollection, MutableCollection, Sendable, Hashable, ExpressibleByArrayLiteral {
    @usableFromInline var first = Part(segmentID: 0, offset: 0, byteCount: 0)
    @usableFromInline var second = Part(segmentID: 0, offset: 0, byteCount: 0)
    /// The third and later ones. Nil for none: to copy an empty array costs a call.
    @usableFromInline var others: [Part]?
    /// How many parts there are.
    public private(set) var count = 0

    /// No parts.
    public init() {}

    /// The given parts.
    public init(arrayLiteral elements: Part...) {
      for element in elements { append(element) }
    }

    /// Where the first part is.
    public var startIndex: Int { 0 }
    /// How many parts there are.
    public var endIndex: Int { count }

    /// The part at `index`. Traps where there is none.
    public subscript(index: Int) -> Part {
      get {
        precondition(index >= 0 && index < count, "Index out of range")
        if index == 0 { return first }
        if index == 1 { return second }
        return other(index)
      }
      set {
        precondition(index >= 0 && index < count, "Index out of range")
        switch index {
        case 0: first = newValue
        case 1: second = newValue
        default: others?[index - 2] = newValue
        }
      }
    }

    @inline(never) private func other(_ index: Int) -> Part { others?[index - 2] ?? first }

    /// Makes room for so many parts at once.
    mutating func reserveCapacity(_ count: Int) {
      guard count > 2, others == nil else { return }
      others = []
      others?.reserveCapacity(count - 2)
    }

    /// Calls `body` with each part, without counting references.
    @inline(__always) func forEachPart(_ body: (Part) -> Void) {
      if count > 0 { body(first) }
      if count > 1 { body(second) }
      switch others {
      case let others?: for index in others.indices { body(others[index]) }
      case nil: break
      }
    }

    /// Adds a part at the end.
    public mutating func append(_ part: Part) {
      switch count {
      case 0: first = part
      case 1: second = part
      default: appendOther(part)
      }
      count += 1
    }

    // Out of line: a literal array would be made wherever this is inlined.
    @inline(never) private mutating func appendOther(_ part: Part) {
      if others == nil { others = [part] } else { others?.append(part) }
    }
  }
}
