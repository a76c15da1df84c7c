/// Says how a blob goes onto a stream of bytes. A pure value; `FrameHeader` draws the layout.
public struct FrameEncoder: Sendable, Hashable {
  /// How many bytes a blob may have.
  public let maxBlobSize: Int
  /// How many handles a frame may have.
  public let maxHandleCount: Int

  /// Makes an encoder.
  ///
  /// - Parameter maxBlobSize: 1 to `FrameHeader.maxBlobByteCount`; others are brought into that range.
  public init(maxBlobSize: Int, maxHandleCount: Int = FrameHeader.maxHandleCount) {
    self.maxBlobSize = min(max(maxBlobSize, 1), FrameHeader.maxBlobByteCount)
    self.maxHandleCount = min(max(maxHandleCount, 0), FrameHeader.maxHandleCount)
  }

  /// The header for a blob: it goes first, then the blob, then `paddingByteCount` zero bytes.
  public func header(blobByteCount: Int, handleCount: Int) throws(TransportError) -> FrameHeader {
    guard blobByteCount <= maxBlobSize else { throw .blobTooLarge(byteCount: blobByteCount, limit: maxBlobSize) }
    guard handleCount <= maxHandleCount else { throw .tooManyHandles(count: handleCount, limit: maxHandleCount) }
    return FrameHeader(blobByteCount: blobByteCount, handleCount: handleCount)
  }

  /// A whole frame, copied together.
  public func frame(_ blob: RawSpan, handleCount: Int = 0) throws(TransportError) -> [UInt8] {
    let header = try header(blobByteCount: blob.byteCount, handleCount: handleCount)
    // Sound: eight bytes of a local variable, and a span that outlives the closure; both are only read.
    var frame = unsafe withUnsafeBytes(of: header.word) { unsafe Array($0) }
    unsafe blob.withUnsafeBytes { unsafe frame.append(contentsOf: $0) }
    frame.append(contentsOf: repeatElement(0, count: header.paddingByteCount))
    return frame
  }
}
