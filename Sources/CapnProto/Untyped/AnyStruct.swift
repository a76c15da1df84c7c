// A struct whose type the program chooses, the value of an `AnyStruct` field, is a `RawStructReader` or `RawStructBuilder`.

extension RawStructReader {
  /// The data section in place, whole; fields' defaults are not applied.
  public var dataSection: RawSpan {
    @_lifetime(copy self) get {
      // Sound: the section lies in the segment.
      let bytes = unsafe UnsafeRawBufferPointer(start: view.data, count: Int(view.dataBits) &>> 3)
      return unsafe _overrideLifetime(RawSpan(_unsafeBytes: bytes), copying: self)
    }
  }

  /// The pointer section.
  public var pointerSection: ListReader<AnyPointerReader> {
    @_lifetime(copy self) get { unsafe _overrideLifetime(ListReader(unowned: view.pointerSection), copying: self) }
  }
}

extension RawStructBuilder {
  /// The size that the struct has in the message.
  public var size: StructSize { view.size }

  /// The data section in place, whole; fields' defaults are not applied.
  public var dataSection: MutableRawSpan {
    @_lifetime(copy self) get {
      // Sound: the section lies in the segment of a message under construction, whose memory is ours to write.
      let bytes = unsafe UnsafeMutableRawBufferPointer(
        start: UnsafeMutableRawPointer(mutating: view.data), count: Int(view.dataBits) &>> 3)
      return unsafe _overrideLifetime(MutableRawSpan(_unsafeBytes: bytes), copying: self)
    }
  }

  /// The pointer section.
  public var pointerSection: ListBuilder<AnyPointerBuilder> {
    @_lifetime(copy self) get { unsafe _overrideLifetime(ListBuilder(unowned: view.pointerSection), copying: self) }
  }
}

extension AnyPointerBuilder {
  /// A new struct of `size`.
  @_lifetime(copy self)
  public func initRawStruct(_ size: StructSize) -> RawStructBuilder {
    unsafe _overrideLifetime(RawStructBuilder(unowned: view.initStructure(size)), copying: self)
  }

  /// The struct, of `size` or larger, created if the pointer is null.
  @_lifetime(copy self)
  public func asRawStruct(_ size: StructSize) -> RawStructBuilder {
    unsafe _overrideLifetime(RawStructBuilder(unowned: view.structureForWriting(size)), copying: self)
  }
}

extension StructView {
  /// The pointer section as a list.
  fileprivate var pointerSection: ListView {
    // Sound: the section lies in the segment, behind whole words of data if it has any pointer.
    unsafe ListView(
      segment: segment, start: data + Int(dataBits) &>> 3, count: UInt32(pointerCount), stepBits: 64, dataBits: 0,
      pointerCount: 1, elementSize: .pointer, nesting: nesting)
  }
}
