import Foundation

/// Whether payloads fit into this machine: each stands in the server's shared memory, in its private memory, and in the
/// client's buffer or the page cache.
enum MemoryNeeds {
  /// Checks payloads against a machine's memory, by default this one's.
  ///
  /// - Throws: `DemoError.tooLarge`.
  static func check(
    _ sizes: [ByteSize], memoryBytes: UInt64 = ProcessInfo.processInfo.physicalMemory
  ) throws(DemoError) {
    let total = sizes.reduce(0.0) { $0 + Double($1.byteCount) }
    guard total * 3 <= Double(memoryBytes) else {
      throw DemoError.tooLarge(
        total: ByteSize(byteCount: Int(total)), memory: ByteSize(byteCount: Int(clamping: memoryBytes)))
    }
  }
}
