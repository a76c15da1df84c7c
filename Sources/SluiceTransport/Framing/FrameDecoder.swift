/// Finds frames in a stream of bytes, however it was cut. A pure value: it keeps no bytes and looks at nothing but what it
/// is shown; `FrameHeader` draws the layout.
public struct FrameDecoder: Sendable, Hashable {
  /// How many bytes a blob may have.
  public let maxBlobSize: Int
  /// How many handles a frame may have.
  public let maxHandleCount: Int

  /// What the bytes begin with.
  public enum Step: Sendable, Hashable {
    /// A part of a frame. It takes this many bytes, counted from the same beginning, to know more.
    case incomplete(neededByteCount: Int)
    /// A whole frame: its blob follows the header, and the next frame begins after `frameByteCount` bytes.
    case frame(FrameHeader)
  }

  /// Makes a decoder.
  ///
  /// - Parameter maxBlobSize: 1 to `FrameHeader.maxBlobByteCount`; others are brought into that range.
  public init(maxBlobSize: Int, maxHandleCount: Int = FrameHeader.maxHandleCount) {
    self.maxBlobSize = min(max(maxBlobSize, 1), FrameHeader.maxBlobByteCount)
    self.maxHandleCount = min(max(maxHandleCount, 0), FrameHeader.maxHandleCount)
  }

  /// The largest frame that passes: what a receive buffer must hold at least.
  public var maxFrameByteCount: Int {
    FrameHeader(blobByteCount: maxBlobSize, handleCount: 0).frameByteCount
  }

  /// Looks at the front of the bytes not yet consumed.
  ///
  /// - Throws: As soon as the bytes cannot begin a frame; then the stream is beyond repair.
  public func next(in bytes: RawSpan) throws(FrameError) -> Step {
    guard bytes.byteCount >= FrameHeader.byteCount else {
      try refuseEarly(bytes)
      return .incomplete(neededByteCount: FrameHeader.byteCount)
    }
    // Sound: any eight bytes are a number, and they are within the span.
    let word = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt64.self)
    let header = try FrameHeader(word: word, maxBlobSize: maxBlobSize, maxHandleCount: maxHandleCount)
    guard bytes.byteCount >= header.frameByteCount else {
      return .incomplete(neededByteCount: header.frameByteCount)
    }
    return .frame(header)
  }

  /// A peer that sent garbage and waits for an answer need not be waited for.
  private func refuseEarly(_ bytes: RawSpan) throws(FrameError) {
    guard bytes.byteCount >= 2 else { return }
    let magic = UInt16(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt16.self))
    guard magic == FrameHeader.magic else { throw .wrongMagic(magic) }
  }
}
