import PerfDemoSchema
import Sluice

/// Builds the response that carries a file. Both modes send what this builds; they differ in the memory it is built in.
enum ResponseBuilder {
  /// The size of all chunks but the last. A `Data` can hold at most 2^29 - 1 bytes.
  static let chunkByteCount = 64 << 20

  /// Reads the file into the message, chunk by chunk, each straight into its place.
  ///
  /// - Throws: `DemoError.fileFailure`, what the message's allocator says, or `CancellationError` between two chunks.
  static func fill(
    _ message: inout MessageBuilder<Cache>, with file: StoredFile, chunkByteCount: Int = Self.chunkByteCount
  ) throws {
    let content = try FileContent(file.path)
    let chunkCount = (file.size.byteCount + chunkByteCount - 1) / chunkByteCount
    do {
      let parts = message.root.initGetCacheRsp().initFileParts(chunkCount)
      for index in parts.indices {
        try Task.checkCancellation()
        let byteCount = min(chunkByteCount, file.size.byteCount - index * chunkByteCount)
        let part = parts[index]
        var hash: UInt64 = 0
        try part.initData(byteCount: byteCount) { output throws(DemoError) in
          // `read` fills all that it is given, or throws; then nothing counts as initialised.
          try unsafe output.withUnsafeMutableBytes { buffer, initializedCount throws(DemoError) in
            try unsafe content.read(filling: UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(byteCount)))
            initializedCount = byteCount
          }
          hash = ContentHash.hash(of: output.bytes)
        }
        part.dataSize = UInt64(byteCount)
        part.dataHash = hash
      }
    }
    if let failure = message.failure { throw failure }
  }
}
