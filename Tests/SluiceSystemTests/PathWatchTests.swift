import Foundation
import SluiceSystem
import SystemPackage
import Testing

@Suite struct PathWatchTests {
  private func withDirectory(_ body: (FilePath) throws -> Void) throws {
    let directory = FilePath("/tmp/sluice-watch-\(UUID().uuidString)")
    try FileSystem.createDirectory(directory, permissions: .ownerReadWriteExecute)
    defer { try? FileSystem.removeTree(directory) }
    try body(directory)
  }

  private func tells(_ watch: PathWatch) throws -> Bool { try Poll.isReady(watch.descriptor, .readable) }

  private func make(_ path: FilePath) throws {
    _ = try Handle.open(path, .writeOnly, options: [.create], permissions: .ownerReadWrite)
  }

  @Test func `what appears at the path is told, what was there before is not`() throws {
    try withDirectory { directory in
      try make(directory.appending("before"))
      let watch = try PathWatch(for: directory.appending("file"))
      #expect(try !tells(watch))
      try make(directory.appending("file"))
      #expect(try tells(watch))
    }
  }

  @Test func `each directory that comes into being on the way is told`() throws {
    try withDirectory { directory in
      let path = directory.appending("a/b/file")
      for step in ["a", "a/b"] {
        let watch = try PathWatch(for: path)
        #expect(try !tells(watch))
        try FileSystem.createDirectory(directory.appending(step), permissions: .ownerReadWriteExecute)
        #expect(try tells(watch))
      }
      let watch = try PathWatch(for: path)
      try make(path)
      #expect(try tells(watch))
    }
  }

  @Test func `a directory that is replaced is told`() throws {
    try withDirectory { directory in
      let inner = directory.appending("inner")
      try FileSystem.createDirectory(inner, permissions: .ownerReadWriteExecute)
      let watch = try PathWatch(for: inner.appending("file"))
      try FileSystem.removeDirectory(inner)
      #expect(try tells(watch))
    }
  }

  @Test func `the file that stands where a directory should be is no directory`() throws {
    try withDirectory { directory in
      try make(directory.appending("a"))
      let watch = try PathWatch(for: directory.appending("a/file"))
      try FileSystem.removeFile(directory.appending("a"))
      try FileSystem.createDirectory(directory.appending("a"), permissions: .ownerReadWriteExecute)
      #expect(try tells(watch))
    }
  }
}
