extension RawStructBuilder {
  /// Makes objects of this struct's message that no pointer leads to yet.
  public var orphanage: Orphanage {
    @_lifetime(copy self) get {
      let origin = unsafe PointerView(segment: view.segment, location: view.data, nesting: .max)
      return unsafe _overrideLifetime(Orphanage(unowned: origin), copying: self)
    }
  }

  /// Takes what pointer `index` points to away from it; the pointer is null then.
  @_lifetime(copy self)
  public func disown<Content: ~Escapable>(at index: Int, as content: Content.Type = Content.self) -> Orphan<Content> {
    unsafe _overrideLifetime(Orphan<Content>(unowned: view.pointer(index).disown()), copying: self)
  }

  /// Lets pointer `index` point to `orphan`, of the same message. What it pointed to is zeroed.
  public func adopt<Content: ~Escapable>(_ orphan: consuming Orphan<Content>, at index: Int) {
    orphan.adopt(by: view.pointer(index))
  }

  /// Gives the list at pointer `index` `count` elements, as ``Orphan/resize(to:)`` does.
  public func resizeList<Element: ListBuilderElement & ~Escapable>(
    at index: Int, of type: Element.Type = Element.self, to count: Int, field: StaticString = ""
  ) {
    view.pointer(index).resizeList(Element.layout, to: count, FieldName(field))
  }

  /// Cuts the text at pointer `index` after `byteCount` bytes of UTF-8, or appends NUL bytes.
  public func resizeText(at index: Int, toByteCount byteCount: Int, field: StaticString = "") {
    view.pointer(index).resizeText(to: byteCount, FieldName(field))
  }

  /// Cuts the blob at pointer `index` after `byteCount` bytes, or appends zeros.
  public func resizeData(at index: Int, toByteCount byteCount: Int, field: StaticString = "") {
    view.pointer(index).resizeList(ElementLayout(.byte), to: byteCount, FieldName(field))
  }
}

extension AnyPointerBuilder {
  /// Takes what the pointer points to away from it; the pointer is null then.
  @_lifetime(copy self)
  public func disown<Content: ~Escapable>(as content: Content.Type = Content.self) -> Orphan<Content> {
    unsafe _overrideLifetime(Orphan<Content>(unowned: view.disown()), copying: self)
  }

  /// Lets the pointer point to `orphan`, of the same message. What it pointed to is zeroed.
  public func adopt<Content: ~Escapable>(_ orphan: consuming Orphan<Content>) { orphan.adopt(by: view) }
}
