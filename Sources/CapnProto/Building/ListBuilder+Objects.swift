/// An element that stands behind a pointer of its own: `String` (Text), `RawSpan` (Data), ``ListBuilder`` (lists of lists),
/// ``AnyListBuilder``, and ``AnyPointerBuilder``.
public protocol PointerListElement: ListBuilderElement, ~Escapable {}

extension String: PointerListElement {}
extension RawSpan: PointerListElement {}
extension AnyPointerBuilder: PointerListElement {}
extension AnyListBuilder: PointerListElement {}
extension ListBuilder: PointerListElement where Element: ~Escapable {}

// MARK: - Moving elements

extension ListBuilder where Element: PointerListElement & ~Escapable {
  /// Takes what the element at `index` points to away from it; the element is null then.
  @_lifetime(copy self)
  public func disown(at index: Int) -> Orphan<Element> {
    view.check(index)
    return unsafe _overrideLifetime(Orphan<Element>(unowned: view.pointer(index).disown()), copying: self)
  }

  /// Lets the element at `index` point to `orphan`, of the same message. What it pointed to is zeroed.
  public func adopt(_ orphan: consuming Orphan<Element>, at index: Int) {
    view.check(index)
    orphan.adopt(by: view.pointer(index))
  }
}

// MARK: - Copying elements

extension ListBuilder where Element: StructBuilder & ~Escapable {
  /// Copies `source`, all that it owns included, into the element at `index`, whose size is that of the list's elements: what
  /// `source` has more, because a newer schema wrote it, is left out. What fails is recorded; `source` must not be a part of
  /// the element.
  public func setStructure<Source: StructReader & ~Escapable>(_ source: Source, at index: Int) {
    view.check(index)
    view.structure(index).replaceContent(with: source.raw.view)
  }

  /// Moves the content of `orphan`, a struct of the same message, into the element at `index`. What `orphan` has more than
  /// the list's elements is zeroed with all that it owns.
  public func adopt(_ orphan: consuming Orphan<Element>, at index: Int) {
    view.check(index)
    orphan.moveContent(to: view.structure(index))
  }
}

extension ListBuilder where Element: ~Escapable {
  /// Lets the element at `index` of a list of lists point to a copy of `source`, all that it owns included.
  public func setList<Inner: ListBuilderElement & ~Escapable, Source: ListElement & ~Escapable>(
    _ source: ListReader<Source>, at index: Int
  ) where Element == ListBuilder<Inner> {
    view.check(index)
    view.pointer(index).copy(from: source.view)
  }
}

extension StructView {
  /// Zeroes the struct with all that it owns, and fills it with a copy of `source` as far as it has room.
  func replaceContent(with source: StructView) {
    clearContent()
    let origin = unsafe PointerView(segment: segment, location: data, nesting: .max)
    do {
      try ObjectCopier.copy(source, into: self)
    } catch {
      origin.fail(error)
    }
  }

  /// Zeroes the struct with all that it owns.
  func clearContent() {
    for index in 0..<Int(pointerCount) {
      let pointer = pointer(index)
      if !pointer.isNull { pointer.erase() }
    }
    // Sound: the data section of a struct in a message under construction.
    unsafe UnsafeMutableRawPointer(mutating: data).initializeMemory(
      as: UInt8.self, repeating: 0, count: Int(dataBits) &>> 3)
  }
}

extension Orphan where Content: StructBuilder & ~Escapable {
  /// Moves data and pointers to `target`, in the same message, as far as it has room; the rest is zeroed.
  consuming func moveContent(to target: StructView) {
    precondition(
      unsafe slot.segment.pointee.message == target.segment.pointee.message,
      "An orphan can be adopted in its own message only")
    target.clearContent()
    do {
      // Without content, there is nothing to move.
      guard let source = try slot.structure() else { return }
      // Sound: both data sections have as many bytes.
      unsafe UnsafeMutableRawPointer(mutating: target.data).copyMemory(
        from: source.data, byteCount: Int(min(source.dataBits, target.dataBits)) &>> 3)
      for index in 0..<Int(min(source.pointerCount, target.pointerCount)) {
        target.pointer(index).transfer(from: source.pointer(index))
      }
    } catch {
      slot.fail(error)
    }
    // What is left goes with the orphan.
  }
}
