/// What can be written to shared memory, and as what: plain values as themselves, `Int` and `UInt` as 64 bits, `Bool` as
/// ``SharedBool``, `String` as ``SharedString``, an array as ``SharedArray``, a dictionary as ``SharedDictionary``, an optional
/// as ``SharedPointer``, nested as deeply as types go.
public protocol SharedSource<Stored> {
  /// As what it is written.
  associatedtype Stored: SharedValue & ~Escapable
  /// Writes the slot at `position`, which was reserved for it and is zero, and what the slot leads to elsewhere.
  func store(at position: Int, in builder: inout SharedBuilder) throws(SharedError)
  /// Writes the slots of `elements` from `position` on, where room for them was reserved.
  static func store(_ elements: [Self], at position: Int, in builder: inout SharedBuilder) throws(SharedError)
}

/// A source of keys.
public protocol SharedKeySource: SharedSource where Stored: SharedKey {
  /// What the key is looked up with.
  var lookup: Stored.Lookup { get }
}

extension SharedSource {
  /// Writes one slot after the other.
  @inlinable
  public static func store(
    _ elements: [Self], at position: Int, in builder: inout SharedBuilder
  ) throws(SharedError) {
    let stride = Stored.slotByteCount
    try builder.zero(position, byteCount: elements.count &* stride)
    var place = position
    for element in elements {
      try element.store(at: place, in: &builder)
      place &+= stride
    }
  }
}

extension PlainBits {
  /// Writes the value.
  @inlinable
  public func store(at position: Int, in builder: inout SharedBuilder) throws(SharedError) {
    try builder.store(self, at: position)
  }

  /// Copies all values at once.
  @inlinable
  public static func store(
    _ elements: [Self], at position: Int, in builder: inout SharedBuilder
  ) throws(SharedError) {
    let span = elements.span
    // Sound: a plain type has no padding, so that all bytes are initialised.
    unsafe try builder.store(span.bytes, at: position)
  }
}

extension Int: SharedSource {
  /// 64 bits, on every machine.
  public typealias Stored = Int64
  /// Writes 64 bits.
  @inlinable
  public func store(at position: Int, in builder: inout SharedBuilder) throws(SharedError) {
    try builder.store(Int64(self), at: position)
  }
}

extension Int: SharedKeySource {
  /// 64 bits.
  @inlinable
  public var lookup: Int64 { Int64(self) }
}

extension UInt: SharedSource {
  /// 64 bits, on every machine.
  public typealias Stored = UInt64
  /// Writes 64 bits.
  @inlinable
  public func store(at position: Int, in builder: inout SharedBuilder) throws(SharedError) {
    try builder.store(UInt64(self), at: position)
  }
}

extension UInt: SharedKeySource {
  /// 64 bits.
  @inlinable
  public var lookup: UInt64 { UInt64(self) }
}

extension Bool: SharedSource {
  /// A byte.
  public typealias Stored = SharedBool
  /// Writes a byte.
  @inlinable
  public func store(at position: Int, in builder: inout SharedBuilder) throws(SharedError) {
    try builder.store(SharedBool(self), at: position)
  }
}

extension String: SharedKeySource {
  /// UTF-8.
  public typealias Stored = SharedString
  /// The text itself.
  public var lookup: String { self }

  /// Copies its UTF-8.
  @inlinable
  public func store(at position: Int, in builder: inout SharedBuilder) throws(SharedError) {
    var text = self
    let count = text.utf8.count
    guard count > 0 else { return try builder.store(ContainerSlot(position: 0, count: 0), at: position) }
    let target = try builder.reserve(count: count, stride: 1, alignment: 1)
    // Not in the closure, which could not take the builder along.
    let utf8 = text.makeUTF8()
    try builder.store(utf8, at: target)
    try builder.store(ContainerSlot(position: target, count: count), at: position)
  }

  /// Its UTF-8 in one piece.
  @usableFromInline @_lifetime(&self)
  mutating func makeUTF8() -> RawSpan {
    makeContiguousUTF8()
    return unsafe utf8Span.span.bytes
  }
}

extension Array: SharedSource where Element: SharedSource {
  /// An array.
  public typealias Stored = SharedArray<Element.Stored>

  /// Writes the elements side by side.
  @inlinable
  public func store(at position: Int, in builder: inout SharedBuilder) throws(SharedError) {
    guard !isEmpty else { return try builder.store(ContainerSlot(position: 0, count: 0), at: position) }
    let target = try builder.reserve(
      count: count, stride: Element.Stored.slotByteCount, alignment: Element.Stored.slotAlignment)
    try Element.store(self, at: target, in: &builder)
    try builder.store(ContainerSlot(position: target, count: count), at: position)
  }
}

extension Optional: SharedSource where Wrapped: SharedSource {
  /// A pointer, which can be nil.
  public typealias Stored = SharedPointer<Wrapped.Stored>

  /// Writes the value elsewhere, and a pointer to it.
  @inlinable
  public func store(at position: Int, in builder: inout SharedBuilder) throws(SharedError) {
    guard let value = self else { return try builder.store(ContainerSlot(position: 0, count: 0), at: position) }
    let target = try builder.write(value)
    try target.pointer.store(at: position, in: &builder)
  }
}

extension Dictionary: SharedSource where Key: SharedKeySource, Value: SharedSource {
  /// A dictionary.
  public typealias Stored = SharedDictionary<Key.Stored, Value.Stored>

  /// Writes the entries, in the dictionary's order, which differs from run to run.
  @inlinable
  public func store(at position: Int, in builder: inout SharedBuilder) throws(SharedError) {
    try builder.storeDictionary(keys: Array(keys), values: Array(values), at: position)
  }
}

/// A source of pairs.
public struct SharedPairSource<First: SharedSource, Second: SharedSource>: SharedSource {
  /// A pair.
  public typealias Stored = SharedPair<First.Stored, Second.Stored>

  /// What is written first.
  public var first: First
  /// What is written behind it.
  public var second: Second

  /// A pair of the two.
  public init(_ first: First, _ second: Second) {
    self.first = first
    self.second = second
  }

  /// Writes both slots.
  @inlinable
  public func store(at position: Int, in builder: inout SharedBuilder) throws(SharedError) {
    try first.store(at: position, in: &builder)
    try second.store(at: position &+ Stored.secondOffset, in: &builder)
  }
}

extension SharedPairSource: Sendable where First: Sendable, Second: Sendable {}
