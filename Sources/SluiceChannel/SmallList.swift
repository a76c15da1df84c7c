/// A list that mostly has one element, which costs no allocation.
public struct SmallList<Element>: RandomAccessCollection {
  @usableFromInline var sole: Element?
  /// All elements, if there are several.
  @usableFromInline var several: [Element] = []

  /// An empty list.
  @inlinable public init() {}

  /// A list of the given elements.
  @inlinable public init(_ elements: some Sequence<Element>) {
    for element in elements { append(element) }
  }

  /// Where the first element is.
  @inlinable public var startIndex: Int { 0 }
  /// How many elements there are.
  @inlinable public var endIndex: Int { several.isEmpty ? (sole == nil ? 0 : 1) : several.count }

  /// The element at `index`. Traps where there is none.
  @inlinable public subscript(index: Int) -> Element {
    get {
      guard several.isEmpty, index == 0, let sole else { return several[index] }
      return sole
    }
    set {
      guard several.isEmpty, index == 0, sole != nil else { return several[index] = newValue }
      sole = newValue
    }
  }

  /// Adds an element at the end.
  @inlinable public mutating func append(_ element: Element) {
    if !several.isEmpty {
      several.append(element)
    } else if let first = sole.take() {
      several = [first, element]
    } else {
      sole = element
    }
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
