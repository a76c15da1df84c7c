/// A run of elements in shared memory, read in place. It lives no longer than the memory: the message that holds it.
///
/// The elements of a plain type are checked once, when the array is reached, and then cost what a load costs; those that are
/// containers themselves are checked when they are asked for. A small value. Any thread may read it.
@safe
public struct SharedArray<Element: SharedValue & ~Escapable>: ~Escapable {
  @usableFromInline let region: SharedRegion
  /// All elements from here on are in bounds.
  @usableFromInline let position: Int
  /// How many elements there are.
  public let count: Int

  /// Whether there are none.
  @inlinable
  public var isEmpty: Bool { count == 0 }

  /// All valid indices, as in `for i in array.indices`.
  @inlinable
  public var indices: Range<Int> { unsafe Range(uncheckedBounds: (0, count)) }

  @inlinable @_lifetime(copy region)
  init(_ region: SharedRegion, checkedPosition position: Int, count: Int) {
    self.region = region
    self.position = position
    self.count = count
  }

  @inlinable @inline(__always)
  func place(_ index: Int) -> Int {
    precondition(index >= 0 && index < count, "Index out of range")
    return position &+ index &* Element.slotByteCount
  }
}

extension SharedArray: SharedValue where Element: ~Escapable {
  /// A position and a count.
  @inlinable
  public static var slotByteCount: Int { ContainerSlot.byteCount }
  /// That of the position.
  @inlinable
  public static var slotAlignment: Int { ContainerSlot.alignment }
  /// `array<…>`.
  public static func structure() throws(SharedError) -> String { "array<\(try Element.structure())>" }

  /// The array whose slot is at `position`; checks that all its elements stand in the region.
  @inlinable @_lifetime(copy region)
  public init(loading region: SharedRegion, at position: Int) throws(SharedError) {
    let slot = try ContainerSlot(loading: region, at: position)
    try region.follow(slot.position, count: slot.count, stride: Element.slotByteCount, "an array")
    self.init(region, checkedPosition: slot.position, count: slot.count)
  }
}

// MARK: - Elements

extension SharedArray where Element: ~Escapable {
  /// The element at `index`, which must be in range: else this program is wrong, and traps.
  @inlinable
  public subscript(index: Int) -> Element {
    @_lifetime(copy self) get throws(SharedError) {
      let place = place(index)
      return try Element(loading: region, at: place)
    }
  }

  /// Calls `body` with each element, in order.
  @inlinable
  public func forEach(_ body: (Element) throws -> Void) throws {
    for index in indices { try body(self[index]) }
  }
}

extension SharedArray where Element: PlainBits {
  /// The element at `index`, which must be in range: else this program is wrong, and traps.
  @inlinable
  public subscript(index: Int) -> Element {
    @inline(__always) get {
      // Sound: in bounds, and every bit pattern is a value.
      unsafe region.bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: place(index), as: Element.self)
    }
  }

  /// The elements in place: the fastest way to read many. Their writer could be changing them meanwhile.
  ///
  /// - Throws: ``SharedError/misaligned(position:alignment:)`` when they are not aligned, which a ``SharedBuilder`` always
  ///   does; a copy elsewhere need not keep an alignment above 8.
  @inlinable
  public var span: Span<Element> {
    @_lifetime(copy self) get throws(SharedError) {
      let bytes = bytes
      let memory = unsafe bytes.withUnsafeBytes { unsafe $0 }
      guard count == 0 || UInt(bitPattern: memory.baseAddress) % UInt(MemoryLayout<Element>.alignment) == 0 else {
        throw .misaligned(position: position, alignment: MemoryLayout<Element>.alignment)
      }
      // Sound: the memory stays as long as this array may; aligned, as checked, and every bit pattern is a value.
      return unsafe _overrideLifetime(Span(_unsafeBytes: memory), copying: self)
    }
  }

  /// The elements' bytes in place.
  @inlinable
  public var bytes: RawSpan {
    @_lifetime(copy self) get {
      region.span(position, byteCount: count &* Element.slotByteCount)
    }
  }

  /// All elements, copied.
  @inlinable
  public func copy() -> [Element] {
    // An empty array has no place.
    guard count > 0 else { return [] }
    let bytes = bytes
    return unsafe [Element](unsafeUninitializedCapacity: count) { target, initialized in
      // Sound: the array has room for as many; every bit pattern is a value.
      unsafe bytes.withUnsafeBytes { unsafe UnsafeMutableRawBufferPointer(target).copyMemory(from: $0) }
      initialized = count
    }
  }
}
