import Glibc
import SluiceSystem
import SystemPackage
import Testing

@Suite("A file lock") struct FileLockTests {
  @Test("is held by one in a process, and keeps being held after a refusal")
  func samePocess() async throws {
    let directory = try TemporaryDirectory()
    let path = directory.path.appending("lock")
    var lock: FileLock? = try FileLock.acquire(path)
    #expect(try FileSystem.status(of: path)?.permissions.rawValue == 0o600)
    #expect(throws: FileLockError.held(by: getpid())) { try FileLock.acquire(path) }
    // The refusal must not have closed a descriptor of the file, which would free the lock for others.
    await expectHeld(path, by: getpid())
    withExtendedLifetime(lock) {}
    lock = nil
    await expectFree(path)
    #expect(try FileLock.acquire(path).path == path)
  }

  @Test("names the process that holds it, and is free once that one is dead")
  func otherProcess() async throws {
    let directory = try TemporaryDirectory()
    let path = directory.path.appending("lock")
    let pidPath = directory.path.appending("pid")
    await #expect(processExitsWith: .signal(SIGKILL)) {
      [path = path.string as String, pidPath = pidPath.string as String, own = getpid() as pid_t] in
      let lock = try FileLock.acquire(FilePath(path))
      #expect(own != getpid())
      _ = try Handle.open(FilePath(pidPath), .writeOnly, options: .create, permissions: .ownerReadWrite)
      kill(getpid(), SIGKILL)
      withExtendedLifetime(lock) {}
    }
    #expect(try FileSystem.status(of: pidPath) != nil)
    #expect(try FileLock.acquire(path).path == path)
  }

  @Test("is not confused by a link to the file, or by a file that replaced it")
  func replaced() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path.appending("lock")
    let lock = try FileLock.acquire(path)
    let other = directory.path.appending("other")
    #expect(link(path.string, other.string) == 0)
    #expect(throws: FileLockError.held(by: getpid())) { try FileLock.acquire(other) }
    try FileSystem.removeFile(path)
    #expect(try FileLock.acquire(path).path == path)
    withExtendedLifetime(lock) {}
    let link = directory.path.appending("link")
    #expect(symlink(path.string, link.string) == 0)
    #expect(throws: FileLockError.self) { try FileLock.acquire(link) }
  }

  private func expectHeld(_ path: FilePath, by pid: pid_t) async {
    await #expect(processExitsWith: .success) { [path = path.string as String, pid = pid as pid_t] in
      #expect(throws: FileLockError.held(by: pid)) { try FileLock.acquire(FilePath(path)) }
    }
  }

  private func expectFree(_ path: FilePath) async {
    await #expect(processExitsWith: .success) { [path = path.string as String] in
      #expect(throws: Never.self) { try FileLock.acquire(FilePath(path)) }
    }
  }
}
