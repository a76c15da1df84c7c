import Glibc
import SluiceSystem
import SystemPackage
import Testing

@Suite("A journaled queue") struct JournaledQueueTests {
  private func make(_ name: String, _ journal: FilePath) throws -> JournaledQueue {
    try JournaledQueue(name, capacity: 1, maxMessageByteCount: 8, journal: journal)
  }

  @Test("is found by its name, and goes with its owner")
  func life() throws {
    let directory = try TemporaryDirectory()
    var owner: JournaledQueue? = try JournaledQueue(capacity: 2, maxMessageByteCount: 8, journal: directory.path)
    let name = try #require(owner?.name)
    let client = try MessageQueue.open(name, access: .sending)
    #expect(try client.trySend([5].span.bytes))
    #expect(try owner?.queue.tryReceive { _, _ in } == true)
    #expect(try FileSystem.entries(of: directory.path).count == 1)
    owner = nil
    #expect(throws: MessageQueueError.noSuchQueue(name)) { try MessageQueue.open(name) }
    #expect(try FileSystem.entries(of: directory.path) == [])
    // Who has it open keeps it.
    #expect(try client.trySend([6].span.bytes))
  }

  @Test("is removed once: the name may be another owner's then")
  func removedOnce() throws {
    let directory = try TemporaryDirectory()
    let name = MessageQueue.unguessableName()
    var first: JournaledQueue? = try make(name, directory.path)
    try first?.remove()
    let second = try make(name, directory.path)
    try first?.remove()
    first = nil
    #expect(throws: Never.self) { try MessageQueue.open(name) }
    #expect(try FileSystem.entries(of: directory.path).count == 1)
    withExtendedLifetime(second) {}
  }

  @Test("is refused under a name that is taken, and leaves that one alone")
  func taken() async throws {
    let directory = try TemporaryDirectory()
    let name = MessageQueue.unguessableName()
    let stranger = try MessageQueue.create(name, capacity: 1, maxMessageByteCount: 8)
    defer { _ = try? MessageQueue.unlink(name) }
    #expect(throws: MessageQueueError.nameTaken(name)) { try make(name, directory.path) }
    #expect(try FileSystem.entries(of: directory.path) == [])
    let own = MessageQueue.unguessableName()
    let owner = try make(own, directory.path)
    #expect(throws: MessageQueueError.journal(.held(by: getpid()))) { try make(own, directory.path) }
    await #expect(processExitsWith: .success) {
      [path = directory.path.string as String, own = own as String, pid = getpid() as pid_t] in
      #expect(throws: MessageQueueError.journal(.held(by: pid))) {
        try JournaledQueue(own, capacity: 1, maxMessageByteCount: 8, journal: FilePath(path))
      }
      let removed = try JournaledQueue.removeLeftovers(in: FilePath(path))
      #expect(removed == [])
    }
    #expect(try JournaledQueue.removeLeftovers(in: directory.path) == [])
    #expect(throws: Never.self) { try MessageQueue.open(own) }
    for wrong in ["", "/", "x", "/a/b", "/" + String(repeating: "x", count: 241)] {
      #expect(throws: MessageQueueError.invalidName(wrong, byteCountLimit: 240)) { try make(wrong, directory.path) }
    }
    withExtendedLifetime((stranger, owner)) {}
  }

  @Test("is found and removed after its owner was killed, without a list of queues")
  func killed() async throws {
    let directory = try TemporaryDirectory()
    let names = (0..<3).map { _ in MessageQueue.unguessableName() }
    let survivor = try make(names[2], directory.path)
    await #expect(processExitsWith: .signal(SIGKILL)) {
      [path = directory.path.string as String, first = names[0] as String, second = names[1] as String] in
      let queues = try [first, second].map {
        try JournaledQueue($0, capacity: 1, maxMessageByteCount: 8, journal: FilePath(path))
      }
      kill(getpid(), SIGKILL)
      withExtendedLifetime(queues) {}
    }
    #expect(throws: Never.self) { try MessageQueue.open(names[0]) }
    // Killed before the queue was made, or after it was removed: an entry alone.
    let bare = MessageQueue.unguessableName()
    _ = try Handle.open(
      directory.path.appending(bare.dropFirst() + ".queue"), .writeOnly, options: .create, permissions: .ownerReadWrite)
    // A name that is wanted again is free.
    let again = try make(names[1], directory.path)
    let removed = try JournaledQueue.removeLeftovers(in: directory.path)
    #expect(Set(removed) == [names[0], bare])
    #expect(throws: MessageQueueError.noSuchQueue(names[0])) { try MessageQueue.open(names[0]) }
    #expect(throws: Never.self) { try MessageQueue.open(names[1]) }
    #expect(throws: Never.self) { try MessageQueue.open(names[2]) }
    #expect(try FileSystem.entries(of: directory.path).count == 2)
    #expect(try JournaledQueue.removeLeftovers(in: directory.path) == [])
    withExtendedLifetime((survivor, again)) {}
  }

  @Test("is not removed on the word of a directory that others can write to, or of other files")
  func distrust() throws {
    let directory = try TemporaryDirectory()
    for file in ["README", ".queue", "x"] {
      _ = try Handle.open(
        directory.path.appending(file), .writeOnly, options: .create, permissions: .ownerReadWrite)
    }
    #expect(try JournaledQueue.removeLeftovers(in: directory.path) == [])
    #expect(try FileSystem.entries(of: directory.path).count == 3)
    try FileSystem.setPermissions(FilePermissions(rawValue: 0o777), of: directory.path)
    #expect(throws: MessageQueueError.self) { try JournaledQueue.removeLeftovers(in: directory.path) }
  }

  @Test("is named as the limit when the system has too many queues")
  func tooMany() async {
    await #expect(processExitsWith: .success) {
      // Root may have more.
      if getuid() == 0 { #expect(setuid(65_534) == 0) }
      let limit = try #require(ResourceLimit.messageQueues)
      var queues: [MessageQueue] = []
      let error = #expect(throws: MessageQueueError.self) {
        for _ in 0...limit {
          let name = MessageQueue.unguessableName()
          queues.append(try MessageQueue.create(name, capacity: 1, maxMessageByteCount: 8))
          try MessageQueue.unlink(name)
        }
      }
      #expect(error == .tooManyQueues(limit: limit))
      queues.removeAll()
      let name = MessageQueue.unguessableName()
      #expect(throws: Never.self) { try MessageQueue.create(name, capacity: 1, maxMessageByteCount: 8) }
      #expect(try MessageQueue.unlink(name))
    }
  }
}
