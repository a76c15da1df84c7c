// Capabilities are not in a message but beside it: a pointer to one is an index into a table of whoever sends the message.

extension AnyPointerReader {
  /// The index of the capability in the table that came with the message; nil for a null pointer.
  ///
  /// - Throws: `wrongPointerKind` if the pointer leads to something else.
  public func capabilityIndex() throws(CapnProtoError) -> UInt32? {
    let value = view.load()
    if value.isNull { return nil }
    guard let index = value.capabilityIndex else {
      throw view.error(.wrongPointerKind(expected: .other, found: value.kind))
    }
    return index
  }
}

extension AnyPointerBuilder {
  /// Lets the pointer name the capability `index` of the table that will go with the message. What it pointed to is zeroed.
  public func setCapability(index: UInt32) {
    if !view.isNull { view.erase() }
    view.store(.capability(index))
  }
}

extension WirePointer {
  /// The pointer to the capability `index`: bits 0 and 1 are set, 2 to 31 are not, the others are the index.
  static func capability(_ index: UInt32) -> WirePointer { WirePointer(bits: UInt64(index) &<< 32 | 3) }

  /// The capability's index; nil if this is a pointer of another kind.
  var capabilityIndex: UInt32? {
    bits & 0xFFFF_FFFF == 3 ? UInt32(truncatingIfNeeded: bits &>> 32) : nil
  }
}
