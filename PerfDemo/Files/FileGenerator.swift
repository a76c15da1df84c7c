import SystemPackage

/// Makes files of given sizes with deterministic content.
enum FileGenerator {
  private static let blockWordCount = 1 << 17

  /// Writes one file for each size, named after it (`100kB.bin`), into the directory.
  ///
  /// - Throws: `DemoError.fileFailure`, or `CancellationError` between two blocks.
  static func generate(_ sizes: [ByteSize], in directory: FilePath) throws {
    var block = [UInt64](repeating: 0, count: blockWordCount)
    for (index, size) in sizes.enumerated() {
      let path = directory.appending("\(size.fileNamePart).bin")
      var random = PseudoRandom(seed: UInt64(index) &* 0x1_0000_0001 &+ UInt64(size.byteCount))
      do {
        let file = try FileDescriptor.open(
          path, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec], permissions: [.ownerReadWrite])
        try file.closeAfter {
          var remaining = size.byteCount
          while remaining > 0 {
            try Task.checkCancellation()
            var words = block.mutableSpan
            random.fill(&words)
            let count = min(remaining, blockWordCount * 8)
            // The bytes of an array of words are initialised, and `count` stays within them.
            _ = try unsafe block.withUnsafeBytes { try unsafe file.writeAll($0.prefix(count)) }
            remaining -= count
          }
        }
      } catch let errno as Errno {
        throw DemoError.fileFailure(path, reason: errno.description)
      }
    }
  }
}
