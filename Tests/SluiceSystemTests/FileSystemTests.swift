import Glibc
import SluiceSystem
import SystemPackage
import Testing

@Suite("Files and directories") struct FileSystemTests {
  private func touch(_ path: FilePath) throws {
    _ = try Handle.open(path, .writeOnly, options: .create, permissions: .ownerReadWrite)
  }

  @Test("a directory is made with exactly the permissions asked for", arguments: [CModeT(0o700), 0o755, 0o777])
  func create(mode: CModeT) throws {
    let directory = try TemporaryDirectory()
    let path = directory.path.appending("d")
    #expect(try FileSystem.createDirectory(path, permissions: FilePermissions(rawValue: mode)))
    #expect(try !FileSystem.createDirectory(path, permissions: .ownerReadWrite))
    #expect(try FileSystem.status(of: path)?.permissions.rawValue == mode)
    #expect(try FileSystem.removeDirectory(path))
    #expect(try !FileSystem.removeDirectory(path))
  }

  @Test("a directory is trusted only if it is one, of the right owner, and closed enough")
  func verify() throws {
    let directory = try TemporaryDirectory()
    let mine = FilePermissions(rawValue: 0o700)
    let path = directory.path.appending("d")
    func verify(_ path: FilePath, owners: [uid_t] = [getuid()]) throws {
      try FileSystem.verifyDirectory(path, owners: owners, atMost: mine)
    }
    #expect(throws: DirectoryError.missing(path)) { try verify(path) }
    try FileSystem.createDirectory(path, permissions: mine)
    #expect(throws: Never.self) { try verify(path) }
    #expect(throws: DirectoryError.wrongOwner(path, owner: getuid(), expected: [12345])) {
      try verify(path, owners: [12345])
    }
    try FileSystem.setPermissions(FilePermissions(rawValue: 0o750), of: path)
    #expect(throws: DirectoryError.tooOpen(path, permissions: .init(rawValue: 0o750), atMost: mine)) {
      try verify(path)
    }
    let link = directory.path.appending("link")
    try FileSystem.setPermissions(mine, of: path)
    #expect(symlink(path.string, link.string) == 0)
    #expect(throws: DirectoryError.notADirectory(link)) { try verify(link) }
    let file = directory.path.appending("file")
    try touch(file)
    #expect(throws: DirectoryError.notADirectory(file)) { try verify(file) }
  }

  @Test("a tree goes as a whole, and what its links point to stays")
  func removeTree() throws {
    let directory = try TemporaryDirectory()
    let (tree, kept) = (directory.path.appending("tree"), directory.path.appending("kept"))
    try FileSystem.createDirectory(kept, permissions: .init(rawValue: 0o700))
    try touch(kept.appending("file"))
    try FileSystem.createDirectory(tree, permissions: .init(rawValue: 0o700))
    try FileSystem.createDirectory(tree.appending("inner"), permissions: .init(rawValue: 0o700))
    try touch(tree.appending("inner").appending("file"))
    #expect(symlink(kept.string, tree.appending("link").string) == 0)
    #expect(symlink(kept.string, tree.appending("inner").appending("link").string) == 0)
    #expect(Set(try FileSystem.entries(of: tree)) == ["inner", "link"])
    try FileSystem.removeTree(tree)
    try FileSystem.removeTree(tree)
    #expect(try FileSystem.status(of: tree) == nil)
    #expect(try FileSystem.entries(of: kept) == ["file"])
  }

  @Test("a tree is not left through a link in its place")
  func removeTreeLink() throws {
    let directory = try TemporaryDirectory()
    let (link, kept) = (directory.path.appending("link"), directory.path.appending("kept"))
    try FileSystem.createDirectory(kept, permissions: .init(rawValue: 0o700))
    try touch(kept.appending("file"))
    #expect(symlink(kept.string, link.string) == 0)
    #expect(throws: SystemError.self) { try FileSystem.removeTree(link) }
    #expect(try FileSystem.entries(of: kept) == ["file"])
  }

  @Test("a file is renamed over another one, and removed once")
  func rename() throws {
    let directory = try TemporaryDirectory()
    let (old, new) = (directory.path.appending("old"), directory.path.appending("new"))
    try touch(old)
    try touch(new)
    try FileSystem.rename(old, to: new)
    #expect(try FileSystem.entries(of: directory.path) == ["new"])
    #expect(try FileSystem.removeFile(new))
    #expect(try !FileSystem.removeFile(new))
  }
}

/// The C type of permissions.
typealias CModeT = CInterop.Mode
