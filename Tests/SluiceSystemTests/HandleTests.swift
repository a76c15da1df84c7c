import Glibc
import SluiceSystem
import SystemPackage
import Testing

@Suite("A handle") struct HandleTests {
  @Test("closes its descriptor when the last reference goes")
  func closes() throws {
    let pipe = try FileDescriptor.pipe(options: .closeOnExec)
    let reading = Handle(owning: pipe.readEnd)
    var writing: Handle? = Handle(owning: pipe.writeEnd)
    var duplicate: Handle? = try writing?.duplicated()
    #expect(fcntl(try #require(duplicate).descriptor.rawValue, F_GETFD) == FD_CLOEXEC)
    writing = nil
    #expect(try !Poll.isReady(reading.descriptor, .readable))
    duplicate = nil
    #expect(try Poll.wait(for: reading.descriptor, .readable, deadline: patience()) == .hungUp)
  }

  @Test("opens files close-on-exec, and says which file it could not open")
  func open() throws {
    let handle = try Handle.open("/proc/self/stat", .readOnly)
    #expect(fcntl(handle.descriptor.rawValue, F_GETFD) == FD_CLOEXEC)
    #expect(throws: SystemError(operation: "open", errno: .noSuchFileOrDirectory, detail: "/nowhere/at/all")) {
      try Handle.open("/nowhere/at/all", .readOnly)
    }
  }

  @Test("makes errors that name the call, the object and the errno")
  func description() {
    let error = SystemError(operation: "open", errno: .noSuchFileOrDirectory, detail: "/x")
    #expect(error.description == "open(/x): No such file or directory (errno 2)")
  }
}
