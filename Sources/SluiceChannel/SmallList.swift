/// A list that mostly has one or two elements, which cost no allocation.
public struct SmallList<Element>: RandomAccessCollection {
  @usableFromInline var first: Element?
  @usableFromInline var second: Element?
  /// The third and later elements. Nil for none: to copy an empty array costs a call.
  @usableFromInline var others: [Element]?

  /// An empty list.
  @inlinable public init() {}

  /// A list of the given elements.
  @inlinable public init(_ elements: some Sequence<Element>) {
    for element in elements { append(element) }
  }

  /// Where the first element is.
  @inlinable public var startIndex: Int { 0 }
  /// How many elements there are.
  @inlinable public var endIndex: Int {
    if second == nil { return first == nil ? 0 : 1 }
    guard let others else { return 2 }
    return others.count + 2
  }

  /// The element at `index`. Traps where there is none.
  @inlinable public subscript(index: Int) -> Element {
    get {
      if index == 0, let first { return first }
      if index == 1, let second { return second }
      guard index >= 2, let others else { preconditionFailure("Index out of range") }
      return others[index - 2]
    }
    set {
      precondition(index >= 0 && index < endIndex, "Index out of range")
      switch index {
      case 0: first = newValue
      case 1: second = newValue
      default: others?[index - 2] = newValue
      }
    }
  }

  /// Adds an element at the end.
  @inlinable public mutating func append(_ element: Element) {
    if first == nil {
      first = element
    } else if second == nil {
      second = element
    } else {
      spill(element)
    }
  }

  @inline(never) @usableFromInline mutating func spill(_ element: Element) {
    if others == nil { others = [element] } else { others?.append(element) }
  }
}

extension SmallList: MutableCollection {}
extension SmallList: Sendable where Element: Sendable {}
extension SmallList: Equatable where Element: Equatable {}
extension SmallList: Hashable where Element: Hashable {}

extension SmallList: ExpressibleByArrayLiteral {
  /// A list of the given elements.
  @inlinable public init(arrayLiteral elements: Element...) { self.init(elements) }
}
