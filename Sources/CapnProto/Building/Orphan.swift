/// An object that no pointer of its message leads to: it was taken from one (`disown`), or is new (``Orphanage``). It is
/// adopted at last, or zeroed with all that it owns. Moving an object so copies nothing.
///
/// `Content` says what it is, as the subscript of a list builder does: a struct's builder, `String`, `RawSpan`, a
/// ``ListBuilder``, or ``AnyPointerBuilder``. An orphan lives no longer than its message and, as all builders, is for one
/// thread at a time. It takes a word of the message, which is given back if nothing was added behind it.
@safe
public struct Orphan<Content: ~Escapable>: ~Copyable, ~Escapable {
  @usableFromInline let slot: PointerView

  @_lifetime(immortal)
  init(unowned slot: PointerView) { self.slot = slot }

  deinit {
    if !slot.isNull { slot.erase() }
    slot.giveBack()
  }

  /// Whether there is no object: the pointer was null, or something failed, which is recorded.
  public var isNull: Bool { slot.isNull }

  /// The object for reading.
  public var asReader: AnyPointerReader {
    @_lifetime(copy self) get { unsafe _overrideLifetime(AnyPointerReader(unowned: slot), copying: self) }
  }

  /// Lets `pointer`, in the same message, point to the object. Traps if it is in another: that is this program's mistake.
  consuming func adopt(by pointer: PointerView) {
    precondition(
      unsafe slot.segment.pointee.message == pointer.segment.pointee.message,
      "An orphan can be adopted in its own message only")
    let slot = slot
    discard self
    if !pointer.isNull { pointer.erase() }
    pointer.take(slot)
  }
}

extension Orphan where Content: StructBuilder & ~Escapable {
  /// The struct, for writing.
  public var builder: Content {
    @_lifetime(copy self) get {
      Content(
        unsafe _overrideLifetime(RawStructBuilder(unowned: slot.structureForWriting(Content.size)), copying: self))
    }
  }
}

extension Orphan where Content: ~Escapable {
  /// The list, for writing.
  @_lifetime(copy self)
  public func list<Element: ListBuilderElement & ~Escapable>() -> ListBuilder<Element>
  where Content == ListBuilder<Element> {
    unsafe _overrideLifetime(ListBuilder<Element>(unowned: slot.listForWriting(Element.layout)), copying: self)
  }

  /// Gives the list `count` elements: further ones are zeroed with all that they own, new ones are zero. At the end of its
  /// segment the list stays in place; one that cannot grow there moves, after which builders of the old one write to nothing.
  public func resize<Element: ListBuilderElement & ~Escapable>(to count: Int) where Content == ListBuilder<Element> {
    slot.resizeList(Element.layout, to: count)
  }
}

extension Orphan where Content == String {
  /// The text.
  public var text: String { slot.textForWriting() ?? "" }

  /// Cuts the text after `byteCount` bytes of UTF-8, or appends NUL bytes; in place, where that is possible.
  public func resize(toByteCount byteCount: Int) { slot.resizeText(to: byteCount) }
}

extension Orphan where Content == RawSpan {
  /// The blob.
  public var data: RawSpan {
    @_lifetime(copy self) get {
      unsafe _overrideLifetime(RawSpan(_unsafeBytes: slot.bytesForWriting()), copying: self)
    }
  }

  /// The blob, for changing it.
  public var mutableData: MutableRawSpan {
    @_lifetime(copy self) get {
      let bytes = unsafe UnsafeMutableRawBufferPointer(mutating: slot.bytesForWriting())
      return unsafe _overrideLifetime(MutableRawSpan(_unsafeBytes: bytes), copying: self)
    }
  }

  /// Cuts the blob after `byteCount` bytes, or appends zeros; in place, where that is possible.
  public func resize(toByteCount byteCount: Int) { slot.resizeList(ElementLayout(.byte), to: byteCount) }
}

/// Makes objects that no pointer of their message leads to yet. Failures are recorded in the message; the orphan is null then.
@safe
public struct Orphanage: ~Escapable {
  let origin: PointerView

  @_lifetime(immortal)
  init(unowned origin: PointerView) { self.origin = origin }

  /// A new struct of type `schema`.
  @_lifetime(copy self)
  public func newStruct<Schema: StructSchema>(_ schema: Schema.Type) -> Orphan<Schema.Builder> {
    make { _ = $0.initStructure(Schema.size) }
  }

  /// A new list of `count` elements.
  @_lifetime(copy self)
  public func newList<Element: ListBuilderElement & ~Escapable>(
    of type: Element.Type, count: Int
  ) -> Orphan<ListBuilder<Element>> {
    make { _ = $0.initList(Element.layout, count: count) }
  }

  /// A copy of `text`.
  @_lifetime(copy self)
  public func newText(_ text: String) -> Orphan<String> { make { $0.setText(text) } }

  /// A blob of `byteCount` zeros.
  @_lifetime(copy self)
  public func newData(byteCount: Int) -> Orphan<RawSpan> { make { unsafe _ = $0.initBytes(byteCount) } }

  /// A copy of what `source` points to, all that it owns included.
  @_lifetime(copy self)
  public func newCopy(of source: AnyPointerReader) -> Orphan<AnyPointerBuilder> {
    let view = source.view
    return make { $0.copy(from: view) }
  }

  @_lifetime(copy self)
  private func make<Content: ~Escapable>(_ fill: (PointerView) -> Void) -> Orphan<Content> {
    let slot = unsafe origin.reserveSlot() ?? PointerView(segment: origin.segment, location: nil, nesting: 0)
    if unsafe slot.location != nil { fill(slot) }
    return unsafe _overrideLifetime(Orphan<Content>(unowned: slot), copying: self)
  }
}
