/// A value that stands elsewhere in the same container, or nil. Several pointers may lead to one value.
///
/// It lives no longer than the memory: the message that holds it.
@safe
public struct SharedPointer<Pointee: SharedValue & ~Escapable>: ~Escapable {
  @usableFromInline let region: SharedRegion
  /// Where the pointee's slot is; 0 for nil.
  @usableFromInline let target: Int

  @inlinable @_lifetime(copy region)
  init(_ region: SharedRegion, target: Int) {
    self.region = region
    self.target = target
  }

  /// Whether it leads nowhere.
  @inlinable
  public var isNil: Bool { target == 0 }

  /// What it leads to.
  ///
  /// - Throws: ``SharedError`` when that does not stand in the container.
  @inlinable
  public var pointee: Pointee? {
    @_lifetime(copy self) get throws(SharedError) {
      guard target != 0 else { return nil }
      try region.follow(target, count: 1, stride: Pointee.slotByteCount, "a pointee")
      return try Pointee(loading: region, at: target)
    }
  }
}

extension SharedPointer: SharedValue where Pointee: ~Escapable {
  /// A position, and a word that is not used.
  @inlinable
  public static var slotByteCount: Int { ContainerSlot.byteCount }
  /// That of the position.
  @inlinable
  public static var slotAlignment: Int { ContainerSlot.alignment }
  /// `pointer<…>`.
  public static func structure() throws(SharedError) -> String { "pointer<\(try Pointee.structure())>" }

  /// The pointer whose slot is at `position`. Where it leads is checked when it is followed.
  @inlinable @_lifetime(copy region)
  public init(loading region: SharedRegion, at position: Int) throws(SharedError) {
    let slot = try ContainerSlot(loading: region, at: position)
    self.init(region, target: slot.position)
  }
}

/// Two values side by side, of any types. Nested pairs make records of more.
///
/// It lives no longer than the memory: the message that holds it.
@safe
public struct SharedPair<First: SharedValue & ~Escapable, Second: SharedValue & ~Escapable>: ~Escapable {
  @usableFromInline let region: SharedRegion
  @usableFromInline let position: Int

  @inlinable @_lifetime(copy region)
  init(_ region: SharedRegion, checkedPosition position: Int) {
    self.region = region
    self.position = position
  }

  /// The first value.
  @inlinable
  public var first: First {
    @_lifetime(copy self) get throws(SharedError) { try First(loading: region, at: position) }
  }

  /// The second value.
  @inlinable
  public var second: Second {
    @_lifetime(copy self) get throws(SharedError) { try Second(loading: region, at: position &+ Self.secondOffset) }
  }

  @inlinable static var secondOffset: Int { First.slotByteCount.roundedUp(toMultipleOf: Second.slotAlignment) }
}

extension SharedPair: SharedValue where First: ~Escapable, Second: ~Escapable {
  /// Both slots, padded to the larger alignment.
  @inlinable
  public static var slotByteCount: Int { (secondOffset + Second.slotByteCount).roundedUp(toMultipleOf: slotAlignment) }
  /// The larger of the two.
  @inlinable
  public static var slotAlignment: Int { max(First.slotAlignment, Second.slotAlignment) }
  /// `pair<…,…>`.
  public static func structure() throws(SharedError) -> String {
    "pair<\(try First.structure()),\(try Second.structure())>"
  }

  /// The pair whose slot is at `position`.
  @inlinable @_lifetime(copy region)
  public init(loading region: SharedRegion, at position: Int) throws(SharedError) {
    try region.follow(position, count: 1, stride: Self.slotByteCount, "a pair")
    self.init(region, checkedPosition: position)
  }
}

extension Int {
  /// This number of bytes, in whole multiples of `alignment`, a power of two.
  @inlinable
  func roundedUp(toMultipleOf alignment: Int) -> Int { (self &+ alignment &- 1) & ~(alignment &- 1) }
}
