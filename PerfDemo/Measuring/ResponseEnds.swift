import PerfDemoSchema
import Sluice

/// The first and last bytes of the first and last chunk: what the clock waits for.
struct ResponseEnds: Equatable, Sendable {
  let firstChunk: ChunkEnds
  let lastChunk: ChunkEnds

  /// Reads the four bytes.
  ///
  /// - Throws: `DemoError.unexpectedResponse` when there is no chunk, or an empty one.
  init(of response: GetCacheRsp.Reader) throws {
    let parts = try response.fileParts
    guard parts.count > 0 else { throw DemoError.unexpectedResponse("a response without chunks") }
    firstChunk = try ChunkEnds(of: try parts[0].data)
    lastChunk = try ChunkEnds(of: try parts[parts.count - 1].data)
  }

  init(firstChunk: ChunkEnds, lastChunk: ChunkEnds) {
    self.firstChunk = firstChunk
    self.lastChunk = lastChunk
  }
}

/// The first and the last byte of a chunk.
struct ChunkEnds: Equatable, Sendable {
  let first: UInt8
  let last: UInt8

  init(of data: RawSpan) throws(DemoError) {
    guard data.byteCount > 0 else { throw DemoError.unexpectedResponse("an empty chunk") }
    // Both offsets are within the span, which is not empty.
    first = unsafe data.unsafeLoad(fromByteOffset: 0, as: UInt8.self)
    last = unsafe data.unsafeLoad(fromByteOffset: data.byteCount - 1, as: UInt8.self)
  }
}
