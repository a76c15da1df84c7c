/// A list in a message under construction: a count and elements by index. Copies write to the same list. It lives no longer
/// than its message.
///
/// Nothing throws: a list whose allocation failed has the count that was asked for (at most 2^32 - 1), its elements read as
/// zero, and what is written to them is dropped. An index out of range traps: it is this program's mistake.
@safe
public struct ListBuilder<Element: ListBuilderElement & ~Escapable>: ~Escapable {
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

extension ListBuilder: ListElement, ListBuilderElement where Element: ~Escapable {
  /// Lists of lists: pointers.
  @inlinable
  public static var layout: ElementLayout { ElementLayout(.pointer) }
}

// MARK: - Elements in the list itself

extension ListBuilder where Element: ScalarElement {
  /// The element at `index`.
  @inlinable
  public subscript(index: Int) -> Element {
    @inline(__always) get {
      view.check(index)
      return Element(wireBits: view.structure(index).load(Element.WireBits.self, at: 0))
    }
    @inline(__always) nonmutating set {
      view.check(index)
      view.structure(index).store(newValue.wireBits, at: 0)
    }
  }
}

extension ListBuilder where Element == Bool {
  /// The element at `index`.
  @inlinable
  public subscript(index: Int) -> Bool {
    get {
      view.check(index)
      return view.dataBits > 0 && view.loadBit(index)
    }
    nonmutating set {
      view.check(index)
      guard view.dataBits > 0 else { return }
      // Sound: within the list, in a message under construction.
      unsafe setBit(UnsafeMutableRawPointer(mutating: view.start), index &* Int(view.stepBits), newValue)
    }
  }
}

extension ListBuilder where Element == VoidElement {
  /// The one value there is.
  public subscript(index: Int) -> VoidElement {
    view.check(index)
    return VoidElement()
  }
}

extension ListBuilder where Element: StructBuilder & ~Escapable {
  /// The struct at `index`, in place.
  @inlinable
  public subscript(index: Int) -> Element {
    @inline(__always) @_lifetime(copy self) get {
      view.check(index)
      return Element(unsafe _overrideLifetime(RawStructBuilder(unowned: view.structure(index)), copying: self))
    }
  }
}

// MARK: - Elements behind pointers

extension ListBuilder where Element == String {
  /// The text at `index`, which setting copies into the message.
  @inlinable
  public subscript(index: Int) -> String {
    get {
      view.check(index)
      return view.pointer(index).textForWriting() ?? ""
    }
    nonmutating set {
      view.check(index)
      view.pointer(index).setText(newValue)
    }
  }
}

extension ListBuilder where Element == RawSpan {
  /// The blob at `index`.
  @inlinable
  public subscript(index: Int) -> RawSpan {
    @_lifetime(copy self) get {
      view.check(index)
      return unsafe _overrideLifetime(RawSpan(_unsafeBytes: view.pointer(index).bytesForWriting()), copying: self)
    }
  }

  /// Copies `bytes` into the message.
  @inlinable
  public func setData(_ bytes: RawSpan, at index: Int) {
    view.check(index)
    unsafe bytes.withUnsafeBytes { unsafe view.pointer(index).setBytes($0) }
  }

  /// Copies `bytes` into the message.
  @inlinable
  public func setData(_ bytes: [UInt8], at index: Int) {
    view.check(index)
    unsafe bytes.withUnsafeBytes { unsafe view.pointer(index).setBytes($0) }
  }

  /// A new blob of `byteCount` zeros at `index`, for filling.
  @inlinable @_lifetime(copy self)
  public func initData(at index: Int, byteCount: Int) -> MutableRawSpan {
    view.check(index)
    return unsafe _overrideLifetime(
      MutableRawSpan(_unsafeBytes: view.pointer(index).initBytes(byteCount)), copying: self)
  }

  /// A new blob at `index` that `fill` writes, as ``RawStructBuilder/initData(at:byteCount:fill:)`` does.
  @inlinable
  public func initData<Failure: Error>(
    at index: Int, byteCount: Int, fill: (inout OutputRawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    view.check(index)
    try view.pointer(index).initBytes(capacity: byteCount, fill: fill)
  }
}

extension ListBuilder where Element: ~Escapable {
  /// The list at `index` of a list of lists, without elements if nothing was set.
  @inlinable
  public subscript<Inner: ListBuilderElement & ~Escapable>(index: Int) -> ListBuilder<Inner>
  where Element == ListBuilder<Inner> {
    @_lifetime(copy self) get {
      view.check(index)
      return unsafe _overrideLifetime(
        ListBuilder<Inner>(unowned: view.pointer(index).listForWriting(Inner.layout)), copying: self)
    }
  }

  /// A new list of `count` elements at `index` of a list of lists.
  @inlinable @_lifetime(copy self)
  public func initList<Inner: ListBuilderElement & ~Escapable>(at index: Int, count: Int) -> ListBuilder<Inner>
  where Element == ListBuilder<Inner> {
    view.check(index)
    return unsafe _overrideLifetime(
      ListBuilder<Inner>(unowned: view.pointer(index).initList(Inner.layout, count: count)), copying: self)
  }
}
