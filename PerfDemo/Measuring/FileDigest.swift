/// A file on disk, cut into chunks: what a response has to match.
struct FileDigest: Equatable, Sendable {
  /// One chunk of the file.
  struct Chunk: Equatable, Sendable {
    let byteCount: Int
    let hash: UInt64
    let ends: ChunkEnds
  }

  let chunks: [Chunk]

  /// Reads the file from disk, cut as told. Cost: one pass over the file.
  ///
  /// - Parameter chunkSizes: In bytes, each positive; together the size of the file.
  /// - Throws: `DemoError.fileFailure`.
  init(of file: StoredFile, chunkSizes: [Int]) throws {
    let content = try FileContent(file.path)
    var chunks: [Chunk] = []
    var buffer = [UInt8](repeating: 0, count: chunkSizes.max() ?? 0)
    for byteCount in chunkSizes {
      // The array is at least as large as each chunk, and `read` fills the part that it is given or throws.
      try unsafe buffer.withUnsafeMutableBytes { bytes in
        try unsafe content.read(filling: UnsafeMutableRawBufferPointer(rebasing: bytes.prefix(byteCount)))
      }
      // Bytes have no padding between them.
      let bytes = unsafe buffer.span.bytes.extracting(first: byteCount)
      chunks.append(
        Chunk(byteCount: byteCount, hash: ContentHash.hash(of: bytes), ends: try ChunkEnds(of: bytes)))
    }
    self.chunks = chunks
  }

  /// What the clock's bytes have to be.
  var ends: ResponseEnds? {
    guard let first = chunks.first, let last = chunks.last else { return nil }
    return ResponseEnds(firstChunk: first.ends, lastChunk: last.ends)
  }
}
