import Foundation
import SystemPackage

/// A file to serve or to compare with.
struct StoredFile: Hashable, Sendable {
  let name: String
  let path: FilePath
  let size: ByteSize
}

/// The files of one directory: regular ones with content, by size and then by name.
struct FileStore: Sendable {
  let directory: FilePath
  let files: [StoredFile]

  /// Lists a directory.
  ///
  /// - Throws: `DemoError.unreadableDirectory`, or `.emptyDirectory` when it has no regular file with content.
  init(directory: FilePath) throws(DemoError) {
    let names: [String]
    do {
      // Opening it first gets the system's reason, which Foundation's errors wrap in sentences.
      try FileDescriptor.open(directory, .readOnly, options: [.directory, .closeOnExec]).close()
      names = try FileManager.default.contentsOfDirectory(atPath: directory.string)
    } catch {
      let reason = (error as? Errno)?.description ?? error.localizedDescription
      throw DemoError.unreadableDirectory(directory, reason: reason)
    }
    var files: [StoredFile] = []
    for name in names {
      let path = directory.appending(name)
      guard let status = try? path.stat(), status.type == .regular, status.size > 0 else { continue }
      files.append(StoredFile(name: name, path: path, size: ByteSize(byteCount: Int(status.size))))
    }
    guard !files.isEmpty else { throw DemoError.emptyDirectory(directory) }
    self.directory = directory
    self.files = files.sorted { ($0.size, $0.name) < ($1.size, $1.name) }
  }

  /// The file of that name.
  ///
  /// - Throws: `DemoError.missingFile`.
  func file(named name: String) throws(DemoError) -> StoredFile {
    guard let file = files.first(where: { $0.name == name }) else {
      throw DemoError.missingFile(name, directory: directory)
    }
    return file
  }
}
