/// A list in a message whose element type the reader chooses: the value of an `AnyList` field.
@safe
public struct AnyListReader: ListElement, ~Escapable, @unchecked Sendable {
  // Sound as Sendable: reading is safe from any thread.
  private let pointer: PointerView
  private let view: ListView

  @_lifetime(immortal)
  init(unowned view: ListView, at pointer: PointerView) {
    self.view = view
    self.pointer = pointer
  }

  /// Lists of lists: pointers.
  public static var layout: ElementLayout { ElementLayout(.pointer) }

  /// How many elements there are.
  public var count: Int { Int(view.count) }

  /// The size of the elements, as the list pointer encodes it.
  public var elementSize: ElementSize { view.elementSize }

  /// The size of the elements when they are read as structs; the element of a primitive list counts as a word.
  public var elementStructSize: StructSize { view.elementStructSize }

  /// The elements in place, without a struct list's tag; a list of bits fills its last byte up.
  public var bytes: RawSpan {
    @_lifetime(copy self) get {
      // Sound: all elements lie in the segment.
      let byteCount = (Int(view.count) &* Int(view.stepBits) &+ 7) &>> 3
      return unsafe _overrideLifetime(
        RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: view.start, count: byteCount)), copying: self)
    }
  }

  /// The list, read as one of `Element`.
  ///
  /// - Throws: `incompatibleElements`, or a limit that was met: the list is read again.
  @_lifetime(copy self)
  public func asList<Element: ListElement & ~Escapable>(
    of type: Element.Type = Element.self
  ) throws(CapnProtoError) -> ListReader<Element> {
    let expected = Element.layout.elementSize
    let list =
      unsafe try pointer.list(of: expected) ?? ListView(emptyIn: pointer.segment, elementSize: expected)
    return unsafe _overrideLifetime(ListReader(unowned: list), copying: self)
  }
}

/// A list in a message under construction whose element type the writer chooses.
@safe
public struct AnyListBuilder: ~Escapable {
  private let pointer: PointerView
  private let view: ListView

  @_lifetime(immortal)
  init(unowned view: ListView, at pointer: PointerView) {
    self.view = view
    self.pointer = pointer
  }

  /// How many elements there are.
  public var count: Int { Int(view.count) }

  /// The size of the elements, as the list pointer encodes it.
  public var elementSize: ElementSize { view.elementSize }

  /// The list, as one of `Element`; a larger copy takes its place where the elements are smaller structs. Elements that cannot
  /// be written as `Element` are a failure, which is recorded.
  @_lifetime(copy self)
  public func asList<Element: ListBuilderElement & ~Escapable>(
    of type: Element.Type = Element.self
  ) -> ListBuilder<Element> {
    unsafe _overrideLifetime(ListBuilder(unowned: pointer.listForWriting(Element.layout)), copying: self)
  }
}

extension AnyPointerReader {
  /// The list, untyped; an empty one of no bits if the pointer is null.
  @_lifetime(copy self)
  public func asAnyList() throws(CapnProtoError) -> AnyListReader {
    let list = unsafe try view.list(of: .void) ?? ListView(emptyIn: view.segment, elementSize: .void)
    return unsafe _overrideLifetime(AnyListReader(unowned: list, at: view), copying: self)
  }
}

extension RawStructReader {
  /// The list at pointer `index`, untyped; an empty one of no bits if the pointer is null.
  @_lifetime(copy self)
  public func anyList(at index: Int) throws(CapnProtoError) -> AnyListReader { try pointer(at: index).asAnyList() }
}

extension AnyPointerBuilder {
  /// The list, untyped; an empty one of no bits if the pointer is null.
  @_lifetime(copy self)
  public func asAnyList() -> AnyListBuilder {
    unsafe _overrideLifetime(
      AnyListBuilder(unowned: view.listForWriting(ElementLayout(.void)), at: view), copying: self)
  }

  /// A new list of `count` elements of that layout, all zero.
  @_lifetime(copy self)
  public func initAnyList(_ layout: ElementLayout, count: Int) -> AnyListBuilder {
    unsafe _overrideLifetime(
      AnyListBuilder(unowned: view.initList(layout, count: count), at: view), copying: self)
  }
}
