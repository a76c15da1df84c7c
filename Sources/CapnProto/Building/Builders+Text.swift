/// Text from whatever holds UTF-8, and text and blobs from a source of bytes, copied once: into the message.
extension RawStructBuilder {
  /// Copies `text` into the message.
  @inlinable
  public func setText(_ text: borrowing UTF8Span, at index: Int, field: StaticString = "") {
    view.pointer(index).setText(text, FieldName(field))
  }

  /// Copies `text`, a `Substring` for instance, into the message.
  @inlinable
  public func setText(_ text: some StringProtocol, at index: Int, field: StaticString = "") {
    view.pointer(index).setText(text, FieldName(field))
  }

  /// A new text that `fill` writes, of as many bytes of UTF-8 as it wrote and at most `byteCount`. If they are not valid,
  /// that is a failure, which is recorded, and the pointer is null; so it is if `fill` throws. If there is no memory, `fill`
  /// is not called.
  @inlinable
  public func initText<Failure: Error>(
    at index: Int, byteCount: Int, field: StaticString = "", fill: (inout OutputRawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    try view.pointer(index).initText(capacity: byteCount, FieldName(field), fill: fill)
  }
}

extension AnyPointerBuilder {
  /// Copies `text` into the message.
  public func setText(_ text: borrowing UTF8Span) { view.setText(text) }

  /// Copies `text`, a `Substring` for instance, into the message.
  public func setText(_ text: some StringProtocol) { view.setText(text) }

  /// A new blob that `fill` writes, as ``RawStructBuilder/initData(at:byteCount:field:fill:)`` does.
  public func initData<Failure: Error>(
    byteCount: Int, fill: (inout OutputRawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    try view.initBytes(capacity: byteCount, fill: fill)
  }
}

extension ListBuilder where Element == String {
  /// Copies `text` into the message.
  public func setText(_ text: borrowing UTF8Span, at index: Int) {
    view.check(index)
    view.pointer(index).setText(text)
  }

  /// Copies `text`, a `Substring` for instance, into the message.
  public func setText(_ text: some StringProtocol, at index: Int) {
    view.check(index)
    view.pointer(index).setText(text)
  }
}

extension OutputRawSpan {
  /// Appends what `source` gives, until the span is full or the source ends. To fill a blob from a file descriptor, without
  /// a copy in between:
  ///
  ///     root.initContent(byteCount: size) { blob in try blob.append { try descriptor.read(into: $0) } }
  ///
  /// - Parameter source: Writes some bytes at the start of the buffer, which is not empty and not initialised, and returns
  ///   how many; 0 at the end.
  /// - Throws: What `source` throws; what it gave before is appended.
  @inlinable
  public mutating func append<Failure: Error>(
    from source: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
  ) throws(Failure) {
    while freeCapacity > 0 {
      let appended = try unsafe withUnsafeMutableBytes {
        (buffer: UnsafeMutableRawBufferPointer, count: inout Int) throws(Failure) in
        let room = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
        let added = unsafe try source(room)
        precondition(added >= 0 && added <= room.count, "A source cannot give more bytes than there is room for")
        count += added
        return added
      }
      if appended == 0 { return }
    }
  }
}

extension PointerView {
  /// Points to a copy of `text`.
  @usableFromInline
  func setText(_ text: borrowing UTF8Span, _ field: FieldName = .none) {
    unsafe text.span.withUnsafeBytes { unsafe setBytes(UnsafeRawBufferPointer($0), terminator: 1, field) }
  }

  /// Points to a copy of `text`.
  @usableFromInline
  func setText(_ text: some StringProtocol, _ field: FieldName = .none) {
    let isDone: Void? = text.utf8.withContiguousStorageIfAvailable {
      unsafe setBytes(UnsafeRawBufferPointer($0), terminator: 1, field)
    }
    if isDone == nil { setText(String(text), field) }
  }

  /// Points to a text that `fill` writes, of as many bytes as it wrote. If it throws, or what it wrote is not valid UTF-8,
  /// the pointer is null.
  @inlinable
  func initText<Failure: Error>(
    capacity: Int, _ field: FieldName, fill: (inout OutputRawSpan) throws(Failure) -> Void
  ) throws(Failure) {
    guard capacity >= 0, capacity < WirePointer.maximumListCount else {
      _ = refuseList(ElementLayout(.byte), count: capacity, field)
      return
    }
    // The blob has a byte more, in which the terminator is written.
    try initBytes(capacity: capacity &+ 1, field) { (output) throws(Failure) in
      try unsafe output.withUnsafeMutableBytes {
        (buffer: UnsafeMutableRawBufferPointer, count: inout Int) throws(Failure) in
        // Sound: all but the last byte of the buffer.
        let room = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<capacity])
        var text = unsafe OutputRawSpan(buffer: room, initializedCount: 0)
        try fill(&text)
        count = unsafe text.finalize(for: room)
        unsafe buffer[count] = 0
        count &+= 1
      }
    }
    checkText(field)
  }

  /// Clears the pointer and records a failure unless the text that was just written is valid.
  @usableFromInline
  func checkText(_ field: FieldName) {
    do {
      guard let bytes = unsafe try textBytes() else { return }
      // Sound: the bytes are in the message, and nobody writes them meanwhile but a peer that may do so, to its own harm.
      if unsafe (try? UTF8Span(validating: Span(_unsafeBytes: bytes))) != nil { return }
      fail(error(.textNotUTF8).named(field))
      erase()
    } catch {
      fail(error.named(field))
    }
  }
}
