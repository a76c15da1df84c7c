/// Reads messages one after another from a file descriptor or anything else that gives bytes, through a buffer.
///
///     var reader = StreamReader(Person.self, encoding: .packed)
///     while let message = try reader.next(from: { span in try span.withUnsafeMutableBytes { try descriptor.read(into: $0) } }) { … }
public struct StreamReader<Root: StructSchema>: ~Copyable, Sendable {
  private var decoder: StreamDecoder<Root>
  private var buffer: [UInt8]
  private var unread = 0..<0

  /// A reader at the beginning of a stream.
  ///
  /// - Parameters:
  ///   - root: The schema of the messages' root structs.
  ///   - encoding: Whether the stream is packed.
  ///   - limits: What each message may hold and reading it may cost.
  ///   - bufferByteCount: The most bytes to ask the source for.
  public init(
    _ root: Root.Type = Root.self, encoding: StreamEncoding = .plain, limits: ReadLimits = .stream,
    bufferByteCount: Int = 1 << 16
  ) {
    decoder = StreamDecoder(root, encoding: encoding, limits: limits)
    buffer = [UInt8](repeating: 0, count: max(bufferByteCount, 1))
  }

  /// The next message; nil when the source ends between two messages.
  ///
  /// - Parameter source: Reads some bytes into the buffer, which is not empty, and returns how many; 0 at the end. Always the
  ///   same source, since what was read beyond a message is kept for the next.
  /// - Throws: What `source` throws, after which one can go on; or `truncated`, `tooManySegments`, `messageTooLarge`.
  public mutating func next(from source: (inout MutableRawSpan) throws -> Int) throws -> MessageReader<Root>? {
    while true {
      if let message = try decodeNext() { return message }
      let count = try fill(source)
      guard count > 0, count <= buffer.count else {
        try decoder.finish()
        return nil
      }
      unread = 0..<count
    }
  }

  private mutating func decodeNext() throws(CapnProtoError) -> MessageReader<Root>? {
    let bytes = buffer
    var rest = unsafe bytes.span.bytes.extracting(unread)
    let message = try decoder.next(from: &rest)
    unread = unread.upperBound - rest.byteCount..<unread.upperBound
    return message
  }

  private mutating func fill(_ source: (inout MutableRawSpan) throws -> Int) throws -> Int {
    var span = buffer.mutableSpan
    var bytes = unsafe span.mutableBytes
    return try source(&bytes)
  }
}
