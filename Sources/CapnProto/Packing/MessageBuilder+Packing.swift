extension MessageBuilder {
  /// The message in packed stream framing, in one array.
  ///
  /// - Throws: ``failure``.
  public func packed() throws(CapnProtoError) -> [UInt8] {
    if let failure { throw failure }
    var encoder = PackedEncoder()
    var bytes: [UInt8] = []
    // Packed, most messages are smaller than this.
    bytes.reserveCapacity(16 + byteCount)
    let headerByteCount = StreamHeader.byteCount(segmentCount: segmentCount)
    try unsafe withUnsafeTemporaryAllocation(byteCount: headerByteCount, alignment: 8) {
      (header: UnsafeMutableRawBufferPointer) throws(CapnProtoError) in
      unsafe StreamHeader.encode(segmentCount: segmentCount, into: header) { unsafe segment(at: $0).count / 8 }
      try unsafe encoder.encode(RawSpan(_unsafeBytes: UnsafeRawBufferPointer(header)), endingRunIn: &bytes)
    }
    for index in 0..<segmentCount {
      try encoder.encode(unsafe RawSpan(_unsafeBytes: segment(at: index)), endingRunIn: &bytes)
    }
    return bytes
  }

  /// Writes the message in packed stream framing: `sink` is called with pieces of some 10 kB at most.
  ///
  /// - Throws: ``failure``, or what `sink` throws.
  public func writePacked(to sink: (RawSpan) throws -> Void) throws {
    if let failure { throw failure }
    var encoder = PackedEncoder()
    var bytes: [UInt8] = []
    try unsafe encoder.encode(streamHeader.encoded.span.bytes, endingRunIn: &bytes)
    for index in 0..<segmentCount {
      var rest = unsafe RawSpan(_unsafeBytes: segment(at: index))
      while rest.byteCount > 0 {
        encoder.encode(rest.extracting(first: 1 << 13), to: &bytes)
        rest = rest.extracting(droppingFirst: 1 << 13)
        if rest.byteCount == 0 { try encoder.finish(to: &bytes) }
        unsafe try sink(bytes.span.bytes)
        bytes.removeAll(keepingCapacity: true)
      }
    }
  }
}

extension PackedEncoder {
  /// Packs whole words, without a run that goes on in what follows.
  fileprivate mutating func encode(_ words: RawSpan, endingRunIn output: inout [UInt8]) throws(CapnProtoError) {
    encode(words, to: &output)
    try finish(to: &output)
  }
}
