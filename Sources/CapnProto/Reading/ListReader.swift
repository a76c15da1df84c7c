/// A list in a message: a count and elements by index. A small value without reference counting; it lives no longer than
/// its message.
///
/// The subscript of scalars, enums and structs does not throw, since all elements were checked when the list was read; that
/// of text, data and lists does, since each is behind a pointer. An index out of range traps: it is this program's mistake.
@safe
public struct ListReader<Element: ListElement & ~Escapable>: ~Escapable, @unchecked Sendable {
  // Sound as Sendable: reading is safe from any thread.
  @usableFromInline let view: ListView

  @inlinable @inline(__always) @_lifetime(immortal)
  init(unowned view: ListView) { self.view = view }

  /// How many elements there are.
  @inlinable @inline(__always)
  public var count: Int { Int(view.count) }

  /// Whether there are none.
  @inlinable
  public var isEmpty: Bool { view.count == 0 }

  /// All valid indices, as in `for i in list.indices`.
  @inlinable @inline(__always)
  public var indices: Range<Int> { unsafe Range(uncheckedBounds: (0, Int(view.count))) }
}

extension ListReader: ListElement where Element: ~Escapable {
  /// Lists of lists: pointers.
  @inlinable
  public static var layout: ElementLayout { ElementLayout(.pointer) }
}

// MARK: - Elements in the list itself

extension ListReader where Element: ScalarElement {
  /// The element at `index`.
  @inlinable
  public subscript(index: Int) -> Element {
    @inline(__always) get {
      view.check(index)
      return Element(wireBits: view.load(Element.WireBits.self, at: index))
    }
  }

  /// Calls `body` with each element in order.
  @inlinable
  public func forEach<Failure: Error>(_ body: (Element) throws(Failure) -> Void) throws(Failure) {
    for index in indices { try body(Element(wireBits: view.load(Element.WireBits.self, at: index))) }
  }

  /// All elements, copied.
  public var array: [Element] {
    indices.map { Element(wireBits: view.load(Element.WireBits.self, at: $0)) }
  }
}

extension ListReader where Element: ScalarElement & FixedWidthInteger {
  /// The elements in place; nil if they do not stand side by side, because a newer schema made structs of them.
  @inlinable
  public var span: Span<Element>? {
    @_lifetime(copy self) get {
      guard Int(view.stepBits) == Element.bitWidth else { return nil }
      // Sound: the list's memory lies within the segment, aligned, and any bits are a valid integer.
      return unsafe _overrideLifetime(
        Span(_unsafeStart: view.start.assumingMemoryBound(to: Element.self), count: count), copying: self)
    }
  }
}

extension ListReader where Element == Bool {
  /// The element at `index`.
  @inlinable
  public subscript(index: Int) -> Bool {
    view.check(index)
    return view.loadBit(index)
  }

  /// Calls `body` with each element in order.
  @inlinable
  public func forEach<Failure: Error>(_ body: (Bool) throws(Failure) -> Void) throws(Failure) {
    for index in indices { try body(view.loadBit(index)) }
  }

  /// All elements, copied.
  public var array: [Bool] { indices.map { view.loadBit($0) } }
}

extension ListReader where Element == VoidElement {
  /// The one value there is.
  public subscript(index: Int) -> VoidElement {
    view.check(index)
    return VoidElement()
  }
}

extension ListReader where Element: StructReader & ~Escapable {
  /// The struct at `index`, in place.
  @inlinable
  public subscript(index: Int) -> Element {
    @inline(__always) @_lifetime(copy self) get {
      view.check(index)
      return Element(unsafe _overrideLifetime(RawStructReader(unowned: view.structure(index)), copying: self))
    }
  }

  /// Calls `body` with each struct in order.
  @inlinable
  public func forEach<Failure: Error>(_ body: (Element) throws(Failure) -> Void) throws(Failure) {
    for index in indices { try body(self[index]) }
  }

  /// What `transform` makes of each struct, in order.
  @inlinable
  public func map<Result, Failure: Error>(
    _ transform: (Element) throws(Failure) -> Result
  ) throws(Failure) -> [Result] {
    var results: [Result] = []
    results.reserveCapacity(count)
    for index in indices { results.append(try transform(self[index])) }
    return results
  }
}

// MARK: - Elements behind pointers

extension ListReader where Element == String {
  /// The text at `index`, copied and then validated as UTF-8.
  @inlinable
  public subscript(index: Int) -> String {
    get throws(CapnProtoError) {
      view.check(index)
      do { return try view.pointer(index).text() ?? "" } catch { throw error.named(element: index) }
    }
  }

  /// Calls `body` with each text in order.
  @inlinable
  public func forEach(_ body: (String) throws -> Void) throws {
    for index in indices { try body(self[index]) }
  }

  /// All texts, copied.
  public var array: [String] {
    get throws(CapnProtoError) {
      var texts: [String] = []
      for index in indices { texts.append(try self[index]) }
      return texts
    }
  }
}

extension ListReader where Element == AnyPointerReader {
  /// The pointer at `index`, whatever it points to.
  @inlinable
  public subscript(index: Int) -> AnyPointerReader {
    @_lifetime(copy self) get {
      view.check(index)
      return unsafe _overrideLifetime(AnyPointerReader(unowned: view.pointer(index)), copying: self)
    }
  }
}

extension ListReader where Element == RawSpan {
  /// The blob at `index`, in place.
  @inlinable
  public subscript(index: Int) -> RawSpan {
    @_lifetime(copy self) get throws(CapnProtoError) {
      view.check(index)
      let bytes: UnsafeRawBufferPointer
      do {
        unsafe bytes = try view.pointer(index).bytes() ?? UnsafeRawBufferPointer(start: view.start, count: 0)
      } catch {
        throw error.named(element: index)
      }
      return unsafe _overrideLifetime(RawSpan(_unsafeBytes: bytes), copying: self)
    }
  }

  /// Calls `body` with each blob in order.
  @inlinable
  public func forEach(_ body: (RawSpan) throws -> Void) throws {
    for index in indices { try body(self[index]) }
  }
}

extension ListReader where Element: ~Escapable {
  /// The list at `index` of a list of lists.
  @inlinable
  public subscript<Inner: ListElement & ~Escapable>(index: Int) -> ListReader<Inner>
  where Element == ListReader<Inner> {
    @_lifetime(copy self) get throws(CapnProtoError) {
      view.check(index)
      let expected = Inner.layout.elementSize
      let list: ListView
      do {
        list =
          unsafe try view.pointer(index).list(of: expected)
          ?? ListView(emptyIn: view.segment, elementSize: expected)
      } catch {
        throw error.named(element: index)
      }
      return unsafe _overrideLifetime(ListReader<Inner>(unowned: list), copying: self)
    }
  }

  /// Calls `body` with each inner list in order.
  @inlinable
  public func forEach<Inner: ListElement & ~Escapable>(_ body: (ListReader<Inner>) throws -> Void) throws
  where Element == ListReader<Inner> {
    for index in indices { try body(self[index]) }
  }
}
