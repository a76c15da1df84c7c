import PerfDemoSchema
import Sluice
import Synchronization

/// Compares responses with the file on disk. It reads the disk once for each way of cutting the file into chunks.
final class ResponseVerifier: Sendable {
  let file: StoredFile
  private let digest = Mutex<FileDigest?>(nil)

  init(_ file: StoredFile) { self.file = file }

  /// Verifies every chunk: its size and its hash, as received, as stated and as on disk. Cost: a pass over the response,
  /// and at the first time one over the file.
  ///
  /// - Throws: `DemoError.mismatch`, or what reading the response throws.
  func verify(_ response: GetCacheRsp.Reader, mode: Mode) throws {
    let parts = try response.fileParts
    var received: [(byteCount: Int, hash: UInt64)] = []
    for index in parts.indices {
      let part = parts[index]
      let data = try part.data
      let hash = ContentHash.hash(of: data)
      guard part.dataSize == UInt64(data.byteCount) else {
        throw mismatch(mode, "chunk \(index) has \(data.byteCount) bytes and states \(part.dataSize)")
      }
      guard part.dataHash == hash else {
        throw mismatch(mode, "the hash of chunk \(index) is not the one that it states")
      }
      received.append((data.byteCount, hash))
    }
    let expected = try digest(chunkSizes: received.map(\.byteCount), mode: mode)
    for (index, chunk) in expected.chunks.enumerated() where chunk.hash != received[index].hash {
      throw mismatch(mode, "chunk \(index) differs from the file on disk")
    }
  }

  /// Verifies the four bytes that the clock waited for, against the chunks of the last response verified in full.
  ///
  /// - Throws: `DemoError.mismatch`.
  func verify(_ ends: ResponseEnds, mode: Mode) throws(DemoError) {
    if let expected = digest.withLock({ $0?.ends }), ends != expected {
      throw mismatch(mode, "the first or last bytes differ from the file on disk")
    }
  }

  private func digest(chunkSizes: [Int], mode: Mode) throws -> FileDigest {
    if let known = digest.withLock({ $0 }), known.chunks.map(\.byteCount) == chunkSizes { return known }
    let total = chunkSizes.reduce(0, +)
    guard total == file.size.byteCount, chunkSizes.allSatisfy({ $0 > 0 }) else {
      throw mismatch(mode, "\(total) bytes in \(chunkSizes.count) chunks; the file on disk has \(file.size.byteCount)")
    }
    let read = try FileDigest(of: file, chunkSizes: chunkSizes)
    digest.withLock { $0 = read }
    return read
  }

  private func mismatch(_ mode: Mode, _ detail: String) -> DemoError {
    .mismatch(file: file.name, mode: mode.rawValue, detail: detail)
  }
}
