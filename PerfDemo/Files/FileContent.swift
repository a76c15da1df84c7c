import SystemPackage

/// Reads a file's bytes into memory that somebody else provides.
struct FileContent: ~Copyable {
  let path: FilePath
  private let descriptor: FileDescriptor

  /// Opens the file.
  ///
  /// - Throws: `DemoError.fileFailure`.
  init(_ path: FilePath) throws(DemoError) {
    self.path = path
    do {
      descriptor = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec])
    } catch {
      throw DemoError.fileFailure(path, reason: (error as? Errno)?.description ?? "\(error)")
    }
  }

  deinit { try? descriptor.close() }

  /// Fills the buffer from the next bytes of the file.
  ///
  /// - Throws: `DemoError.fileFailure`, also when the file ends before the buffer is full.
  @unsafe
  func read(filling buffer: UnsafeMutableRawBufferPointer) throws(DemoError) {
    var filled = 0
    while filled < buffer.count {
      let count: Int
      do {
        count = try unsafe descriptor.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
      } catch {
        throw DemoError.fileFailure(path, reason: (error as? Errno)?.description ?? "\(error)")
      }
      guard count > 0 else { throw DemoError.fileFailure(path, reason: "it became shorter while it was read") }
      filled += count
    }
  }
}
