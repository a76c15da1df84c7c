import SystemPackage
import TestSupport
import Testing

@testable import SluiceSystem

/// Each error tells all that it knows: what, where, and the limit that was met.
@Suite struct ErrorDescriptionTests {
  private let system = SystemError(operation: "mmap", errno: .noMemory, detail: "here")

  @Test func `a failed call`() {
    #expect(system.description == "mmap(here): Cannot allocate memory (errno 12)")
    let full = SystemError(operation: "open", errno: .tooManyOpenFiles)
    #expect(full.description.contains("RLIMIT_NOFILE is \(ResourceLimit.openDescriptors)"))
  }

  @Test func `directories and locks`() throws {
    let path = FilePath("/some/where")
    let directories: [DirectoryError] = [
      .missing(path), .notADirectory(path), .wrongOwner(path, owner: 5, expected: [6, 7]), .failed(system),
    ]
    let open = DirectoryError.tooOpen(
      path, permissions: FilePermissions(rawValue: 0o777), atMost: .ownerReadWriteExecute)
    #expect(open.description == "/some/where has permissions 777, at most 700 allowed")
    #expect(
      try flaws(of: directories, in: "Sources/SluiceSystem/FileSystem.swift") == ["no sample of tooOpen"])
    #expect(
      try flaws(of: [FileLockError.held(by: 42), .failed(system)], in: "Sources/SluiceSystem/FileLock.swift").isEmpty)
    #expect("\(FileLockError.held(by: 0))" == "the lock is held by a process that cannot be seen from here")
  }

  @Test func `queues`() throws {
    let errors: [MessageQueueError] = [
      .invalidName("q", byteCountLimit: 251), .nameTaken("/q"), .noSuchQueue("/q"), .accessDenied("/q"),
      .sizeOutOfBounds(capacity: 11, messageByteCount: 12, capacityLimit: 13, messageByteCountLimit: 14),
      .queueMemoryExhausted(byteCount: 15, limit: 16), .tooManyQueues(limit: 17), .descriptorTableFull(limit: 18),
      .journal(.held(by: 19)), .failed(system),
    ]
    #expect(try flaws(of: errors, in: "Sources/SluiceSystem/MessageQueueError.swift") == [])
    #expect("\(MessageQueueError.tooManyQueues(limit: nil))".contains("unknown"))
  }

  @Test func `segments`() throws {
    let errors: [SegmentError] = [
      .invalidName("n"), .invalidByteCount(name: "n", -1), .system(name: "n", system),
      .descriptorTableFull(name: "n", limit: 21), .tooManyMappings(name: "n", limit: 22),
      .addressSpaceFull(name: "n", limit: 23), .notSealable(name: "n"),
      .unsealed(name: "n", found: [], required: SegmentSeals(rawValue: 1)),
      .wrongByteCount(name: "n", found: 24, announced: 25), .notSharedMemory(name: "n"),
      .wrongOwner(name: "n", found: 26, expected: 27), .wrongMode(name: "n", found: 7, expected: .group),
      .nameTaken(name: "n"), .sharedMemoryFull(name: "n", requested: 28, limit: 29, available: 30),
      .lock(.held(by: 31)),
    ]
    #expect(try flaws(of: errors, in: "Sources/SluiceSystem/SegmentError.swift") == [])
    #expect("\(SegmentError.addressSpaceFull(name: "n", limit: nil))".contains("unlimited"))
  }
}
