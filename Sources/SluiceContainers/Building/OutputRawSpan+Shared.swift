import Synchronization

/// Counts builders, to tell their references apart. It wraps around after four thousand million.
private let builderCount = Atomic<UInt32>(0)

extension OutputRawSpan {
  /// Builds a container in the free room of this span, which must begin on a multiple of 8: in a blob of a message, say.
  ///
  /// - Parameter body: Writes the parts of the container, and returns the reference to its root.
  /// - Throws: ``SharedError``, and what `body` throws; nothing is added to the span then.
  public mutating func appendShared<Root: SharedValue & ~Escapable>(
    _ body: (inout SharedBuilder) throws -> SharedReference<Root>
  ) throws {
    let identity = builderCount.wrappingAdd(1, ordering: .relaxed).newValue
    try unsafe withUnsafeMutableBytes { memory, initializedCount in
      let free = unsafe UnsafeMutableRawBufferPointer(rebasing: memory[initializedCount...])
      guard UInt(bitPattern: free.baseAddress) % 8 == 0 else {
        throw SharedError.misaligned(position: initializedCount, alignment: 8)
      }
      // Sound: the builder does not leave this call, in which the memory stays.
      var builder = unsafe SharedBuilder(free, identity: identity == 0 ? 1 : identity)
      try builder.finish(try body(&builder))
      initializedCount += builder.byteCount
    }
  }
}

/// How many bytes a container of `source` has at most: what ``Swift/OutputRawSpan/appendShared(_:)`` needs for it.
public func sharedByteCount<Source: SharedSource>(of source: Source) throws(SharedError) -> Int {
  var builder = SharedBuilder(measuring: ())
  _ = try builder.write(source)
  return builder.byteCount
}
