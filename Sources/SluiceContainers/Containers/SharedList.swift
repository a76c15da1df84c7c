/// Elements in the order in which they were appended, in shared memory: for building without knowing how many there will
/// be. Read from the front, in place; it lives no longer than the memory: the message that holds it.
///
/// The elements stand in chunks, each of which leads to the next:
///
/// | offset | size | field |
/// |---|---|---|
/// | 0 | 4 | position of the next chunk, 0 for none |
/// | 4 | 4 | elements in this chunk |
/// | 8, aligned | slots | the elements |
///
/// A list ends after as many elements as it says it has, so that chunks that lead back cannot make it endless.
@safe
public struct SharedList<Element: SharedValue & ~Escapable>: ~Escapable {
  @usableFromInline let region: SharedRegion
  @usableFromInline let firstChunk: Int
  /// How many elements there are.
  public let count: Int

  @inlinable @_lifetime(copy region)
  init(_ region: SharedRegion, firstChunk: Int, count: Int) {
    self.region = region
    self.firstChunk = firstChunk
    self.count = count
  }

  /// Whether there are none.
  @inlinable
  public var isEmpty: Bool { count == 0 }

  /// A cursor before the first element.
  @inlinable
  public var cursor: SharedListCursor<Element> {
    @_lifetime(copy self) get { SharedListCursor(region, nextChunk: firstChunk, left: count) }
  }

  /// Calls `body` with each element, in order.
  @inlinable
  public func forEach(_ body: (Element) throws -> Void) throws {
    var cursor = cursor
    while let element = try cursor.next() { try body(element) }
  }
}

extension SharedList where Element: PlainBits {
  /// All elements, copied.
  @inlinable
  public func copy() throws(SharedError) -> [Element] {
    var elements: [Element] = []
    elements.reserveCapacity(count)
    var cursor = cursor
    while let element = try cursor.next() { elements.append(element) }
    return elements
  }
}

extension SharedList: SharedValue where Element: ~Escapable {
  /// A position and a count.
  @inlinable
  public static var slotByteCount: Int { ContainerSlot.byteCount }
  /// That of the position.
  @inlinable
  public static var slotAlignment: Int { ContainerSlot.alignment }
  /// `list<…>`.
  public static func structure() throws(SharedError) -> String { "list<\(try Element.structure())>" }

  /// The list whose slot is at `position`; checks that as many elements could stand in the region.
  @inlinable @_lifetime(copy region)
  public init(loading region: SharedRegion, at position: Int) throws(SharedError) {
    let slot = try ContainerSlot(loading: region, at: position)
    // Counted here for all chunks. That they stand in the region is checked chunk by chunk.
    try region.follow(0, count: slot.count, stride: Element.slotByteCount, "a list")
    self.init(region, firstChunk: slot.position, count: slot.count)
  }

  /// Where the elements of a chunk begin in it.
  @inlinable static var chunkHeaderByteCount: Int {
    ContainerSlot.byteCount.roundedUp(toMultipleOf: Element.slotAlignment)
  }
  /// A chunk stands on a multiple of this.
  @inlinable static var chunkAlignment: Int { max(ContainerSlot.alignment, Element.slotAlignment) }
}

/// A place in a ``SharedList``, which goes from the front to the end once.
@safe
public struct SharedListCursor<Element: SharedValue & ~Escapable>: ~Escapable {
  @usableFromInline let region: SharedRegion
  @usableFromInline var nextChunk: Int
  @usableFromInline var position = 0
  @usableFromInline var leftInChunk = 0
  @usableFromInline var left: Int

  @inlinable @_lifetime(copy region)
  init(_ region: SharedRegion, nextChunk: Int, left: Int) {
    self.region = region
    self.nextChunk = nextChunk
    self.left = left
  }

  /// The next element; nil behind the last.
  ///
  /// - Throws: ``SharedError`` when a chunk does not stand in the container, or the list ends before its last element.
  @inlinable @_lifetime(copy self)
  public mutating func next() throws(SharedError) -> Element? {
    guard left > 0 else { return nil }
    if leftInChunk == 0 { try enterChunk() }
    left &-= 1
    leftInChunk &-= 1
    let place = position
    position &+= Element.slotByteCount
    return try Element(loading: region, at: place)
  }

  @inlinable @_lifetime(self: copy self)
  mutating func enterChunk() throws(SharedError) {
    let chunk = nextChunk
    // Its next chunk and its count, as in a slot.
    let header = try ContainerSlot(loading: region, at: chunk)
    guard chunk != 0, header.count > 0, header.count <= left else {
      throw .impossible(what: "the count of a list's chunk", position: chunk, found: header.count, limit: left)
    }
    nextChunk = header.position
    leftInChunk = header.count
    position = chunk &+ SharedList<Element>.chunkHeaderByteCount
  }
}
