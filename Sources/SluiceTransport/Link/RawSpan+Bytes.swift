import SluiceSystem

extension RawSpan {
  /// Loads an integer that stands at `offset`, least significant byte first. Traps when it is out of bounds.
  @inlinable public func littleEndian<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type = T.self, at offset: Int) -> T {
    T(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: T.self))
  }
}

extension RawSpan {
  /// A private copy.
  package func copied() -> [UInt8] {
    // Sound: the buffer is that of the span, read while it is borrowed.
    unsafe withUnsafeBytes { unsafe Array($0) }
  }
}

extension Transport {
  /// Sends an array of bytes; see `trySend(_:handles:)`.
  package func trySend(bytes: [UInt8], handles: [Handle]) throws(TransportError) -> SendOutcome {
    // Sound: bytes have no padding.
    try trySend(unsafe bytes.span.bytes, handles: handles)
  }
}

extension MutableRawSpan {
  /// Stores an integer at `offset`, least significant byte first. Traps when it is out of bounds.
  @inlinable public mutating func storeLittleEndian<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at offset: Int)
  {
    storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self)
  }
}
