import Foundation
import SystemPackage
import Testing

@testable import perf_demo

@Suite struct FilesTests {
  @Test func `generated files have their sizes, and the same content each time`() throws {
    let (first, second) = (try WorkDirectory.create(), try WorkDirectory.create())
    defer {
      first.remove()
      second.remove()
    }
    let sizes = try ByteSize.list(parsing: "1500000B,13B")
    for directory in [first, second] { try FileGenerator.generate(sizes, in: directory.path) }
    let store = try FileStore(directory: first.path)
    #expect(store.files.map(\.name) == ["13B.bin", "1.5MB.bin"])
    #expect(store.files.map(\.size.byteCount) == [13, 1_500_000])
    for file in store.files {
      let content = try Data(contentsOf: URL(filePath: file.path.string))
      #expect(try Data(contentsOf: URL(filePath: second.path.appending(file.name).string)) == content)
      #expect(Set(content).count > min(8, content.count / 2), "content that compresses would flatter a transport")
    }
  }

  @Test func `a store lists regular files with content only`() throws {
    let directory = try WorkDirectory.create()
    defer { directory.remove() }
    try WorkDirectory.make(directory.files)
    try Data().write(to: URL(filePath: directory.path.appending("empty").string))
    try Data("abc".utf8).write(to: URL(filePath: directory.path.appending("abc").string))
    let store = try FileStore(directory: directory.path)
    #expect(store.files.map(\.name) == ["abc"])
    #expect(throws: DemoError.missingFile("empty", directory: directory.path)) { try store.file(named: "empty") }
  }

  @Test func `a directory without content, or none at all, is refused`() throws {
    let directory = try WorkDirectory.create()
    defer { directory.remove() }
    #expect(throws: DemoError.emptyDirectory(directory.path)) { try FileStore(directory: directory.path) }
    let missing = directory.path.appending("missing")
    #expect(throws: DemoError.unreadableDirectory(missing, reason: "No such file or directory")) {
      try FileStore(directory: missing)
    }
  }

  @Test func `a work directory is gone after its removal, with all that was in it`() throws {
    let directory = try WorkDirectory.create()
    try WorkDirectory.make(directory.files)
    try FileGenerator.generate([ByteSize(byteCount: 10)], in: directory.files)
    directory.remove()
    #expect(!FileManager.default.fileExists(atPath: directory.path.string))
  }
}
