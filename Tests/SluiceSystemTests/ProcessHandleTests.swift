import Glibc
import SluiceSystem
import SystemPackage
import Testing

@Suite("A process handle") struct ProcessHandleTests {
  @Test("becomes readable when the process dies, and calls a zombie dead")
  func death() throws {
    let child = try spawnWaitingChild()
    #expect(try child.isAlive)
    #expect(try !Poll.isReady(child.descriptor, .readable))
    try child.kill()
    #expect(try Poll.wait(for: child.descriptor, .readable, deadline: patience()).contains(.readable))
    // Nobody has waited for it yet: it is a zombie.
    #expect(try !child.isAlive)
    try child.send(signal: 0)
    var status: CInt = 0
    #expect(waitpid(child.pid, &status, 0) == child.pid)
    #expect(throws: SystemError.self) { try child.send(signal: 0) }
    #expect(throws: SystemError.self) { try child.executablePath() }
  }

  @Test("knows the path of the program")
  func executable() throws {
    let own = try ProcessHandle(pid: getpid()).executablePath()
    #expect(own == FilePath(try #require(realpath("/proc/self/exe", nil).map { String(cString: $0) })))
  }

  @Test("refuses a pid that nobody has")
  func missing() {
    #expect(throws: SystemError(operation: "pidfd_open", errno: .noSuchProcess, detail: "pid 4194304")) {
      try ProcessHandle(pid: 4_194_304)
    }
  }
}
