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

  /// The element at `index`, in range, as a struct: the one element of a primitive list's struct is its first field. Bits
  /// read as structs without content.
  @_lifetime(copy self)
  public func structure(at index: Int) -> RawStructReader {
    view.check(index)
    let structure = unsafe elementSize == .bit ? StructView(emptyIn: view.segment) : view.structure(index)
    return unsafe _overrideLifetime(RawStructReader(unowned: structure), copying: self)
  }

  /// The (first) pointer of the element at `index`, in range; null where elements have none.
  @_lifetime(copy self)
  public func pointer(at index: Int) -> AnyPointerReader {
    view.check(index)
    return unsafe _overrideLifetime(AnyPointerReader(unowned: view.pointer(index)), copying: self)
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
public struct AnyListBuilder: ListBuilderElement, ~Escapable {
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

  /// The size of the elements when they are written as structs; the element of a primitive list counts as a word.
  public var elementStructSize: StructSize { view.elementStructSize }

  /// The list for reading.
  public var asReader: AnyListReader {
    @_lifetime(copy self) get {
      unsafe _overrideLifetime(AnyListReader(unowned: view, at: pointer), copying: self)
    }
  }

  /// The element at `index`, in range, as a struct: the one element of a primitive list's struct is its first field. What
  /// is written to a bit as if it were a struct is dropped.
  @_lifetime(copy self)
  public func structure(at index: Int) -> RawStructBuilder {
    view.check(index)
    let structure = unsafe elementSize == .bit ? StructView(emptyIn: view.segment) : view.structure(index)
    return unsafe _overrideLifetime(RawStructBuilder(unowned: structure), copying: self)
  }

  /// The (first) pointer of the element at `index`, in range; one that stays null where elements have none.
  @_lifetime(copy self)
  public func pointer(at index: Int) -> AnyPointerBuilder {
    view.check(index)
    return unsafe _overrideLifetime(AnyPointerBuilder(unowned: view.pointer(index)), copying: self)
  }

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

// MARK: - Lists of lists of any type

extension ListReader where Element == AnyListReader {
  /// The list at `index`, untyped; an empty one of no bits if the pointer is null.
  public subscript(index: Int) -> AnyListReader {
    @_lifetime(copy self) get throws(CapnProtoError) {
      view.check(index)
      let pointer = view.pointer(index)
      let list: ListView
      do {
        list = unsafe try pointer.list(of: .void) ?? ListView(emptyIn: view.segment, elementSize: .void)
      } catch {
        throw error.named(element: index)
      }
      return unsafe _overrideLifetime(AnyListReader(unowned: list, at: pointer), copying: self)
    }
  }
}

extension ListBuilder where Element == AnyListBuilder {
  /// The list at `index`, untyped; an empty one of no bits if the pointer is null.
  public subscript(index: Int) -> AnyListBuilder {
    @_lifetime(copy self) get {
      view.check(index)
      let pointer = view.pointer(index)
      return unsafe _overrideLifetime(
        AnyListBuilder(unowned: pointer.listForWriting(ElementLayout(.void)), at: pointer), copying: self)
    }
  }

  /// A new list of `count` elements of that layout, all zero, at `index`.
  @_lifetime(copy self)
  public func initAnyList(_ layout: ElementLayout, at index: Int, count: Int) -> AnyListBuilder {
    view.check(index)
    let pointer = view.pointer(index)
    return unsafe _overrideLifetime(
      AnyListBuilder(unowned: pointer.initList(layout, count: count), at: pointer), copying: self)
  }
}
